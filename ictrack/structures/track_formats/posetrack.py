"""PoseTrack18 JSON, which ``ictrack evaluate posetrack`` and poseval read.

``images`` {id, frame_id, file_name} of all frames, the one category ``person`` with the names of its joints, and
``annotations`` {image_id, category_id, track_id, keypoints [x, y, 1 or 0 for a missing joint, ...], scores}. Poses are
converted to PoseTrack's joints: of COCO's, the eyes are lost, and neck and top of the head are derived. Joints of score
0 are missing. Boxes, masks, classes and scores of whole people are not held.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..atomic_file import replacing
from ..frame_numbers import frame_indices
from ..frame_tracks import FrameTracks, VideoInfo, VideoTracks
from ..joints import JOINT_SETS, POSETRACK_15, POSETRACK_18, JointSet, convert_keypoints, joint_set_of
from ..json_files import AnnotationError
from ..posetrack_json import MAX_TRACK_ID, MISSING_SCORE, read_pose_sequence
from .fields import TrackFormatError, with_fields
from .rows import pose_box

logger = logging.getLogger(__name__)

PERSON_CATEGORY_ID = 1


def person_keypoints(keypoints: np.ndarray) -> tuple[list[float], list[float]]:
    """``keypoints`` and ``scores`` of an annotation, of a pose (K, 3) x, y, score; joints of score 0 are missing."""
    is_there = keypoints[:, 2] != 0
    written = np.where(is_there[:, None], keypoints, 0.0)
    scores = written[:, 2].tolist()
    written[:, 2] = is_there
    return written.ravel().tolist(), scores


def write(path: str | os.PathLike, info: VideoInfo, frames: Iterable[FrameTracks]) -> None:
    """Write a video's tracks, frame by frame.

    Raises:
        TrackFormatError: the joints are those of no known set, there are more than ``MAX_TRACK_ID`` identities, or as
            :func:`with_fields`; identities and poses are needed.
    """
    fields, frames = with_fields(frames, path, needs=("ids", "poses"))
    source = _joint_set(info, path)
    if fields.masks:
        logger.info("%s: PoseTrack's format holds poses; masks are left out", path)
    images = []
    num_people = 0
    with replacing(path) as file:
        file.write(b'{"annotations": [')
        for frame in frames:
            name = frame.file_name or f"{frame.index:05d}.jpg"
            images.append({"id": frame.index, "frame_id": frame.index, "file_name": f"images/{info.name}/{name}"})
            for person in _people(frame, source, path):
                file.write(("," if num_people else "").encode() + b"\n" + json.dumps(person).encode("ascii"))
                num_people += 1
        category = {"id": PERSON_CATEGORY_ID, "name": "person", "keypoints": list(POSETRACK_18.names)}
        file.write(f'\n],\n"images": {json.dumps(images)},\n"categories": [{json.dumps(category)}]}}\n'.encode("ascii"))


def _joint_set(info: VideoInfo, path: object) -> JointSet:
    joints = joint_set_of(info.joint_names) if info.joint_names else POSETRACK_18
    if joints.name not in JOINT_SETS:
        raise TrackFormatError(f"{path}: PoseTrack's joints cannot be made of {', '.join(info.joint_names)}")
    return joints


def _people(frame: FrameTracks, source: JointSet, path: object) -> Iterable[dict[str, Any]]:
    if not len(frame):
        return
    assert frame.ids is not None and frame.keypoints is not None
    for track_id, pose in zip(frame.ids.tolist(), convert_keypoints(frame.keypoints, source, POSETRACK_18)):
        if not 0 <= track_id < MAX_TRACK_ID:
            raise TrackFormatError(f"{path}: identity {track_id}; PoseTrack's are from 0 to {MAX_TRACK_ID - 1}")
        keypoints, scores = person_keypoints(pose)
        yield {
            "image_id": frame.index,
            "category_id": PERSON_CATEGORY_ID,
            "track_id": track_id,
            "keypoints": keypoints,
            "scores": scores,
        }


def read(path: str | os.PathLike) -> list[VideoTracks]:
    """The file's one video, in the joints of ``POSETRACK_15``; a person's score is the mean of the joints'.

    Raises:
        AnnotationError: the file is wrong; the message has its name and the JSON path.
    """
    sequence = read_pose_sequence(Path(path), is_ground_truth=False)
    scores = np.where(sequence.has_scores[:, None] & (sequence.scores != MISSING_SCORE), sequence.scores, 1.0)
    keypoints = np.concatenate([sequence.keypoints, np.where(sequence.present, scores, 0.0)[..., None]], axis=2)
    counts = np.maximum(sequence.present.sum(axis=1), 1)
    person_scores = keypoints[..., 2].sum(axis=1) / counts
    boxes = np.array([pose_box(pose) for pose in keypoints]).reshape(-1, 4)
    frames = []
    indices, numbering = frame_indices(sequence.file_names)
    for position in np.argsort(indices).tolist():
        people = np.flatnonzero(sequence.frames == position)
        index, file_name = indices[position], sequence.file_names[position]
        try:
            frame = FrameTracks(
                index,
                person_scores[people],
                np.zeros(len(people), dtype=np.int64),
                boxes[people],
                sequence.track_ids[people],
                None,
                keypoints[people],
                PurePosixPath(file_name).name,
            )
        except ValueError as error:
            raise AnnotationError(f"{path}: {error}") from None
        frames.append(frame)
    name = PurePosixPath(sequence.file_names[0]).parent.name if sequence.file_names else ""
    info = VideoInfo(name or sequence.name, 0, 0, 0.0, ("person",), (PERSON_CATEGORY_ID,), POSETRACK_15.names)
    return [VideoTracks(info, frames, numbering)]
