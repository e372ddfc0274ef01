"""YOLO's folder of text: a file a frame, a line ``class cx cy w h [score [id]]`` for each box, in shares of the frame.

Also outlines, ``class x1 y1 x2 y2 ... [score]``, and poses, ``class cx cy w h`` and ``x y score`` of each joint and
then ``[score [id]]``, as Ultralytics writes them. Frames are matched by the names of the files, or else by the numbers
in them. Names of classes are those of ``classes.txt`` in the folder, if it is there, one a line.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..describe import describe
from ..frame_numbers import frame_indices
from ..frame_tracks import FrameTracks
from ..hidden_files import is_hidden
from ..json_files import AnnotationError, require
from ..track_formats.fields import MAX_CLASSES
from ..track_formats.joint_names import joint_names
from ..track_formats.masks import checked_rles, tight_boxes
from ..youtube_vis_json import polygons_to_rle
from .source import DetectionSource
from .video_detections import VideoDetections

SUFFIX = ".txt"
_CLASSES = "classes.txt"
# Range of coordinates; some detectors' boxes reach beyond the frame.
_SHARES = (-1.0, 2.0)
KINDS = ("boxes", "outlines", "poses")
_BOX_NUMBERS = 5  # class, center and size
_MAX_EXTRA = 2  # score and id
_MIN_OUTLINE_NUMBERS = 7
# Number of joints from which lines of one length are taken for poses; shorter ones are outlines.
_MIN_JOINTS = 5


def read_yolo(path: str | os.PathLike, kind: str | None = None) -> DetectionSource:
    """Detections of a folder of a frame's files, or of a folder of such folders, a video each.

    Args:
        path: Folder.
        kind: One of ``KINDS``; None: by the numbers of the lines.

    Raises:
        AnnotationError: a line is wrong; the message has file and line.
    """
    folder = Path(path)
    folders = [folder] if _files(folder) else sorted(child for child in folder.iterdir() if child.is_dir())
    folders = [child for child in folders if not is_hidden(child.name) and _files(child)]
    require(bool(folders), str(path), f"holds no {SUFFIX} files")
    lines = {child: {file: _parse(file) for file in _files(child)} for child in folders}
    everything = [numbers for of_folder in lines.values() for of_file in of_folder.values() for _, numbers in of_file]
    kind = kind or _kind(everything)
    require(kind in KINDS, str(path), f"{kind!r} is none of {', '.join(KINDS)}")
    for of_folder in lines.values():
        for file, of_file in of_folder.items():
            for number, numbers in of_file:
                _check(numbers, kind, f"{file}: line {number}")
    num_joints = _num_joints(everything, str(path)) if kind == "poses" else 0
    names = _class_names(folder, max((int(numbers[0]) for numbers in everything), default=-1) + 1)
    videos = [YoloDetections(child.name, of_folder, kind, num_joints) for child, of_folder in lines.items()]
    return DetectionSource(str(path), videos, names, joint_names(num_joints) if num_joints else ())


class YoloDetections(VideoDetections):
    """Detections of one folder, in shares of the frame until its size is known."""

    def __init__(
        self, name: str, lines: dict[Path, list[tuple[int, list[float]]]], kind: str, num_joints: int = 0
    ) -> None:
        """
        Args:
            name: Name of the video.
            lines: (Number of the line, its numbers) of each file.
            kind: One of ``KINDS``.
            num_joints: Number of joints of poses.
        """
        self.name = name
        indices, self.numbering = frame_indices([file.name for file in lines], ultralytics=True)
        self._lines = {index: (file, of_file) for index, (file, of_file) in zip(indices, lines.items()) if of_file}
        self.file_names = {index: file.name for index, (file, _) in self._lines.items()}
        self._kind = kind
        self._num_joints = num_joints

    def frame(self, index: int, size: tuple[int, int]) -> FrameTracks:
        file, lines = self._lines[index]
        height, width = size
        scores, boxes, rles, poses = [], [], [], []
        for number, numbers in lines:
            where = f"{file}: line {number}"
            if self._kind == "outlines":
                polygon = numbers[1 : len(numbers) - 1 + len(numbers) % 2]
                scores.append(numbers[-1] if len(numbers) % 2 == 0 else 1.0)
                points = (np.reshape(polygon, (-1, 2)) * [width, height]).ravel().tolist()
                rles += checked_rles([polygons_to_rle([points], size, where)], [where])
                continue
            cx, cy, w, h = numbers[1:_BOX_NUMBERS]
            boxes.append([(cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height])
            end = _BOX_NUMBERS + 3 * self._num_joints
            scores.append(numbers[end] if len(numbers) > end else 1.0)
            if self._kind == "poses":
                poses.append(np.reshape(numbers[_BOX_NUMBERS:end], (-1, 3)) * [width, height, 1])
        classes = np.array([numbers[0] for _, numbers in lines], dtype=np.int64)
        return FrameTracks(
            index,
            np.array(scores),
            classes,
            tight_boxes(rles) if rles else np.array(boxes),
            None,
            rles or None,
            np.stack(poses) if poses else None,
            file.name,
        )


def _files(folder: Path) -> list[Path]:
    require(folder.is_dir(), str(folder), "no such folder")
    found = (file for file in folder.iterdir() if file.suffix.lower() == SUFFIX and file.is_file())
    return sorted(file for file in found if not is_hidden(file.name) and file.name != _CLASSES)


def _parse(file: Path) -> list[tuple[int, list[float]]]:
    lines = []
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        where = f"{file}: line {number}"
        try:
            numbers = [float(field) for field in line.split()]
        except ValueError:
            raise AnnotationError(f"{where}: must be numbers, not {describe(line.strip())}") from None
        require(all(map(math.isfinite, numbers)), where, "has a number that is not finite")
        require(len(numbers) >= _BOX_NUMBERS, where, f"has {len(numbers)} numbers, must have class, cx, cy, w, h")
        good = 0 <= numbers[0] < MAX_CLASSES and numbers[0] == int(numbers[0])
        require(good, where, f"the class must be a whole number below {MAX_CLASSES}, not {numbers[0]:g}")
        lines.append((number, numbers))
    return lines


def _check(numbers: Sequence[float], kind: str, where: str) -> None:
    if kind == "outlines":
        require(len(numbers) >= _MIN_OUTLINE_NUMBERS, where, "an outline has at least three points")
    elif kind == "boxes":
        most = _BOX_NUMBERS + _MAX_EXTRA
        require(len(numbers) <= most, where, f"has {len(numbers)} numbers, a box has at most {most}: with score and id")
    shares = numbers[1:] if kind == "outlines" else numbers[1:_BOX_NUMBERS]
    good = all(_SHARES[0] <= share <= _SHARES[1] for share in shares)
    require(good, where, "coordinates must be shares of the frame, from 0 to 1, and not pixels")
    good = kind == "outlines" or min(numbers[3:_BOX_NUMBERS]) >= 0
    require(good, where, f"a box has a negative width or height: {' '.join(map(repr, numbers[3:_BOX_NUMBERS]))}")


def _kind(lines: Sequence[Sequence[float]]) -> str:
    lengths = {len(numbers) for numbers in lines}
    if max(lengths, default=0) <= _BOX_NUMBERS + _MAX_EXTRA and not _are_triangles(lines):
        return "boxes"
    if len(lengths) == 1 and min(lengths) >= _BOX_NUMBERS + 3 * _MIN_JOINTS:
        return "poses"
    return "outlines"


def _are_triangles(lines: Sequence[Sequence[float]]) -> bool:
    """Whether all lines have seven numbers, the last of which cannot be identities."""
    return bool(lines) and all(len(line) == _MIN_OUTLINE_NUMBERS and line[-1] != int(line[-1]) for line in lines)


def _num_joints(lines: Sequence[Sequence[float]], where: str) -> int:
    lengths = {len(numbers) for numbers in lines}
    require(len(lengths) == 1, where, f"lines of poses have different numbers of values: {sorted(lengths)}")
    (length,) = lengths
    for extra in range(_MAX_EXTRA + 1):
        if (length - _BOX_NUMBERS - extra) % 3 == 0:
            return (length - _BOX_NUMBERS - extra) // 3
    raise AssertionError("one of three consecutive numbers is a multiple of 3")


def _class_names(folder: Path, num_classes: int) -> list[str]:
    file = folder / _CLASSES
    names = file.read_text(encoding="utf-8", errors="replace").split("\n") if file.is_file() else []
    names = [name.strip() for name in names if name.strip()]
    return [*names, *(f"class {index}" for index in range(len(names), num_classes))]
