"""YouTube-VIS JSON: a self-contained file of annotations, which can be registered as (pseudo-)labels::

    {"videos": [{"id": 1, "width", "height", "length", "fps", "times": [seconds, ...], "file_names": [...]}],
     "categories": [{"id", "name"}, ...],
     "annotations": [{"id", "track_id", "video_id", "category_id", "score", "iscrowd", "height", "width", "length",
                      "segmentations": [RLE or null, ...], "bboxes": [[x, y, w, h] or null, ...],
                      "areas": [pixels or null, ...]}, ...]}

Where a video's frames are not all from the first one on, its ``frame_indices`` are their numbers.
``track_id`` is the identity, ``id`` is ``track_id`` + 1 (the official tools take id 0 for "no match"). ``annotations``
are entries of a results file with more keys: a track has one class and one score, the mean of its detections', and its
boxes are those of its masks. Poses, and the detections' own boxes, scores and classes are not held.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pycocotools import mask as mask_util

from ..describe import describe
from ..frame_numbers import Numbering, frame_indices
from ..frame_tracks import FrameTracks, VideoInfo, VideoTracks
from ..json_files import AnnotationError, is_finite, is_int, read_json, require
from ..tracks import elected_class
from ..youtube_vis_json import check_ground_truth, normalize_segmentations, read_ground_truth, video_name
from ..youtube_vis_writer import write_youtube_vis
from .fields import with_fields
from .rows import LabeledVideo, Row, facts_of
from .spool import TrackSpool

logger = logging.getLogger(__name__)

_VIDEO_ID = 1


def write(path: str | os.PathLike, info: VideoInfo, frames: Iterable[FrameTracks]) -> None:
    """Write a video's tracks; the masks wait on the disk, not in memory.

    Raises:
        TrackFormatError: as :func:`with_fields`; identities and masks are needed.
    """
    fields, frames = with_fields(frames, path, needs=("ids", "masks"))
    if fields.poses:
        logger.info("%s: YouTube-VIS's format holds masks; poses are left out", path)
    indices: list[int] = []
    times: list[float] = []
    names: list[str] = []
    votes: dict[int, dict[int, float]] = {}
    with TrackSpool(Path(path).absolute().parent) as spool:
        for position, frame in enumerate(frames):
            indices.append(frame.index)
            names.append(f"{info.name}/{frame.file_name or f'{frame.index:05d}.jpg'}")
            times.append(round(info.frame_time(frame), 6))
            if not len(frame):
                continue
            assert frame.ids is not None and frame.rles is not None
            rows = zip(frame.ids.tolist(), frame.scores.tolist(), frame.classes.tolist(), frame.rles)
            for track_id, score, category, rle in rows:
                of_track = votes.setdefault(track_id, {})
                of_track[category] = of_track.get(category, 0.0) + score
                spool.add(track_id, json.dumps([position, score, rle["counts"]]).encode())
        num_classes = 1 + max((category for of_track in votes.values() for category in of_track), default=-1)
        size = {"height": info.height, "width": info.width, "length": len(names)}
        video = {"id": _VIDEO_ID, **size, "fps": info.fps, "times": times, "file_names": names, **numbers(indices)}
        data = {
            "videos": [video],
            "categories": info.categories(num_classes),
            "annotations": (
                _annotation(track_id, spool.items(track_id), info.category_id(elected_class(votes[track_id])), size)
                for track_id in spool.tracks
            ),
        }
        write_youtube_vis(path, data)


def numbers(indices: Sequence[int]) -> dict[str, list[int]]:
    """Key of a video's entry for the indices of its frames, unless these are their positions."""
    return {} if list(indices) == list(range(len(indices))) else {"frame_indices": list(indices)}


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


def read(path: str | os.PathLike, images: str | os.PathLike | None = None) -> list[VideoTracks]:
    """Videos of a file of annotations, or of a results file, whose videos have only numbers for names.

    An identity is an annotation's ``track_id``, or else its ``id``, or else its position. Crowds are left out.

    Args:
        path: File to read.
        images: File with the videos and categories of a results file.

    Raises:
        AnnotationError: the file is wrong; the message has its name and the JSON path.
        OSError: the file cannot be opened.
    """
    return [video.tracks() for video in read_labels(path, images)]


def read_labels(path: str | os.PathLike, images: str | os.PathLike | None = None) -> list[LabeledVideo]:
    """Objects of a file, see :func:`read`."""
    data = read_json(Path(path))
    content = None if images is None else read_ground_truth(Path(images))
    try:
        if not isinstance(data, list):
            check_ground_truth(data)
            return _videos(path, data, _tracks(data))
        results = [_result(result, i) for i, result in enumerate(data)]
        return _videos(path, content or _content(results), results)
    except AnnotationError as error:
        named = str(error).startswith(f"{path}: ")
        raise AnnotationError(str(error) if named else f"{path}: {error}") from None


