"""COCO JSON with identities, which holds everything.

``images`` {id, file_name, width, height, frame_index, time, video_id}, ``categories`` {id, name, and ``keypoints``
where there are poses}, ``annotations`` {id, image_id, category_id, bbox [x, y, width, height], area, iscrowd, score,
track_id, segmentation (RLE), keypoints, num_keypoints, keypoint_scores}, and of labels what PoseTrack18 and
MOTChallenge say: ``is_labeled`` and ``ignore_regions_x``, ``_y`` of images, ``bbox_head`` and ``visibility`` of
annotations.

Keypoints are x, y, visibility (2, 1 for a hidden joint, or 0 where the joint's score is not positive), with the scores
of the joints beside them; by COCO's convention, the center of the first pixel is (0, 0), and not (0.5, 0.5) as
elsewhere here. COCO's results files are read as well, whose keypoints have the score in place of the visibility.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from pycocotools import mask as mask_util

from ..atomic_file import replacing
from ..frame_tracks import FrameTracks, VideoInfo
from ..joints import joint_set_of
from .boxes import offset_between, to_xywh
from .coco_reader import SHIFT
from .coco_reader import read as read
from .coco_reader import read_labels as read_labels
from .fields import with_fields
from .rows import FrameFacts, Row, rows_of


def write(path: str | os.PathLike, info: VideoInfo, frames: Iterable[FrameTracks]) -> None:
    """Write a video's detections or tracks, frame by frame. Raises TrackFormatError as :func:`with_fields`."""
    _, frames = with_fields(frames, path)
    num_classes = 0
    with open_coco(path) as content:
        for frame in frames:
            name = frame.file_name or f"{frame.index:05d}.jpg"
            facts = FrameFacts(name, info.frame_time(frame), (info.height, info.width))
            content.add(frame.index, name, facts, rows_of(frame, info))
            num_classes = max(num_classes, 1 + int(frame.classes.max(initial=-1)))
        content.categories = with_joints(info.categories(num_classes), info.joint_names)


def with_joints(categories: Sequence[dict[str, Any]], joint_names: Sequence[str]) -> list[dict[str, Any]]:
    """Categories with the names of the joints and the limbs, if there are any joints."""
    if not joint_names:
        return list(categories)
    skeleton = [[a + 1, b + 1] for a, b in joint_set_of(joint_names).limbs]
    return [{**category, "keypoints": list(joint_names), "skeleton": skeleton} for category in categories]


class CocoContent:
    """Content of a file while it is written: images in memory, annotations on the disk.

    Attributes:
        categories: Entries of the categories, which may be set at the end.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.categories: list[dict[str, Any]] = []
        self._file = file
        self._images: list[dict[str, Any]] = []
        self._num_annotations = 0
        file.write(b'{"annotations": [')

    def add(
        self, index: int, file_name: str, facts: FrameFacts, rows: Iterable[Row], video_id: int | None = None
    ) -> None:
        """Append a frame and its objects, whose categories are ids.

        Args:
            index: Frame index.
            file_name: Name of its picture, with folder.
            facts: Facts of the frame, with its size.
            rows: Objects.
            video_id: Id of its video, if there are several.
        """
        image_id = len(self._images) + 1 if video_id is not None else index + 1
        self._images.append(_image(image_id, index, file_name, facts, video_id))
        for row in rows:
            annotation = {"id": self._num_annotations + 1, "image_id": image_id, **_annotation(row)}
            text = json.dumps(annotation)
            self._file.write(f"{',' if self._num_annotations else ''}\n{text}".encode())
            self._num_annotations += 1

    def finish(self) -> None:
        images, categories = json.dumps(self._images), json.dumps(self.categories)
        self._file.write(f'\n],\n"images": {images},\n"categories": {categories}}}\n'.encode())


@contextmanager
def open_coco(path: str | os.PathLike) -> Iterator[CocoContent]:
    """Content of a file, which appears at the end of the block when it is complete."""
    with replacing(path) as file:
        content = CocoContent(file)
        yield content
        content.finish()


def _image(image_id: int, index: int, file_name: str, facts: FrameFacts, video_id: int | None) -> dict[str, Any]:
    height, width = facts.size or (0, 0)
    image = {"id": image_id, "file_name": file_name, "width": width, "height": height, "frame_index": index}
    if facts.time is not None:
        image["time"] = facts.time
    if video_id is not None:
        image["video_id"] = video_id
    if not facts.is_labeled:
        image["is_labeled"] = False
    if facts.ignore_regions:
        image["ignore_regions_x"] = [region[:, 0].tolist() for region in facts.ignore_regions]
        image["ignore_regions_y"] = [region[:, 1].tolist() for region in facts.ignore_regions]
    return image


def _annotation(row: Row) -> dict[str, Any]:
    box = _xywh(row.extent())
    annotation: dict[str, Any] = {
        "category_id": row.category,
        "bbox": box,
        "area": box[2] * box[3],
        "iscrowd": int(row.is_crowd),
        "score": row.score,
    }
    if row.track_id is not None:
        annotation["track_id"] = row.track_id
    if row.rle is not None:
        annotation["area"] = int(mask_util.area(row.rle))
        annotation["segmentation"] = row.rle
    if row.keypoints is not None:
        scores = row.keypoints[:, 2]
        joints = np.concatenate([offset_between(SHIFT, row.keypoints[:, :2]), 2.0 * (scores > 0)[:, None]], axis=1)
        if row.occluded is not None:
            joints[row.occluded, 2] = 1
        annotation["keypoints"] = joints.ravel().tolist()
        annotation["num_keypoints"] = int((scores > 0).sum())
        annotation["keypoint_scores"] = scores.tolist()
    if row.head_box is not None:
        annotation["bbox_head"] = _xywh(row.head_box)
    if row.visibility is not None:
        annotation["visibility"] = row.visibility
    return annotation


def _xywh(box: Sequence[float]) -> list[float]:
    return to_xywh(np.array([box], dtype=np.float64))[0].tolist()
