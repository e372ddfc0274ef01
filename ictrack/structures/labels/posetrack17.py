"""PoseTrack17's JSON: a file a video with ``annolist``, an entry a frame.

An entry has ``image`` {name}, ``is_labeled``, ``ignore_regions`` {point: {x, y}} and ``annorect``, its people:
``track_id``, ``x1, y1, x2, y2`` of the head, and ``annopoints`` {point: {id, x, y, score}} by the numbers of
``POSETRACK_15``. As MATLAB writes it, a number may stand in a list of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..atomic_file import new_folder, replacing
from ..describe import describe
from ..frame_tracks import VideoInfo
from ..joints import POSETRACK_15
from ..json_files import AnnotationError, is_finite, is_whole, read_json, require
from ..posetrack_json import sequence_name
from ..track_formats.rows import FrameFacts, LabeledVideo, Row
from .frames import files_of_videos, listed_frames, picture_path
from .label_set import LabelSet
from .posetrack import SUFFIXES

_HEAD = ("x1", "y1", "x2", "y2")


def read(path: Path) -> list[LabeledVideo]:
    """Videos of a folder of files, or of one file."""
    videos = []
    for file in files_of_videos(path, SUFFIXES):
        data = read_json(file)
        try:
            videos.append(_video(file, data))
        except AnnotationError as error:
            raise AnnotationError(f"{file}: {error}") from None
    return videos


def _video(path: Path, data: Any) -> LabeledVideo:
    entries = data.get("annolist") if isinstance(data, dict) else None
    require(isinstance(entries, list), "annolist", "must be a list of frames, as in PoseTrack17")
    assert isinstance(entries, list)
    info = VideoInfo(sequence_name(path.name), 0, 0, 0.0, (), (), POSETRACK_15.names)
    video = LabeledVideo(str(path), info, {1: "person"})
    folders = set()
    for index, entry in enumerate(entries):
        where = f"annolist[{index}]"
        require(isinstance(entry, dict), where, "must be an object")
        images = _items(entry.get("image"))
        name: Any = _one(images[0].get("name")) if images and isinstance(images[0], dict) else None
        require(isinstance(name, str) and bool(name), f"{where}.image", f"must have a name, not {describe(name)}")
        folders.add(str(PurePosixPath(name).parent))
        people = _items(entry.get("annorect"))
        labeled = _one(entry.get("is_labeled"))
        video.frames[index] = FrameFacts(
            PurePosixPath(name).name,
            is_labeled=bool(labeled) if labeled is not None else True,
            ignore_regions=tuple(_regions(entry.get("ignore_regions"), f"{where}.ignore_regions")),
        )
        for k, person in enumerate(people):
            video.add(index, _row(person, f"{where}.annorect[{k}]"))
    require(len(folders) < 2, "annolist", f"its images are in several folders: {describe(sorted(folders))}")
    video.folder = next(iter(folders), None)
    return video


def _row(person: Any, where: str) -> Row:
    require(isinstance(person, dict), where, "must be an object")
    track_id = _one(person.get("track_id"))
    require(is_whole(track_id), f"{where}.track_id", f"must be a whole number, not {describe(track_id)}")
    pose = np.zeros((len(POSETRACK_15), 3))
    for points in _items(person.get("annopoints")):
        for k, point in enumerate(_items(points.get("point") if isinstance(points, dict) else None)):
            place = f"{where}.annopoints.point[{k}]"
            require(isinstance(point, dict), place, "must be an object")
            joint, x, y, score = (_one(point.get(key)) for key in ("id", "x", "y", "score"))
            known = is_whole(joint) and 0 <= joint < len(pose) and is_finite(x) and is_finite(y)
            require(known, place, f"must have an id below {len(pose)} and finite x and y")
            require(score is None or is_finite(score), place, f"score must be a number, not {describe(score)}")
            pose[int(joint)] = x, y, 1.0 if score is None else score
    head = [_one(person.get(key)) for key in _HEAD]
    return Row(1, track_id=int(track_id), keypoints=pose, head_box=_box(head, where))


def _box(corners: Sequence[Any], where: str) -> tuple[float, ...] | None:
    if all(value is None for value in corners):
        return None
    require(all(map(is_finite, corners)), where, f"x1, y1, x2, y2 must be numbers, not {describe(corners)}")
    return tuple(map(float, corners))


def _regions(regions: Any, where: str) -> list[np.ndarray]:
    found = []
    for region in _items(regions):
        points = _items(region.get("point") if isinstance(region, dict) else None)
        values = [[_one(point.get(axis)) if isinstance(point, dict) else None for axis in "xy"] for point in points]
        good = all(is_finite(value) for pair in values for value in pair) and len(values) >= 3
        require(good, where, "a region must have at least 3 points of finite x and y")
        found.append(np.array(values, dtype=np.float64))
    return found


def _items(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _one(value: Any) -> Any:
    """A number or name, which may stand in a list; None if it is missing."""
    return (value[0] if value else None) if isinstance(value, list) else value


def write(path: Path, labels: LabelSet) -> None:
    """Write a file, for one video under a name with the suffix, or else a folder of files."""
    if path.suffix == SUFFIXES[0] and len(labels.videos) == 1:
        _write(path, labels.videos[0])
        return
    with new_folder(path) as part:
        for video in labels.videos:
            _write(part / f"{video.info.name}{SUFFIXES[0]}", video)


def _write(path: Path, video: LabeledVideo) -> None:
    entries = []
    for number, index in enumerate(listed_frames(video), 1):
        facts = video.facts(index)
        entry: dict[str, Any] = {"image": [{"name": picture_path(video, index)}], "imgnum": [number]}
        entry["is_labeled"] = [int(facts.is_labeled)]
        entry["annorect"] = [_person(row) for row in video.rows.get(index, ())]
        if facts.ignore_regions:
            points = [[{"x": [x], "y": [y]} for x, y in region.tolist()] for region in facts.ignore_regions]
            entry["ignore_regions"] = [{"point": region} for region in points]
        entries.append(entry)
    with replacing(path) as file:
        file.write(json.dumps({"annolist": entries}).encode("ascii"))


def _person(row: Row) -> dict[str, Any]:
    assert row.keypoints is not None
    has_scores = not set(row.keypoints[:, 2].tolist()) <= {0.0, 1.0}
    points = [
        {"id": [joint], "x": [x], "y": [y], **({"score": [score]} if has_scores else {})}
        for joint, (x, y, score) in enumerate(row.keypoints.tolist())
        if score > 0
    ]
    head = {} if row.head_box is None else {key: [value] for key, value in zip(_HEAD, row.head_box)}
    return {"track_id": [row.track_id], **head, "annopoints": [{"point": points}]}
