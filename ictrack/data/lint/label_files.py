"""Checks of MOTChallenge's, MOTS's, DAVIS's, labelme's and CVAT's files: what a reader refuses, and what it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pycocotools import mask as mask_util

from ictrack.structures.detections.read import format_of_text
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.labels import LABEL_FORMATS
from ictrack.structures.labels.frames import folders_of_videos, listed_frames, picture_path
from ictrack.structures.mot_text import parse_mot
from ictrack.structures.mots_text import parse_mots_line
from ictrack.structures.sequence_texts import SUFFIX, is_sequence_text
from ictrack.structures.track_formats.masks import checked_rles, tight_boxes
from ictrack.structures.track_formats.rows import LabeledVideo, Row

from .boxes import BoxChecks, check_box_of_mask
from .defects import Defects
from .entries import TOLERANCE, check_box
from .images import ImageFiles, check_order
from .labelme_groups import check_groups
from .motion import jump_between

NAMES = ("mot", "mots", "mots-png", "davis", "labelme", "cvat")
_TITLES = {
    "mot": "MOTChallenge",
    "mots": "MOTS",
    "mots-png": "MOTS",
    "davis": "DAVIS",
    "labelme": "labelme",
    "cvat": "CVAT",
}


def lint_label_files(path: Path, name: str, files: ImageFiles, defects: Defects) -> str:
    """Check a file or folder of a format in ``NAMES``; returns what it holds, in words."""
    videos = [video for part in _parts(path, name) for video in _read(part, name, defects)]
    boxes = BoxChecks(defects)
    for video in videos:
        _Video(video, files, defects, boxes).check()
    boxes.finish()
    names = [video.info.name for video in videos]
    for video_name in sorted({one for one in names if names.count(one) > 1}):
        defects.error("name", video_name, f"{names.count(video_name)} videos have this name")
    objects = sum(1 for video in videos for _ in video)
    frames = sum(len(listed_frames(video)) for video in videos)
    return f"{_TITLES[name]}: {len(videos)} videos of {frames} frames, {objects} objects"


def _parts(path: Path, name: str) -> list[Path]:
    """Files or folders of one video each, so that a damaged one does not hide the others."""
    if not path.is_dir():
        return [path]
    folders = (path, *folders_of_videos(path))
    if name in ("labelme", "mots-png", "davis"):
        pattern = "*.json" if name == "labelme" else "*.png"
        return [folder for folder in folders if any(folder.glob(pattern))] or [path]
    if name == "mot" and (sequences := [folder for folder in folders if (folder / "gt" / "gt.txt").is_file()]):
        return sequences
    files = sorted(path.glob("*.xml") if name == "cvat" else filter(is_sequence_text, path.glob(f"*{SUFFIX}")))
    return files or [path]


def _read(path: Path, name: str, defects: Defects) -> list[LabeledVideo]:
    """Videos of a part as far as they can be read; what cannot is a defect."""
    if name == "labelme":
        check_groups(path, defects)
    try:
        return LABEL_FORMATS[name].read_videos(path)
    except (AnnotationError, OSError) as error:
        text = str(error)
    file = path / "gt" / "gt.txt" if path.is_dir() else path
    if name in ("mot", "mots") and file.is_file():
        if reason := _why_no_rows(file):
            defects.error("unreadable file", str(file), reason)
            return []
        if bad := list(_bad_lines(file, parse_mot_line if name == "mot" else parse_mots_line)):
            for number, reason in bad:
                defects.error("line", f"{file.name}: line {number}", reason)
            return []
    if name == "labelme" and path.is_dir():
        return _readable_files(path, name, defects)
    defects.error("unreadable file", str(path), text.removeprefix(f"{path}: "))
    return []


def parse_mot_line(line: bytes) -> None:
    """Check one row of MOTChallenge's text. Raises ValueError with what is wrong in it."""
    parse_mot(line, "")


def _why_no_rows(path: Path) -> str:
    """Reason for which a text, such as README.txt, has no rows at all; "" if it has."""
    try:
        format_of_text(path)
    except AnnotationError as error:
        return str(error).removeprefix(f"{path}: ")
    return ""


def _bad_lines(path: Path, parse: Callable[[bytes], object]) -> Iterator[tuple[int, str]]:
    """(Number, reason) of each line that a parser refuses."""
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if line.strip():
            try:
                parse(line)
            except ValueError as error:
                yield number, str(error).removeprefix(": line 1: ")


def _readable_files(path: Path, name: str, defects: Defects) -> list[LabeledVideo]:
    """Videos of the readable files of a folder, one by one."""
    videos = []
    for file in sorted(path.glob("*.json")):
        try:
            videos += LABEL_FORMATS[name].read_videos(file)
        except (AnnotationError, OSError) as error:
            defects.error("unreadable file", file.name, str(error).removeprefix(f"{file}: "))
    return videos


