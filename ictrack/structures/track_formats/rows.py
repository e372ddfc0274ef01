"""What a file says of the objects of a video: one by one, where an object may lack what others have, or by frame."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..frame_numbers import Numbering
from ..frame_tracks import FrameTracks, VideoInfo, VideoTracks
from ..json_files import AnnotationError, require
from ..rle import RLE
from .masks import checked_rles, tight_boxes

logger = logging.getLogger(__name__)


@dataclass
class Row:
    """One object in one frame. At least one of box, mask and pose is there. Coordinates are continuous pixels.

    Attributes:
        category: Id or name of its class in the file.
        score: Score; 1 for a label.
        box: x0, y0, x1, y1; None: that of the mask, or else of the joints with a score.
        track_id: Identity.
        rle: Mask, in any encoding by run lengths; :meth:`LabeledVideo.tracks` checks it.
        keypoints: (J, 3) x, y, score.
        where: Place of the mask in the file, for messages.
        occluded: (J,) whether a joint is hidden, though labeled; None: no joint is.
        head_box: x0, y0, x1, y1 of the head.
        is_crowd: Whether it stands for several objects, or for a region that was not labeled one by one.
        visibility: Share of the object that is in sight.
    """

    category: int | str
    score: float = 1.0
    box: Sequence[float] | None = None
    track_id: int | None = None
    rle: RLE | None = None
    keypoints: np.ndarray | None = None
    where: str = ""
    occluded: np.ndarray | None = None
    head_box: Sequence[float] | None = None
    is_crowd: bool = False
    visibility: float | None = None

    def extent(self) -> Sequence[float]:
        """Its box, or else that of its mask or of its joints."""
        if self.box is not None:
            return self.box
        return self.derived_extent() or (0.0, 0.0, 0.0, 0.0)

    def derived_extent(self) -> Sequence[float] | None:
        """Box of its mask, which must have been checked, or else of its joints; None without either."""
        if self.rle is not None:
            return tight_boxes([self.rle])[0].tolist()
        return None if self.keypoints is None else pose_box(self.keypoints)


@dataclass(frozen=True)
class FrameFacts:
    """What a file says of a frame beside its objects.

    Attributes:
        file_name: Name of its picture, without folder.
        time: Seconds since the first frame.
        size: Height and width, where they may differ from frame to frame.
        is_labeled: Whether its objects were labeled at all.
        ignore_regions: Polygons (V, 2) x, y in which nothing was labeled.
    """

    file_name: str = ""
    time: float | None = None
    size: tuple[int, int] | None = None
    is_labeled: bool = True
    ignore_regions: tuple[np.ndarray, ...] = ()


@dataclass
class LabeledVideo:
    """One video of a file.

    Attributes:
        where: File, for messages.
        info: Facts about the video; its classes are not set.
        categories: Names by the rows' categories, in the order of the contiguous classes; None: the rows' own, in
            ascending order.
        frames: Facts by frame index; the video has these frames even without objects.
        rows: Objects by frame index.
        folder: Folder of its pictures, relative to that of all pictures; None: the video's name.
        left_out: Numbers of what the reader cannot hold, in words.
        first_number: Number of the first frame where the file counts frames: 0 in KITTI MOTS.
        numbering: Where the frame indices come from.
    """

    where: str
    info: VideoInfo
    categories: Mapping[int | str, str] | None = None
    frames: dict[int, FrameFacts] = field(default_factory=dict)
    rows: dict[int, list[Row]] = field(default_factory=dict)
    folder: str | None = None
    left_out: Counter[str] = field(default_factory=Counter)
    first_number: int = 1
    numbering: Numbering = Numbering.STATED

    def add(self, index: int, row: Row) -> None:
        """Append an object to a frame."""
        self.rows.setdefault(index, []).append(row)

    def __iter__(self) -> Iterator[Row]:
        return (row for rows in self.rows.values() for row in rows)

    def indices(self) -> list[int]:
        """Indices of its frames, ascending."""
        return sorted({*self.rows, *self.frames})

    def facts(self, index: int) -> FrameFacts:
        """Facts of a frame, with its size."""
        facts = self.frames.get(index, FrameFacts())
        return facts if facts.size else replace(facts, size=(self.info.height, self.info.width))

    def place(self, row: Row) -> str:
        """Place of an object's mask, with the file."""
        return row.where if row.where.startswith(self.where) else f"{self.where}: {row.where}"

    def check_masks(self) -> None:
        """Check masks, all at once, and bring them to one form. Raises AnnotationError with the place of a bad one."""
        rows = [row for row in self if row.rle is not None]
        for row, rle in zip(rows, checked_rles([row.rle or {} for row in rows], [self.place(row) for row in rows])):
            row.rle = rle

    def named_categories(self) -> dict[int | str, str]:
        """Names of the categories, by their ids or names, in the order of the contiguous classes."""
        if self.categories is not None:
            return dict(self.categories)
        found = sorted({row.category for row in self}, key=lambda category: (isinstance(category, str), category))
        return {category: class_name(category) for category in found}

    def tracks(self) -> VideoTracks:
        """The video's detections or tracks by frame.

        A field that only some of the objects have is left out of all, and so are crowds, which is logged.

        Raises:
            AnnotationError: an encoding is no mask, or a frame's objects do not fit together.
        """
        crowds = sum(row.is_crowd for row in self)
        for what, count in (*self.left_out.items(), ("crowds", crowds)):
            if count:
                logger.warning("%s: %d %s, left out", self.where, count, what)
        by_frame = {index: [row for row in rows if not row.is_crowd] for index, rows in self.rows.items()}
        rows = [row for of_frame in by_frame.values() for row in of_frame]
        self.check_masks()
        _give_boxes([row for row in rows if row.rle is not None and row.box is None])
        categories = self.named_categories()
        classes = {category: i for i, category in enumerate(categories)}
        ids = tuple(i if isinstance(category, str) else category for i, category in enumerate(categories, 1))
        info = replace(self.info, class_names=tuple(categories.values()), category_ids=ids)
        complete = {name: self._is_complete(rows, name) for name in ("track_id", "rle", "keypoints")}
        numbers = {len(row.keypoints) for row in rows if row.keypoints is not None}
        require(len(numbers) < 2, self.where, f"poses of different numbers of joints: {sorted(numbers)}")
        frames = []
        for index in self.indices():
            try:
                frame = _frame(index, by_frame.get(index, []), classes, complete, len(info.joint_names))
            except (ValueError, OverflowError) as error:
                raise AnnotationError(f"{self.where}: frame {index}: {error}") from None
            facts = self.facts(index)
            frames.append(replace(frame, file_name=facts.file_name, time=facts.time))
        return VideoTracks(info, frames, self.numbering)

    def _is_complete(self, rows: list[Row], name: str) -> bool:
        present = sum(getattr(row, name) is not None for row in rows)
        if 0 < present < len(rows):
            text = "%s: only %d of %d detections have a %s, which is left out"
            logger.warning(text, self.where, present, len(rows), name)
        return 0 < present == len(rows)


