"""MOTChallenge text: a row ``frame, id, x, y, w, h, score, class, visibility`` for each box of each frame.

The format of motchallenge.net and its like, of ``gt.txt``, ``det.txt`` and results alike. Frames count from 1; a box is
its top left corner and its size in pixels; the seventh number is a score or, in a ground truth, a mark (0: the box does
not count). 2D MOT 2015 has world coordinates, or -1, in place of class and visibility. Numbers are separated by commas,
semicolons or blanks; rows may be in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .describe import describe
from .json_files import require

# Folder of the pictures in that of a sequence.
PICTURES_FOLDER = "img1"
# Numbers that every row has: frame, id, x, y, w, h.
MIN_FIELDS = 6
# Largest frame number or identity: a float holds it exactly, and so does an index.
_MAX_WHOLE = 2**31 - 1


@dataclass(frozen=True)
class MOTRows:
    """N rows of a file, in its order.

    Attributes:
        where: Name of the file in messages.
        lines: (N,) int64 line numbers, from 1.
        frames: (N,) int64 frame numbers, from 1.
        ids: (N,) int64 identities; -1 for detections that were not tracked.
        boxes: (N, 4) float64 x, y, w, h in pixels.
        scores: (N,) float64 seventh numbers; None where rows have six.
        rest: (N, F) float64 numbers from the eighth on.
    """

    where: str
    lines: np.ndarray
    frames: np.ndarray
    ids: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray | None
    rest: np.ndarray

    def __len__(self) -> int:
        return len(self.lines)

    def classes(self) -> np.ndarray | None:
        """Eighth numbers (N,) as int64; None where rows have fewer. Raises AnnotationError if one is not whole."""
        return _whole(self.rest[:, 0], self.lines, self.where, "class") if self.rest.shape[1] else None

    def refuse(self, wrong: np.ndarray, message: str) -> None:
        """Raise AnnotationError with file, line and message for the first row where the mask ``wrong`` (N,) is true."""
        if wrong.any():
            require(False, f"{self.where}: line {self.lines[int(np.argmax(wrong))]}", message)


def parse_mot(data: bytes, where: str) -> MOTRows:
    """Rows of a file's content.

    Args:
        data: Content. Empty lines are passed over.
        where: Name of the file for messages.

    Raises:
        AnnotationError: a row is not of finite numbers, has fewer than ``MIN_FIELDS`` or another number of them than
            the first row, or its frame or id is no whole number. The message has file and line.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        require(False, where, "no text file")
    numbered = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    numbered = [(number, line) for number, line in numbered if line]
    lines = np.array([number for number, _ in numbered], dtype=np.int64)
    table = _table([line for _, line in numbered], lines, where)
    rows = MOTRows(
        where,
        lines,
        _whole(table[:, 0], lines, where, "frame"),
        _whole(table[:, 1], lines, where, "id"),
        table[:, 2:MIN_FIELDS],
        table[:, 6] if table.shape[1] > MIN_FIELDS else None,
        table[:, 7:],
    )
    rows.refuse(rows.frames < 1, "frames count from 1")
    return rows


def duplicate_ids(rows: MOTRows) -> np.ndarray:
    """Mask (N,) of the rows whose identity is that of an earlier row in the same frame."""
    order = np.lexsort((rows.ids, rows.frames))  # stable: of equals, the earlier row comes first
    frames, ids = rows.frames[order], rows.ids[order]
    again = np.zeros(len(rows), dtype=bool)
    again[order[1:]] = (frames[1:] == frames[:-1]) & (ids[1:] == ids[:-1])
    return again


def _table(lines: Sequence[str], numbers: np.ndarray, where: str) -> np.ndarray:
    """Numbers (N, F) of lines; all at once, and one by one only to find an error."""
    if not lines:
        return np.zeros((0, MIN_FIELDS))
    delimiter = next((mark for mark in ",;" if mark in lines[0]), None)
    if delimiter and any(line.endswith(delimiter) for line in lines):
        lines = [line.rstrip(f"{delimiter} \t") for line in lines]
    try:
        table = np.loadtxt(lines, delimiter=delimiter, comments=None, ndmin=2)
    except ValueError:
        _refuse_fields(lines, numbers, where, delimiter)
        raise  # NumPy refuses what float() takes, and no line was refused
    num_fields = table.shape[1]
    require(num_fields >= MIN_FIELDS, f"{where}: line {numbers[0]}", _too_few(num_fields))
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0].tolist()
        require(False, f"{where}: line {numbers[row]}", f"number {column + 1} is not finite")
    return table


def _refuse_fields(lines: Sequence[str], numbers: np.ndarray, where: str, delimiter: str | None) -> None:
    num_fields = len(lines[0].split(delimiter))
    for number, line in zip(numbers.tolist(), lines):
        fields = line.split(delimiter)
        place = f"{where}: line {number}"
        require(len(fields) >= MIN_FIELDS, place, _too_few(len(fields)))
        for field in fields:
            require(_is_number(field), place, f"{describe(field)} is not a number")
        require(len(fields) == num_fields, place, f"has {len(fields)} numbers, the first row has {num_fields}")


def _too_few(num_fields: int) -> str:
    return f"has {num_fields} numbers, must have at least {MIN_FIELDS}: frame, id, x, y, w, h"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # Python's own digit groups, which no other reader takes


def _whole(values: np.ndarray, lines: np.ndarray, where: str, name: str) -> np.ndarray:
    wrong = (values != np.rint(values)) | (np.abs(values) > _MAX_WHOLE)
    if wrong.any():
        row = int(np.argmax(wrong))
        require(False, f"{where}: line {lines[row]}", f"{name} {values[row]:g} is not a whole number from a file")
    return values.astype(np.int64)
