"""COCO JSON of any number of videos, or of stills; see :mod:`ictrack.structures.track_formats.coco`."""

from __future__ import annotations

from pathlib import Path

from ..track_formats.coco import open_coco, read_labels, with_joints
from ..track_formats.rows import LabeledVideo
from .frames import listed_frames, picture_path
from .label_set import LabelSet


def read(path: Path) -> list[LabeledVideo]:
    """Videos of a file: its folders of images, or the videos that it numbers."""
    return read_labels(path)


def write(path: Path, labels: LabelSet) -> None:
    categories = [{"id": number, "name": name} for number, name in labels.categories.items()]
    with open_coco(path) as content:
        content.categories = with_joints(categories, labels.joint_names)
        for number, video in enumerate(labels.videos, 1):
            for index in listed_frames(video):
                rows = video.rows.get(index, ())
                content.add(index, picture_path(video, index), video.facts(index), rows, number)