def facts_of(names: Mapping[int, str], times: Mapping[int, float] | None = None) -> dict[int, FrameFacts]:
    """Facts by frame index, of file names and times."""
    times = times or {}
    return {index: FrameFacts(names.get(index, ""), times.get(index)) for index in {*names, *times}}


def labeled_video(where: object, video: VideoTracks) -> LabeledVideo:
    """Objects of a video's tracks; boxes that are those of their masks or joints are kept."""
    categories: dict[int | str, str] = {entry["id"]: entry["name"] for entry in video.info.categories()}
    frames = {frame.index: FrameFacts(frame.file_name, frame.time) for frame in video.frames}
    rows = {frame.index: rows_of(frame, video.info) for frame in video.frames if len(frame)}
    return LabeledVideo(str(where), video.info, categories, frames, rows)


def rows_of(frame: FrameTracks, info: VideoInfo) -> list[Row]:
    """Objects of a frame, whose categories are ids."""
    return [
        Row(
            info.category_id(int(frame.classes[i])),
            float(frame.scores[i]),
            frame.boxes[i].tolist(),
            None if frame.ids is None else int(frame.ids[i]),
            None if frame.rles is None else frame.rles[i],
            None if frame.keypoints is None else frame.keypoints[i],
        )
        for i in range(len(frame))
    ]


def class_name(category: int | str) -> str:
    """Name of a class of which only that, or only its id, is known."""
    return category if isinstance(category, str) else f"class {category}"


def _give_boxes(rows: list[Row]) -> None:
    """Give rows with a mask its box."""
    for row, box in zip(rows, tight_boxes([row.rle or {} for row in rows]).tolist()):
        row.box = box


def _frame(
    index: int, rows: list[Row], classes: Mapping[int | str, int], complete: Mapping[str, bool], num_joints: int
) -> FrameTracks:
    keypoints = None
    if complete["keypoints"]:
        keypoints = np.array([row.keypoints for row in rows], dtype=np.float64).reshape(len(rows), num_joints, 3)
    return FrameTracks(
        index,
        np.array([row.score for row in rows], dtype=np.float64),
        np.array([classes[row.category] for row in rows], dtype=np.int64),
        np.array([row.extent() for row in rows], dtype=np.float64).reshape(len(rows), 4),
        np.array([row.track_id for row in rows], dtype=np.int64) if complete["track_id"] else None,
        [row.rle for row in rows if row.rle is not None] if complete["rle"] else None,
        keypoints,
    )


def pose_box(keypoints: np.ndarray) -> tuple[float, ...]:
    """Extent x0, y0, x1, y1 of the joints (J, 3) with a positive score, or else of all."""
    points = keypoints[keypoints[:, 2] > 0, :2]
    points = points if len(points) else keypoints[:, :2]
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
