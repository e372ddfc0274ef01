"""SLEAP's ``.slp``, through ``sleap-io``: poses, tracks and scores, without classes.

A video whose pictures have names of their own is a list of them, from which :func:`.frame_indices` tells the frames.
Another one is called ``<video>.mp4``, and its frames have the numbers that they have here; SLEAP asks where it is. In
SLEAP, the center of the first pixel is (0, 0), and not (0.5, 0.5) as here. A track whose name ends in a number has this
number for an identity, unless two have the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ..atomic_file import replacing_path
from ..frame_numbers import Numbering, frame_indices
from ..frame_tracks import VideoInfo
from ..hdf5_heaps import check_hdf5_heaps
from ..hdf5_trial import try_hdf5
from ..json_files import AnnotationError, require
from ..track_formats.boxes import offset_between
from ..track_formats.rows import FrameFacts, LabeledVideo, Row
from .frames import default_name, picture_path
from .label_set import LabelSet

SHIFT = 0.5
CLASS = "animal"


def read(path: Path) -> list[LabeledVideo]:
    """Videos of a file."""
    import sleap_io

    def read_file() -> Any:
        check_hdf5_heaps(path)
        try_hdf5(path)
        return sleap_io.load_slp(str(path), open_videos=False)

    return videos_of(load(read_file, path), path)


def load(read_file: Any, path: Path) -> Any:
    """Labels that a reader of ``sleap-io`` gives. Raises AnnotationError, with the file, if it fails."""
    with path.open("rb"):  # an error of the file itself
        pass
    try:
        return read_file()
    except Exception as error:  # of HDF5, JSON and tables, of many kinds
        raise AnnotationError(f"{path}: cannot be read: {type(error).__name__}: {error}") from error


def videos_of(labels: Any, path: Path) -> list[LabeledVideo]:
    """Videos of ``sleap_io.Labels`` with poses."""
    require(len(labels.skeletons) < 2, str(path), f"has {len(labels.skeletons)} skeletons; only one can be converted")
    joints = tuple(labels.skeletons[0].node_names) if labels.skeletons else ()
    identities = _identities([track.name for track in labels.tracks])
    found: dict[int, tuple[LabeledVideo, dict[int, int]]] = {}  # with frame indices by the positions of pictures
    for number, source in enumerate(labels.videos):
        names = source.filename if isinstance(source.filename, list) else []
        first = str(names[0] if names else source.filename or f"video {number}").replace("\\", "/")
        name = PurePath(first).parent.name if names else PurePath(first).stem
        shape = source.shape or (0, 0, 0, 0)
        info = VideoInfo(name or f"video {number}", int(shape[1]), int(shape[2]), 0.0, (), (), joints)
        video = LabeledVideo(str(path), info, {1: CLASS})
        indices, video.numbering = frame_indices(names) if names else ([], Numbering.STATED)
        files = (PurePath(str(file).replace("\\", "/")).name for file in names)
        video.frames = {index: FrameFacts(file) for index, file in zip(indices, files)}
        found[id(source)] = video, dict(enumerate(indices))
    for frame in labels.labeled_frames:
        video, index_of = found[id(frame.video)]
        index = index_of.get(int(frame.frame_idx), int(frame.frame_idx))
        video.frames.setdefault(index, FrameFacts())
        for instance in frame.instances:
            points = instance.numpy()
            present = np.isfinite(points).all(axis=1)
            scores = np.ones(len(points))
            if hasattr(instance, "point_scores") or hasattr(instance, "score"):
                scores = np.asarray(instance.points["score"], dtype=np.float64)
            pose = np.column_stack([np.nan_to_num(points) + SHIFT, scores]) * present[:, None]
            track_id = None if instance.track is None else identities[instance.track.name]
            row = Row(1, float(getattr(instance, "score", 1.0)), track_id=track_id, keypoints=pose)
            if present.any():
                video.add(index, row)
    return [video for video, _ in found.values()]


def _identities(names: Sequence[str]) -> dict[str, int]:
    stated = [int(match[1]) if (match := re.search(r"(\d{1,9})$", name)) else None for name in names]
    if None in stated or len(set(stated)) < len(names):
        stated = list(range(len(names)))
    return {name: number for name, number in zip(names, stated) if number is not None}


def write(path: Path, labels: LabelSet) -> None:
    import sleap_io

    made = labels_of(labels, with_pictures=True)
    with replacing_path(path) as part:
        # sleap-io chooses by the suffix, which the hidden file beside it does not have.
        own = part.with_name(f"{part.name}.slp")
        try:
            sleap_io.save_slp(made, str(own), embed=False, verbose=False)
            own.replace(part)
        finally:
            own.unlink(missing_ok=True)


def labels_of(labels: LabelSet, *, with_pictures: bool) -> Any:
    """``sleap_io.Labels`` of labels.

    Args:
        labels: Labels.
        with_pictures: Whether videos of pictures that have names of their own are lists of these.
    """
    import sleap_io

    skeleton = sleap_io.Skeleton(list(labels.joint_names), name=CLASS)
    tracks: dict[int, Any] = {}
    videos, frames = [], []
    for video in labels.videos:
        indices = video.indices()
        has_names = any(video.facts(index).file_name not in ("", default_name(index)) for index in indices)
        pictures = [picture_path(video, index) for index in indices] if with_pictures and has_names else []
        source = _video(video, pictures)
        videos.append(source)
        for number, index in enumerate(indices) if pictures else zip(indices, indices):
            instances = [_instance(row, skeleton, tracks) for row in video.rows.get(index, ())]
            frames.append(sleap_io.LabeledFrame(video=source, frame_idx=number, instances=instances))
    return sleap_io.Labels(
        frames, videos=videos, skeletons=[skeleton], tracks=[tracks[number] for number in sorted(tracks)]
    )


def _video(video: LabeledVideo, pictures: Sequence[str]) -> Any:
    """``sleap_io.Video`` of a list of pictures, or without them, of a file."""
    import sleap_io

    height, width = video.info.height, video.info.width
    length = len(pictures) or max(video.indices(), default=-1) + 1
    facts: dict[str, Any] = {"shape": [length, height, width, 3]}
    if pictures:
        facts.update(type="ImageVideo", filename=pictures[0], filenames=list(pictures))
        facts.update(height_=height, width_=width, channels_=3)
    files = list(pictures) if pictures else f"{video.info.name}.mp4"
    return sleap_io.Video(files, backend_metadata=facts, open_backend=False)


def _instance(row: Row, skeleton: Any, tracks: dict[int, Any]) -> Any:
    import sleap_io

    assert row.keypoints is not None
    if row.track_id is not None and row.track_id not in tracks:
        tracks[row.track_id] = sleap_io.Track(f"track_{row.track_id}")
    track = None if row.track_id is None else tracks[row.track_id]
    scores = row.keypoints[:, 2]
    points = np.where(scores[:, None] > 0, offset_between(SHIFT, row.keypoints[:, :2]), np.nan)
    if row.score == 1 and set(scores.tolist()) <= {0.0, 1.0}:
        return sleap_io.Instance.from_numpy(points, skeleton, track=track)
    return sleap_io.PredictedInstance.from_numpy(points, skeleton, scores, row.score, track=track)