def _tracks(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Annotations with ``where`` and ``track_id``."""
    tracks = []
    for i, annotation in enumerate(data.get("annotations") or ()):
        track_id = annotation.get("track_id", annotation["id"])
        require(is_int(track_id), f"annotations[{i}].track_id", f"must be an integer, not {describe(track_id)}")
        tracks.append({**annotation, "where": f"annotations[{i}]", "track_id": track_id})
    return tracks


def _result(result: Any, i: int) -> dict[str, Any]:
    """Result with ``where`` and ``track_id``, checked."""
    require(isinstance(result, dict), f"[{i}]", "must be an object")
    for key in ("video_id", "category_id"):
        require(is_int(result.get(key)), f"[{i}].{key}", f"must be an integer, not {describe(result.get(key))}")
    masks = result.get("segmentations")
    require(isinstance(masks, list), f"[{i}].segmentations", "must be a list with one entry a frame")
    require(all(isinstance(mask, (dict, type(None))) for mask in masks), f"[{i}].segmentations", "must be RLEs")
    return {**result, "where": f"[{i}]", "track_id": i}


def _content(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Videos and categories as far as results tell: numbers for names, 0 for unknown sizes."""
    videos: dict[int, dict[str, Any]] = {}
    for result in results:
        masks = result["segmentations"]
        height, width = next((mask["size"] for mask in masks if mask and "size" in mask), (0, 0))
        video = videos.setdefault(result["video_id"], {"id": result["video_id"], "height": 0, "width": 0})
        video.update(height=height or video["height"], width=width or video["width"])
        video["file_names"] = [""] * max(len(masks), len(video.get("file_names", ())))
    categories = sorted({result["category_id"] for result in results})
    return {
        "videos": list(videos.values()),
        "categories": [{"id": category, "name": f"class {category}"} for category in categories],
    }


def _videos(path: object, content: dict[str, Any], tracks: list[dict[str, Any]]) -> list[LabeledVideo]:
    """Videos of a file's content, with tracks."""
    categories = {category["id"]: category["name"] for category in content["categories"]}
    videos = {video["id"]: _video(path, video, categories) for video in content["videos"]}
    for track in tracks:
        for key, known in (("video_id", videos), ("category_id", categories)):
            require(track[key] in known, f"{track['where']}.{key}", f"{track[key]} is not the id of one in the file")
        video = videos[track["video_id"]]
        length, frames = len(track["segmentations"]), len(video.frames)
        where = f"{track['where']}.segmentations"
        require(length <= frames, where, f"has {length} entries, the video {frames} frames")
        _add(video, track)
    return list(videos.values())


def _video(path: object, video: dict[str, Any], categories: dict[int | str, str]) -> LabeledVideo:
    """Video of an entry, without tracks."""
    fps, times, file_names = video.get("fps", 0.0), video.get("times"), video["file_names"]
    require(is_finite(fps), f"video {video['id']}: fps", f"must be a number, not {describe(fps)}")
    named = all(file_names)
    name = video_name(video) if named and file_names else str(video["id"])
    info = VideoInfo(name, video["height"], video["width"], float(fps), (), ())
    folders = {str(PurePosixPath(file_name).parent) for file_name in file_names}
    folder = folders.pop() if named and len(folders) == 1 else None
    indices, numbering = _indices(video)
    names = dict(zip(indices, (PurePosixPath(file_name).name for file_name in file_names)))
    has_times = isinstance(times, list) and len(times) == len(names) and all(map(is_finite, times))
    by_index = dict(zip(indices, map(float, times))) if has_times and times else None
    return LabeledVideo(str(path), info, categories, facts_of(names, by_index), folder=folder, numbering=numbering)


def _indices(video: dict[str, Any]) -> tuple[list[int], Numbering]:
    """Indices of a video's frames, which are their positions unless it states them."""
    file_names, where = video["file_names"], f"video {video['id']}: frame_indices"
    positions = list(range(len(file_names)))
    indices = video.get("frame_indices", positions)
    good = isinstance(indices, list) and len(indices) == len(positions) and all(map(is_int, indices))
    require(good, where, "must be a list of an integer for each frame")
    require(indices == sorted(set(indices)) and min(indices, default=0) >= 0, where, "must ascend from 0 or more")
    is_clear = "frame_indices" in video or not all(file_names) or frame_indices(file_names)[0] == positions
    return indices, Numbering.STATED if is_clear else Numbering.ORDER


def _add(video: LabeledVideo, track: dict[str, Any]) -> None:
    """Add a track's masks to its video."""
    score = track.get("score", 1.0)
    require(is_finite(score), f"{track['where']}.score", f"must be a number, not {describe(score)}")
    present = [index for index, mask in enumerate(track["segmentations"]) if mask is not None]
    paths = [f"{track['where']}.segmentations[{index}]" for index in present]
    sizes = [(video.info.height, video.info.width)] * len(present)
    masks, _ = normalize_segmentations([track["segmentations"][i] for i in present], paths, sizes)
    is_crowd, indices = bool(track.get("iscrowd")), video.indices()
    for position, rle, path in zip(present, masks, paths):
        row = Row(track["category_id"], float(score), None, track["track_id"], rle, where=path, is_crowd=is_crowd)
        video.add(indices[position], row)