def _xywh(box: Sequence[float]) -> list[float]:
    x0, y0, x1, y1 = box
    return [x0, y0, x1 - x0, y1 - y0]


@dataclass
class _Video:
    """Checks of one video's objects."""

    video: LabeledVideo
    files: ImageFiles
    defects: Defects
    boxes: BoxChecks

    def check(self) -> None:
        video, defects = self.video, self.defects
        names = [facts.file_name for _, facts in sorted(video.frames.items()) if facts.file_name]
        check_order(names, f"{video.info.name}: frames", defects)
        for what, count in video.left_out.items():
            defects.warning("left out", video.info.name, f"{count} {what}")
        if names:
            for index in listed_frames(video):
                self._see(index)
                self.files.check(picture_path(video, index), self._size(index), self._place(index), defects)
        for index in video.indices():
            for row in video.rows.get(index, ()):
                self._see(index, row)
                self._check_row(index, row)
            self._check_identities(index)
        self._check_tracks()
        defects.subject = None

    def _size(self, index: int) -> tuple[int, int] | None:
        size = self.video.facts(index).size
        return size if size and all(size) else None

    def _place(self, index: int, row: Row | None = None) -> str:
        """Place of a frame or of an object, with the number that the frame has in the files."""
        name = self.video.facts(index).file_name or f"frame {index}"
        object_name = "" if row is None or row.track_id is None else f", identity {row.track_id}"
        return f"{self.video.info.name}: {name}{object_name}"

    def _see(self, index: int, row: Row | None = None) -> None:
        box = None if row is None or row.box is None else _xywh(row.box)
        self.defects.subject = self.files.subject(picture_path(self.video, index), box)

    def _check_row(self, index: int, row: Row) -> None:
        where, size = self._place(index, row), self._size(index)
        if row.box is not None:
            # MOTChallenge's boxes are those of whole people, also beyond the border of the image.
            check_box(_xywh(row.box), size, where, self.defects, may_leave=True)
            if not row.is_crowd:
                self.boxes.add(_xywh(row.box), (self.video.info.name, index), row.category, self._place(index, row))
        if row.rle is not None:
            self._check_mask(row, where, size)
        if row.keypoints is not None and size is not None:
            points = row.keypoints[row.keypoints[:, 2] > 0, :2]
            outside = ((points < -TOLERANCE) | (points > np.array(size[::-1]) + TOLERANCE)).any(axis=1)
            if outside.any():
                text = f"{int(outside.sum())} joints lie outside of the image of {size[1]} x {size[0]}"
                self.defects.warning("keypoints", where, text)
        if not 0 <= row.score <= 1:
            self.defects.warning("score", where, f"is {row.score:g}, not from 0 to 1")

    def _check_mask(self, row: Row, where: str, size: tuple[int, int] | None) -> None:
        try:
            (row.rle,) = checked_rles([row.rle or {}], [where])
        except AnnotationError as error:
            self.defects.error("mask", where, str(error).removeprefix(f"{where}: "))
            row.rle = None
            return
        height, width = row.rle["size"]
        if size is not None and (height, width) != size:
            text = f"a mask of {width} x {height} pixels in a frame of {size[1]} x {size[0]}"
            self.defects.error("mask", where, text)
        elif not int(mask_util.area(row.rle)):
            self.defects.error("mask", where, "covers no pixel")
        elif row.box is not None:
            check_box_of_mask(_xywh(row.box), tight_boxes([row.rle])[0].tolist(), where, self.defects)

    def _check_identities(self, index: int) -> None:
        seen: set[int] = set()
        for row in self.video.rows.get(index, ()):
            if row.track_id is not None and not row.is_crowd:
                self._see(index, row)
                text = "is there twice in the frame"
                self.defects.require(row.track_id not in seen, "track", self._place(index, row), text)
                seen.add(row.track_id)

    def _check_tracks(self) -> None:
        tracks: dict[int, list[tuple[int, Row]]] = {}
        for index in self.video.indices():
            for row in self.video.rows.get(index, ()):
                if row.track_id is not None and not row.is_crowd:
                    tracks.setdefault(row.track_id, []).append((index, row))
        names = {**self.video.named_categories()}
        for rows in tracks.values():
            first = rows[0][1].category
            changed = next(((index, row) for index, row in rows if row.category != first), None)
            if changed is not None:
                self._see(*changed)
                text = f"is {names.get(changed[1].category)!r}, it began as {names.get(first)!r}"
                self.defects.error("track", self._place(*changed), text)
            placed = [(index, row) for index, row in rows if row.box is not None or row.rle is not None]
            for (before, one), (index, row) in zip(placed, placed[1:]):
                if text := jump_between(one.extent(), row.extent(), index - before):
                    self._see(index, row)
                    self.defects.warning("jump", self._place(index, row), text)
