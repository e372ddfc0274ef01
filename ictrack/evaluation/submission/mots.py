"""MOTS text files, one a sequence, see :mod:`ictrack.structures.mots_text`: writer and reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from ictrack.structures.atomic_file import replacing
from ictrack.structures.json_files import AnnotationError, require
from ictrack.structures.mots_text import MOTSObject, mots_line, parse_mots_line, without_overlaps
from ictrack.structures.rle import RLE
from ictrack.structures.sequence_texts import is_sequence_text

from .archive import Archive, Folder, open_submission
from .problem import Problem, error


class MOTSWriter:
    """Writer of one sequence's ``<name>.txt``, frame by frame; the file appears at the end of the block, complete.

    Nothing is kept in memory.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._stack = ExitStack()
        self._last_frame = -1

    def add(
        self,
        frame: int,
        track_ids: Sequence[int],
        class_ids: Sequence[int],
        scores: Sequence[float],
        rles: Sequence[RLE],
    ) -> None:
        """Add the N masks of one frame. A pixel of several masks goes to the one of the highest score.

        Args:
            frame: Frame number, ascending, in the data set's numbering.
            track_ids: (N,) identities, unique in the frame.
            class_ids: (N,) classes of the data set.
            scores: (N,) scores, which decide between overlapping masks and are not written.
            rles: (N,) masks of one size.

        Raises:
            ValueError: the frame came before, an identity is twice in it, the lengths differ, or (RLEError) an
                encoding is no mask.
        """
        if frame <= self._last_frame:
            raise ValueError(f"{self.path.name}: frame {frame} came after frame {self._last_frame}")
        if not len(track_ids) == len(class_ids) == len(scores) == len(rles):
            raise ValueError(f"{self.path.name}, frame {frame}: ids, classes, scores and masks differ in number")
        if len(set(track_ids)) != len(track_ids):
            raise ValueError(f"{self.path.name}, frame {frame}: an identity is there twice")
        self._last_frame = frame
        for track_id, class_id, rle in zip(track_ids, class_ids, without_overlaps(rles, scores)):
            if rle is not None:
                self._file.write(mots_line(MOTSObject(frame, int(track_id), int(class_id), rle)))

    def __enter__(self) -> MOTSWriter:
        self._file = self._stack.enter_context(replacing(self.path))
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.__exit__(*exception)  # type: ignore[arg-type]


def read_mots(path: str | Path) -> dict[str, list[MOTSObject]]:
    """Masks, in the files' order, by sequence of the ``.txt`` files of a folder, a zip or a single file.

    Raises:
        AnnotationError: a line is wrong (the message has file and line), or there is no ``.txt`` file.
        OSError: there is no such file or folder.
    """
    sequences: dict[str, list[MOTSObject]] = {}
    with open_submission(path) as submission:
        for name, member in sorted(text_files(submission).items()):
            sequences[name] = []
            for found in parse_mots(submission.read(member)):
                if isinstance(found, Problem):
                    raise AnnotationError(f"{submission.where(member)}: {found.path}: {found.message}")
                sequences[name].append(found[1])
    require(bool(sequences), str(path), "holds no .txt file")
    return sequences


def text_files(submission: Archive | Folder) -> dict[str, str]:
    """Names of files by sequence; in a zip they may lie in a folder."""
    return {PurePosixPath(name).stem: name for name in filter(is_sequence_text, submission.names)}


def parse_mots(data: bytes) -> Iterator[tuple[int, MOTSObject] | Problem]:
    """Numbers, from 1, and masks of the lines, or the problem of a line."""
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            try:
                yield number, parse_mots_line(line)
            except ValueError as wrong:
                yield error(f"line {number}", str(wrong))
