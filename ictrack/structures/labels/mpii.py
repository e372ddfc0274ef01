"""MPII Human Pose as released (``.mat``): stills, see :mod:`ictrack.structures.mpii_mat`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..frame_tracks import VideoInfo
from ..joints import MPII_16
from ..mpii_mat import Person, Picture, read_mpii_mat, write_mpii_mat
from ..track_formats.rows import FrameFacts, LabeledVideo, Row
from .frames import listed_frames, picture_path
from .label_set import LabelSet


def read(path: Path) -> list[LabeledVideo]:
    """The images of a file, as frames of one video."""
    info = VideoInfo(path.stem, 0, 0, 0.0, (), (), MPII_16.names)
    video = LabeledVideo(str(path), info, {1: "person"}, folder=".")
    for index, picture in enumerate(read_mpii_mat(path)):
        video.frames[index] = FrameFacts(picture.name, is_labeled=picture.is_labeled)
        for person in picture.people:
            hidden = person.pose[:, 2] == 1
            pose = np.column_stack([person.pose[:, :2], person.pose[:, 2] > 0])
            row = Row(1, keypoints=pose, occluded=hidden if hidden.any() else None, head_box=person.head_box)
            video.add(index, row)
    return [video]


def write(path: Path, labels: LabelSet) -> None:
    pictures = [
        Picture(
            picture_path(video, index),
            video.facts(index).is_labeled,
            [_person(row) for row in video.rows.get(index, ()) if row.keypoints is not None],
        )
        for video in labels.videos
        for index in listed_frames(video)
    ]
    write_mpii_mat(path, pictures)


def _person(row: Row) -> Person:
    assert row.keypoints is not None
    pose = np.column_stack([row.keypoints[:, :2], 2.0 * (row.keypoints[:, 2] > 0)])
    if row.occluded is not None:
        pose[row.occluded, 2] = 1
    return Person(pose, None if row.head_box is None else tuple(row.head_box))
