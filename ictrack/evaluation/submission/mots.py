"""MOTS text files, one a sequence: a line ``frame id class_id height width rle`` for each mask of each frame.

The format of MOTSChallenge (frames count from 1) and KITTI MOTS (from 0), see motchallenge.net/instructions: ``rle`` is
a compressed string, and no pixel of a frame may belong to two masks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from pycocotools import mask as mask_util

from ictrack.structures.atomic_file import replacing
from ictrack.structures.json_files import AnnotationError, require
from ictrack.structures.rle import RLE, RLEError, decode_runs, encode_mask

from .archive import Archive, Folder, open_submission
from .problem import Problem, error

SUFFIX = ".txt"
# Class of a ground truth's regions in which nothing was annotated.
IGNORE_CLASS = 10
_NUM_FIELDS = 6
_MAX_DIGITS = 9


@dataclass(frozen=True)
class MOTSObject:
    """Mask of an object in a frame, a line of a file.

    Attributes:
        frame, track_id, class_id: Numbers as in the file.
        rle: RLE with a str ``counts``.
    """

    frame: int
    track_id: int
    class_id: int
    rle: RLE


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
                height, width = rle["size"]
                line = f"{frame} {int(track_id)} {int(class_id)} {height} {width} {rle['counts']}\n"
                self._file.write(line.encode("ascii"))

    def __enter__(self) -> MOTSWriter:
        self._file = self._stack.enter_context(replacing(self.path))
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.__exit__(*exception)  # type: ignore[arg-type]


def without_overlaps(rles: Sequence[RLE], scores: Sequence[float]) -> list[RLE | None]:
    """Masks (N,) without the pixels of masks of higher score, the first of equals; None for a mask without pixels left.

    Raises:
        RLEError: an encoding is no mask.
        ValueError: the sizes differ.
    """
    areas = decode_runs(rles).areas()
    sizes = {tuple(rle["size"]) for rle in rles}
    if len(sizes) > 1:
        raise ValueError(f"masks of one frame have different sizes: {sorted(sizes)}")
    separate: list[RLE | None] = [None] * len(rles)
    taken: np.ndarray | None = None
    for i in np.argsort(-np.asarray(scores, dtype=float), kind="stable").tolist():
        if areas[i] == 0:
            continue
        mask = mask_util.decode(_packed(rles[i])).astype(bool)
        taken = np.zeros_like(mask) if taken is None else taken
        mask &= ~taken
        if mask.any():
            taken |= mask
            separate[i] = encode_mask(mask)
    return separate


def _packed(rle: RLE) -> RLE:
    """RLE with compressed counts, as pycocotools reads them."""
    return mask_util.frPyObjects(rle, *rle["size"]) if isinstance(rle["counts"], (list, tuple)) else rle


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
    return {PurePosixPath(name).stem: name for name in submission.names if name.endswith(SUFFIX)}


def parse_mots(data: bytes) -> Iterator[tuple[int, MOTSObject] | Problem]:
    """Numbers, from 1, and masks of the lines, or the problem of a line."""
    for number, line in enumerate(data.splitlines(), 1):
        where = f"line {number}"
        fields = line.split()
        if not fields:
            continue
        if len(fields) != _NUM_FIELDS:
            yield error(where, f"has {len(fields)} fields, not {_NUM_FIELDS}: frame, id, class, height, width, RLE")
            continue
        if not all(field.isdigit() and len(field) <= _MAX_DIGITS for field in fields[:-1]):
            yield error(
                where, f"frame, id, class, height and width must be whole numbers of at most {_MAX_DIGITS} digits"
            )
            continue
        frame, track_id, class_id, height, width = map(int, fields[:-1])
        try:
            counts = fields[-1].decode("ascii")
            decode_runs([{"size": [height, width], "counts": counts}])
        except UnicodeDecodeError:
            yield error(where, "the RLE holds a character that is not of the encoding")
        except RLEError as wrong:
            yield error(where, wrong.reason)
        else:
            yield number, MOTSObject(frame, track_id, class_id, {"size": [height, width], "counts": counts})
