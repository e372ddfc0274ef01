"""Checks of YouTube-VIS's format: videos, and annotations with an entry a frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ictrack.structures.json_files import is_finite

from .defects import Defects, Subject
from .entries import Entry, by_id, check_box, check_categories, check_flag, check_size, entries_of, is_known
from .images import ImageFiles, check_order
from .masks import MaskChecks
from .motion import JumpChecks

# Lists with an entry a frame.
_LISTS = ("segmentations", "bboxes", "areas")


def lint_youtube_vis(data: Mapping[str, Any], files: ImageFiles, defects: Defects) -> str:
    """Check a file's content; returns what it holds, in words."""
    videos = entries_of(data, "videos", defects)
    categories = entries_of(data, "categories", defects)
    known_videos, known_categories = by_id(videos, defects), by_id(categories, defects)
    num_frames = sum(_check_video(video, where, files, defects) for where, video in videos)
    annotations = [] if data.get("annotations") is None else entries_of(data, "annotations", defects)
    if 0 in by_id(annotations, defects):
        defects.warning("id", "annotations", "0 is the id of one, which the official evaluation takes for no match")
    check_categories(categories, annotations, defects)
    jumps = JumpChecks(defects)
    masks = MaskChecks(defects, jumps)
    for where, annotation in annotations:
        video: Entry = {}
        if is_known(annotation.get("video_id"), known_videos, f"{where}.video_id", defects):
            video = known_videos[annotation["video_id"]]
        is_known(annotation.get("category_id"), known_categories, f"{where}.category_id", defects)
        check_flag(annotation, "iscrowd", where, defects)
        _check_track(annotation, video, where, masks, jumps, files, defects)
    masks.finish()
    jumps.finish()
    frames = f"{len(videos)} videos of {num_frames} frames"
    return f"YouTube-VIS: {frames}, {len(annotations)} tracks, {len(categories)} categories"


def _check_video(video: Entry, where: str, files: ImageFiles, defects: Defects) -> int:
    """Check a video; returns its number of frames."""
    size = check_size(video, where, defects)
    names = video.get("file_names")
    good = isinstance(names, list) and bool(names) and all(isinstance(name, str) for name in names)
    if not defects.require(good, "name", f"{where}.file_names", "must be a list of names, not {}", names):
        return 0
    assert isinstance(names, list)
    length = video.get("length", len(names))
    text = "is {}, there are {} file_names"
    defects.require(length == len(names), "length", f"{where}.length", text, length, len(names))
    check_order(names, f"{where}.file_names", defects)
    for i, name in enumerate(names):
        files.check(name, size, f"{where}.file_names[{i}]", defects)
    return len(names)


def _check_track(
    track: Entry,
    video: Entry,
    where: str,
    masks: MaskChecks,
    jumps: JumpChecks,
    files: ImageFiles,
    defects: Defects,
) -> None:
    names = video.get("file_names")
    size = check_size(video, where, Defects()) if video else None
    lists: dict[str, list[Any]] = {}
    for key in _LISTS:
        values = track.get(key)
        if values is None:
            continue
        if not defects.require(isinstance(values, list), "length", f"{where}.{key}", "must be a list"):
            continue
        if isinstance(names, list):
            text = "has {} entries, the video has {} frames"
            defects.require(len(values) == len(names), "length", f"{where}.{key}", text, len(values), len(names))
        lists[key] = values
    has_shapes = "segmentations" in lists or "bboxes" in lists
    if not defects.require(has_shapes, "structure", where, "has neither masks nor boxes"):
        return
    shown = {key: {i for i, value in enumerate(values) if value is not None} for key, values in lists.items()}
    defects.require(any(shown.values()), "track", where, "is in no frame")
    frames = next(iter(shown.values()))
    for key, others in shown.items():
        if differing := sorted(others ^ frames):
            first = next(iter(shown))
            text = f"entries that are null differ from those of {first}, such as [{differing[0]}]"
            defects.error("track", f"{where}.{key}", text)
    areas = lists.get("areas", [])
    for i in sorted(shown.get("segmentations", ())):
        area = areas[i] if i < len(areas) else None
        defects.subject = _subject(track, names, i, files)
        box = lists["bboxes"][i] if i in shown.get("bboxes", ()) else None
        moment = None if box is not None or track.get("iscrowd") else (where, i)
        masks.add(lists["segmentations"][i], size, f"{where}.segmentations[{i}]", area, moment, box)
    for i in sorted(shown.get("bboxes", ())):
        defects.subject = _subject(track, names, i, files)
        check_box(lists["bboxes"][i], size, f"{where}.bboxes[{i}]", defects)
        if not track.get("iscrowd"):
            jumps.add(where, i, lists["bboxes"][i], f"{where}.bboxes[{i}]")
    for i in sorted(shown.get("areas", ())):
        good = is_finite(areas[i]) and areas[i] >= 0
        defects.require(good, "area", f"{where}.areas[{i}]", "must be a number of pixels, not {}", areas[i])
    defects.subject = None


def _subject(track: Entry, names: Any, frame: int, files: ImageFiles) -> Subject | None:
    """Picture of a frame, and the track's box or else its mask's."""
    if not isinstance(names, list) or frame >= len(names):
        return None
    boxes = track.get("bboxes")
    return files.subject(names[frame], boxes[frame] if isinstance(boxes, list) and frame < len(boxes) else None)
