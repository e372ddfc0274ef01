"""Contact pictures of a video's identities: the best crops of each over time, for a look at who is who."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ictrack.structures.atomic_file import naming, part_of, remove_stale_parts, replacing
from ictrack.structures.categories import class_name
from ictrack.structures.command_line import OutputError
from ictrack.structures.frame_arrays import FrameArrays
from ictrack.structures.tracks import elected_class

NUM_CROPS = 8
_TILE = 160  # pixels of a crop's longer side, and of a tile's both
_GAP = 6
_COLUMNS = 4
_BACKGROUND = 32
# Share of a box's sides that a crop shows around it.
_MARGIN = 0.1
_JPEG_QUALITY = 90
# Names of the pictures that a run wrote, and what such a name is.
_LIST = ".pictures"
_PICTURE = re.compile(r"\d{5,}_[\w-]+\.jpg")


@dataclass
class _Identity:
    """Crops of an identity, one for each period of ``period`` frames: period -> (score, frame)."""

    period: int = 1
    best: dict[int, tuple[float, int]] = field(default_factory=dict)
    votes: dict[int, float] = field(default_factory=dict)


class CropGallery:
    """Writer of ``<identity>_<category>.jpg`` for each identity of a video; also a context manager that finishes them.

    A picture has the crops of highest score of up to ``NUM_CROPS`` equally long periods, in their order. The periods
    double when there are more, so that only a few numbers of each identity are in memory; crops wait on the disk. The
    pictures take the place of those of an earlier run, which a hidden list in the folder names; after an exception,
    none is written.
    """

    def __init__(self, folder: str | os.PathLike, class_names: Sequence[str] | None = None) -> None:
        """
        Args:
            folder: Folder, which is made if missing.
            class_names: Names of the contiguous categories.

        Raises:
            OutputError: the folder cannot be made.
        """
        self.folder = Path(folder)
        self.class_names = class_names
        self._part = part_of(self.folder / "crops")
        self._list = self.folder / _LIST
        self._identities: dict[int, _Identity] = {}
        self._index = -1
        remove_stale_parts(self.folder / "crops")
        try:
            self._part.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from error

    def add(self, frame: np.ndarray, tracks: Any) -> None:
        """Take the crops of the next frame.

        Args:
            frame: BGR uint8 (H, W, 3).
            tracks: Tracked detections at the frame's size, Instances or arrays, see :meth:`FrameArrays.of`.
        """
        self._index += 1
        arrays = FrameArrays.of(tracks)
        ids = () if arrays.ids is None else arrays.ids.tolist()
        rows = zip(ids, arrays.scores.tolist(), arrays.classes.tolist(), arrays.boxes)
        for track_id, score, category, box in rows:
            identity = self._identities.setdefault(track_id, _Identity())
            identity.votes[category] = identity.votes.get(category, 0.0) + score
            period = self._index // identity.period
            before = identity.best.get(period)
            crop = _crop(frame, box) if before is None or score > before[0] else None
            if crop is None:
                continue
            with naming(self.folder):
                self._path(track_id, self._index).write_bytes(_jpeg(crop))
            identity.best[period] = (score, self._index)
            if before is not None:
                self._path(track_id, before[1]).unlink()
            while len(identity.best) > NUM_CROPS:
                self._double_periods(track_id, identity)

    def _double_periods(self, track_id: int, identity: _Identity) -> None:
        best: dict[int, tuple[float, int]] = {}
        for period, (score, index) in identity.best.items():
            other = best.get(period // 2)
            if other is None or score > other[0]:
                best[period // 2] = (score, index)
            if other is not None:
                self._path(track_id, other[1] if score > other[0] else index).unlink()
        identity.best = best
        identity.period *= 2

    def _path(self, track_id: int, index: int) -> Path:
        return self._part / f"{track_id}_{index}.jpg"

    def close(self) -> None:
        """Write the pictures of all identities, in place of those of an earlier run."""
        earlier = self._list.read_text(encoding="utf-8").split("\n") if self._list.is_file() else []
        names = []
        for track_id, identity in self._identities.items():
            indices = sorted(index for _, index in identity.best.values())
            if not indices:  # always off the frame
                continue
            crops = [_decoded(self._path(track_id, index).read_bytes()) for index in indices]
            category = re.sub(r"\W+", "-", class_name(self.class_names, elected_class(identity.votes)))
            names.append(f"{track_id:05d}_{category}.jpg")
            with replacing(self.folder / names[-1]) as file:
                file.write(_jpeg(_contact_picture(crops)))
        for name in {*filter(_PICTURE.fullmatch, earlier)}.difference(names):
            (self.folder / name).unlink(missing_ok=True)
        with replacing(self._list) as file:
            file.write("\n".join(names).encode())
        self._identities.clear()

    def __enter__(self) -> CropGallery:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            shutil.rmtree(self._part, ignore_errors=True)


def _crop(frame: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    """Part of a frame around a box (4,) XYXY, its longer side ``_TILE`` pixels; None if the box is not on the frame."""
    height, width = frame.shape[:2]
    margin_x, margin_y = _MARGIN * (box[2] - box[0]), _MARGIN * (box[3] - box[1])
    left, top = max(int(np.floor(box[0] - margin_x)), 0), max(int(np.floor(box[1] - margin_y)), 0)
    right, bottom = min(int(np.ceil(box[2] + margin_x)), width), min(int(np.ceil(box[3] + margin_y)), height)
    if right <= left or bottom <= top:
        return None
    part = frame[top:bottom, left:right]
    scale = _TILE / max(part.shape[:2])
    size = (max(round(scale * part.shape[1]), 1), max(round(scale * part.shape[0]), 1))
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _contact_picture(crops: Sequence[np.ndarray]) -> np.ndarray:
    """Crops in rows of ``_COLUMNS``, each in the middle of its tile."""
    columns, rows = min(len(crops), _COLUMNS), -(-len(crops) // _COLUMNS)
    step = _TILE + _GAP
    picture = np.full((rows * step + _GAP, columns * step + _GAP, 3), _BACKGROUND, dtype=np.uint8)
    for i, crop in enumerate(crops):
        height, width = crop.shape[:2]
        top = _GAP + i // _COLUMNS * step + (_TILE - height) // 2
        left = _GAP + i % _COLUMNS * step + (_TILE - width) // 2
        picture[top : top + height, left : left + width] = crop
    return picture


def _decoded(jpeg: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR))


def _jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
