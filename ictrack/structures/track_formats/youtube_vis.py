"""YouTube-VIS JSON: a self-contained file of annotations, which can be registered as (pseudo-)labels::

    {"videos": [{"id": 1, "width", "height", "length", "fps", "times": [seconds, ...], "file_names": [...]}],
     "categories": [{"id", "name"}, ...],
     "annotations": [{"id", "track_id", "video_id", "category_id", "score", "iscrowd", "height", "width", "length",
                      "segmentations": [RLE or null, ...], "bboxes": [[x, y, w, h] or null, ...],
                      "areas": [pixels or null, ...]}, ...]}

``track_id`` is the identity, ``id`` is ``track_id`` + 1 (the official tools take id 0 for "no match"). ``annotations``
are entries of a results file with more keys: a track has one class and one score, the mean of its detections', and its
boxes are those of its masks. Poses, and the detections' own boxes, scores and classes are not held.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pycocotools import mask as mask_util

from ..describe import describe
from ..frame_tracks import FrameTracks, VideoInfo, VideoTracks
from ..json_files import AnnotationError, is_finite, is_int, read_json, require
from ..rle import RLE
from ..tracks import elected_class
from ..youtube_vis_json import check_ground_truth, normalize_segmentations, video_name
from ..youtube_vis_writer import write_youtube_vis
from .fields import every_frame, with_fields
from .masks import checked_rles, tight_boxes
from .rows import Row, Rows
from .spool import TrackSpool

logger = logging.getLogger(__name__)

_VIDEO_ID = 1


def write(path: str | os.PathLike, info: VideoInfo, frames: Iterable[FrameTracks]) -> None:
    """Write a video's tracks; the masks wait on the disk, not in memory. Frames that are missing have no masks.

    Raises:
        TrackFormatError: as :func:`with_fields`; identities and masks are needed.
    """
    fields, frames = with_fields(frames, path, needs=("ids", "masks"))
    if fields.poses:
        logger.info("%s: YouTube-VIS's format holds masks; poses are left out", path)
    times: list[float] = []
    names: list[str] = []
    votes: dict[int, dict[int, float]] = {}
    with TrackSpool(Path(path).absolute().parent) as spool:
        for frame in every_frame(frames):
            names.append(f"{info.name}/{frame.file_name or f'{frame.index:05d}.jpg'}")
            times.append(round(info.frame_time(frame), 6))
            if not len(frame):
                continue
            assert frame.ids is not None and frame.rles is not None
            rows = zip(frame.ids.tolist(), frame.scores.tolist(), frame.classes.tolist(), frame.rles)
            for track_id, score, category, rle in rows:
                of_track = votes.setdefault(track_id, {})
                of_track[category] = of_track.get(category, 0.0) + score
                spool.add(track_id, json.dumps([frame.index, score, rle["counts"]]).encode())
        num_classes = 1 + max((category for of_track in votes.values() for category in of_track), default=-1)
        size = {"height": info.height, "width": info.width, "length": len(names)}
        video = {"id": _VIDEO_ID, **size, "fps": info.fps, "times": times, "file_names": names}
        data = {
            "videos": [video],
            "categories": info.categories(num_classes),
            "annotations": (
                _annotation(track_id, spool.items(track_id), info.category_id(elected_class(votes[track_id])), size)
                for track_id in spool.tracks
            ),
        }
        write_youtube_vis(path, data)


def _annotation(track_id: int, items: Iterator[bytes], category_id: int, size: dict[str, int]) -> dict[str, Any]:
    segmentations: list[dict[str, Any] | None] = [None] * size["length"]
    scores = []
    for index, score, counts in map(json.loads, items):
        scores.append(score)
        segmentations[index] = {"size": [size["height"], size["width"]], "counts": counts}
    return {
        "id": track_id + 1,
        "track_id": track_id,
        "video_id": _VIDEO_ID,
        "category_id": category_id,
        "score": sum(scores) / len(scores),
        "segmentations": segmentations,
        "iscrowd": 0,
        **size,
        "bboxes": [rle and mask_util.toBbox(rle).tolist() for rle in segmentations],
        "areas": [rle and int(mask_util.area(rle)) for rle in segmentations],
    }


def read(path: str | os.PathLike) -> list[VideoTracks]:
    """Videos of a file of annotations, or of a results file, whose videos have only numbers for names.

    An identity is an annotation's ``track_id``, or else its ``id``, or else its position. Crowds are left out.

    Raises:
        AnnotationError: the file is wrong; the message has its name and the JSON path.
        OSError: the file cannot be opened.
    """
    data = read_json(Path(path))
    try:
        return _read_results(path, data) if isinstance(data, list) else _read_annotations(path, data)
    except AnnotationError as error:
        raise AnnotationError(str(error) if str(error).startswith(f"{path}: ") else f"{path}: {error}") from None


def _read_annotations(path: str | os.PathLike, data: Any) -> list[VideoTracks]:
    check_ground_truth(data)
    rows = {video["id"]: Rows() for video in data["videos"]}
    videos = {video["id"]: video for video in data["videos"]}
    crowds = 0
    for i, annotation in enumerate(data.get("annotations") or ()):
        if annotation.get("iscrowd"):
            crowds += 1
            continue
        video = videos[annotation["video_id"]]
        track_id = annotation.get("track_id", annotation["id"])
        require(is_int(track_id), f"annotations[{i}].track_id", f"must be an integer, not {describe(track_id)}")
        _add(rows[video["id"]], annotation, f"annotations[{i}]", track_id, (video["height"], video["width"]))
    if crowds:
        logger.warning("%s: %d crowds, left out", path, crowds)
    categories = {category["id"]: category["name"] for category in data["categories"]}
    read = []
    for video_id, video in videos.items():
        fps = video.get("fps", 0.0)
        require(is_finite(fps), f"video {video_id}: fps", f"must be a number, not {describe(fps)}")
        info = VideoInfo(video_name(video), video["height"], video["width"], float(fps), (), ())
        names = {index: Path(name).name for index, name in enumerate(video["file_names"])}
        times = video.get("times")
        has_times = isinstance(times, list) and len(times) == len(names) and all(map(is_finite, times))
        by_index = dict(enumerate(map(float, times))) if has_times else None
        read.append(rows[video_id].video(path, info, categories, frame_names=names, times=by_index))
    return read


def _read_results(path: str | os.PathLike, data: list[Any]) -> list[VideoTracks]:
    rows: dict[int, Rows] = {}
    sizes: dict[int, tuple[int, int]] = {}
    lengths: dict[int, int] = {}
    for i, result in enumerate(data):
        require(isinstance(result, dict), f"[{i}]", "must be an object")
        for key in ("video_id", "category_id"):
            require(is_int(result.get(key)), f"[{i}].{key}", f"must be an integer, not {describe(result.get(key))}")
        masks = result.get("segmentations")
        require(isinstance(masks, list), f"[{i}].segmentations", "must be a list with one entry a frame")
        video_id = result["video_id"]
        lengths[video_id] = max(lengths.get(video_id, 0), len(masks))
        of_video = rows.setdefault(video_id, Rows())
        require(all(isinstance(mask, (dict, type(None))) for mask in masks), f"[{i}].segmentations", "must be RLEs")
        masks = _add(of_video, result, f"[{i}]", i, (0, 0))
        if masks:
            sizes[video_id] = tuple(masks[0]["size"])
    read = []
    for video_id, of_video in rows.items():
        height, width = sizes.get(video_id, (0, 0))
        info = VideoInfo(str(video_id), height, width, 0.0, (), ())
        read.append(of_video.video(path, info, frame_names=dict.fromkeys(range(lengths[video_id]), "")))
    return read


def _add(rows: Rows, entry: dict[str, Any], where: str, track_id: int, size: tuple[int, int]) -> list[RLE]:
    """Add a track's detections to the rows; returns their masks."""
    score = entry.get("score", 1.0)
    require(is_finite(score), f"{where}.score", f"must be a number, not {describe(score)}")
    present = [index for index, mask in enumerate(entry["segmentations"]) if mask is not None]
    if not present:
        return []
    paths = [f"{where}.segmentations[{index}]" for index in present]
    masks, _ = normalize_segmentations([entry["segmentations"][i] for i in present], paths, [size] * len(present))
    masks = checked_rles(masks, where)
    boxes = tight_boxes(masks).tolist()
    for index, rle, box in zip(present, masks, boxes):
        rows.add(index, Row(entry["category_id"], float(score), tuple(box), track_id, rle))
    return masks
