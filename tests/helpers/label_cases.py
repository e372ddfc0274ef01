"""Random labels of sets of videos, and their comparison, for round trips through file formats."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from track_cases import HEIGHT, WIDTH, random_frame

from ictrack.structures.frame_tracks import VideoInfo
from ictrack.structures.joints import COCO_17
from ictrack.structures.labels import LABEL_FORMATS, LabelSet, label_set
from ictrack.structures.track_formats.rows import FrameFacts, LabeledVideo, rows_of

CLASSES = {1: "person", 18: "dog"}


@st.composite
def label_sets(
    draw, *, masks=None, poses=None, joints=COCO_17, boxes=True, separate=False, classes=None, kinds=False, stills=False
):
    """Labels of one to three videos of one to four frames with up to four tracks.

    Args:
        masks, poses: Whether there are any; None: either.
        joints: Joints of the poses.
        boxes: Whether boxes may differ from those of masks and poses.
        separate: Whether no pixel belongs to two masks, and no mask is empty.
        classes: Names of the classes by ids.
        stills: Whether there is one video whose pictures have no folder, and no identities.
        kinds: Whether objects of one set may be masks, poses or boxes, each one of them.
    """
    masks = draw(st.booleans()) if masks is None else masks
    poses = draw(st.booleans()) if poses is None else poses
    classes = classes or CLASSES
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    videos = []
    for number in range(1 if stills else draw(st.integers(1, 3))):
        names = joints.names if poses else ()
        info = VideoInfo(
            "labels" if stills else f"clip{number}", HEIGHT, WIDTH, 25.0, tuple(classes.values()), tuple(classes), names
        )
        video = LabeledVideo("made up", VideoInfo(info.name, HEIGHT, WIDTH, 25.0, (), (), names), dict(classes))
        video.folder = "." if stills else None
        class_of = rng.integers(0, len(classes), 8)
        for index in range(draw(st.integers(1, 4))):
            frame = random_frame(rng, index, draw(st.integers(0, 4)), masks, len(joints) if poses else 0, separate)
            frame.classes[:] = 0 if frame.ids is None else class_of[frame.ids]
            frame.scores[:] = 1
            video.frames[index] = FrameFacts(f"{index:05d}.jpg")
            for row in rows_of(frame, info):
                row = made_simple(row, rng, boxes, kinds, joints is not COCO_17)
                row.track_id = None if stills else row.track_id
                if row.keypoints is not None and not row.keypoints[:, 2].any():
                    continue  # formats of poses take people with joints only
                video.add(index, row)
        videos.append(video)
    return label_set("made up", videos)


def made_simple(row, rng, boxes, kinds, joint_facts):
    kind = int(rng.integers(0, 3)) if kinds else None
    if kind in (1, 2):
        row.rle = None
    if kind in (0, 2):
        row.keypoints = None
    if row.keypoints is not None:
        row.keypoints[:, 2] = row.keypoints[:, 2] > 0
        row.keypoints[:, :2] *= row.keypoints[:, 2:]
        if joint_facts:
            row.occluded = (row.keypoints[:, 2] > 0) & (rng.random(len(row.keypoints)) < 0.3)
            row.head_box = tuple(row.extent())
    if not boxes and (row.rle is not None or row.keypoints is not None):
        row.box = None
    return row


def values_of(labels: LabelSet, *fields: str) -> dict:
    """Values of the named fields of all objects, by video, frame and identity, or else position."""
    return {
        video.info.name: {
            index: sorted(
                [values_of_row(row, labels, fields) for row in video.rows.get(index, ())],
                key=lambda values: repr(values),
            )
            for index in video.indices()
            if video.rows.get(index)
        }
        for video in labels.videos
    }


def values_of_row(row, labels, fields):
    known = {
        "ids": row.track_id,
        "masks": row.rle,
        "boxes": tuple(row.extent()),
        "poses": None if row.keypoints is None else present_joints(row, labels.joint_names),
        "classes": labels.categories[int(row.category)],
        "crowds": row.is_crowd,
        "scores": row.score,
        "hidden": () if row.occluded is None else tuple(np.flatnonzero(row.occluded).tolist()),
        "heads": row.head_box and tuple(row.head_box),
    }
    return tuple(known[field] for field in fields)


def present_joints(row, names):
    """Coordinates and score by name of each joint that is there."""
    return {name: tuple(joint) for name, joint in zip(names, row.keypoints.tolist()) if joint[2] > 0}


def frame_names(labels: LabelSet) -> dict:
    """Names of all pictures by video and frame."""
    return {
        video.info.name: {index: video.facts(index).file_name for index in video.indices()} for video in labels.videos
    }


def small_labels(name: str) -> LabelSet:
    """Labels of one video of two frames that a format can hold."""
    target = LABEL_FORMATS[name]
    has_poses = "poses" in target.needs
    joints = (target.joints or COCO_17).names if has_poses else ()
    rng = np.random.default_rng(0)
    video = LabeledVideo("made up", VideoInfo("clip", HEIGHT, WIDTH, 25.0, (), (), joints), folder="clip")
    video.categories = {1: target.only_class or "dog"}
    info = VideoInfo("clip", HEIGHT, WIDTH, 25.0, (target.only_class or "dog",), (1,), joints)
    for index in range(2):
        video.frames[index] = FrameFacts(f"{index:05d}.jpg")
        frame = random_frame(rng, index, 2, "masks" in target.needs, len(joints), separate=True)
        frame.classes[:], frame.scores[:] = 0, 1
        for row in rows_of(frame, info):
            row = made_simple(row, rng, boxes=not target.needs, kinds=False, joint_facts=False)
            row.track_id = row.track_id if "ids" in target.holds else None
            video.add(index, row)
    return label_set("made up", [video])
