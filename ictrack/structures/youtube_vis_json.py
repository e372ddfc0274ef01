"""The YouTube-VIS file format (2019, 2021, 2022, OVIS), read with errors that say where the file is wrong.

Ground truth: ``videos`` {id, height, width, length, file_names}, ``categories`` {id, name} and, but for test sets,
``annotations`` {id, video_id, category_id, iscrowd, segmentations, bboxes, areas}, the last three with one entry a
frame or null. A segmentation is an RLE (string or run list) or a list of polygons [x1, y1, x2, y2, ...].
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as mask_util

from .rle import RLE, RLEError, decode_runs, encode_runs

# pycocotools walks along a polygon's edges pixel by pixel: a coordinate beyond this is damage, and would hang it.
MAX_COORDINATE = 1e6


class AnnotationError(ValueError):
    """A file that is not of the format. The message names the file, if there is one, and the JSON path."""


def read_json(path: str | Path) -> Any:
    """The content of a ``.json`` or ``.json.gz`` file.

    Raises:
        AnnotationError: the file is damaged, cut short or no JSON.
        OSError: it cannot be opened.
    """
    path = Path(path)
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            return json.loads(file.read().decode("utf-8"))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise AnnotationError(f"{path}: not valid JSON, {where}: {error.msg}") from None
    except (UnicodeDecodeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise AnnotationError(f"{path}: damaged file: {error}") from None
    except RecursionError:
        raise AnnotationError(f"{path}: not valid JSON: nested too deeply") from None


def read_ground_truth(path: str | Path) -> dict[str, Any]:
    """A ground-truth file, checked by :func:`check_ground_truth`.

    Raises:
        AnnotationError: with the file's name and the JSON path of the first problem.
        OSError: it cannot be opened.
    """
    data = read_json(path)
    try:
        check_ground_truth(data)
    except AnnotationError as error:
        raise AnnotationError(f"{path}: {error}") from None
    return data


def is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def require(condition: bool, path: str, expected: str) -> None:
    if not condition:
        raise AnnotationError(f"{path}: {expected}")


def index_by_id(entries: Any, path: str) -> dict[int, dict[str, Any]]:
    """``entries`` by their ``id``. Raises AnnotationError unless they are objects with unique integer ids."""
    require(isinstance(entries, list), path, "must be a list")
    by_id: dict[int, dict[str, Any]] = {}
    for i, entry in enumerate(entries):
        where = f"{path}[{i}]"
        require(isinstance(entry, dict), where, "must be an object")
        require(is_int(entry.get("id")), f"{where}.id", f"must be an integer, not {entry.get('id')!r}")
        require(entry["id"] not in by_id, f"{where}.id", f"{entry['id']} is used twice")
        by_id[entry["id"]] = entry
    return by_id


def check_ground_truth(data: Any) -> None:
    """Check the structure of a ground truth: keys, types, unique ids, references, one entry a frame.

    Encodings of masks are not opened here; :func:`normalize_segmentations` checks those it reads.

    Raises:
        AnnotationError: with the JSON path of the first problem.
    """
    require(isinstance(data, dict), "$", "must be an object with videos, categories and annotations")
    videos = index_by_id(data.get("videos"), "videos")
    categories = index_by_id(data.get("categories"), "categories")
    for i, category in enumerate(data["categories"]):
        require(isinstance(category.get("name"), str), f"categories[{i}].name", "must be a string")
    for i, video in enumerate(data["videos"]):
        for key in ("height", "width"):
            value = video.get(key)
            require(is_int(value) and value > 0, f"videos[{i}].{key}", f"must be a positive integer, not {value!r}")
        names = video.get("file_names")
        require(
            isinstance(names, list) and all(isinstance(name, str) for name in names),
            f"videos[{i}].file_names",
            "must be a list of strings",
        )
        length = video.get("length", len(names))
        require(
            is_int(length) and length == len(names) > 0,
            f"videos[{i}].length",
            f"is {length!r}, but there are {len(names)} file_names",
        )
    annotations = data.get("annotations")
    if annotations is None:
        return
    index_by_id(annotations, "annotations")
    for i, annotation in enumerate(annotations):
        where = f"annotations[{i}]"
        for key, known in (("video_id", videos), ("category_id", categories)):
            value = annotation.get(key)
            require(is_int(value) and value in known, f"{where}.{key}", f"{value!r} is not the id of one in the file")
        length = len(videos[annotation["video_id"]]["file_names"])
        for key in ("segmentations", "bboxes", "areas"):
            values = annotation.get(key)
            if values is None and key != "segmentations":
                continue
            require(isinstance(values, list), f"{where}.{key}", "must be a list with one entry a frame")
            require(len(values) == length, f"{where}.{key}", f"has {len(values)} entries, the video {length} frames")


def normalize_segmentations(
    segmentations: Sequence[Any], paths: Sequence[str], sizes: Sequence[tuple[int, int]]
) -> tuple[list[RLE], np.ndarray]:
    """RLEs that pycocotools can be trusted with, of N non-null segmentations in any of the format's forms.

    Args:
        segmentations: RLEs with string or list counts, or lists of polygons.
        paths: (N,) JSON path of each, for errors.
        sizes: (N,) (H, W) of each one's video, for polygons.

    Returns:
        (N,) with compressed ``counts``; those that came so are the objects given.
        (N,) int64, their pixels.

    Raises:
        AnnotationError: with the path of a segmentation that is no mask.
    """
    rles = [
        polygons_to_rle(segmentation, size, path) if isinstance(segmentation, list) else segmentation
        for segmentation, path, size in zip(segmentations, paths, sizes)
    ]
    try:
        runs = decode_runs(rles)
    except RLEError as error:
        raise AnnotationError(f"{paths[error.index]}: {error.reason}") from None
    for i, rle in enumerate(rles):
        if isinstance(rle["counts"], (list, tuple)):
            counts = runs.counts[runs.offsets[i] : runs.offsets[i + 1]]
            rles[i] = {"size": rle["size"], "counts": encode_runs(counts, np.array([len(counts)]))[0]}
    return rles, runs.areas()


def polygons_to_rle(polygons: Sequence[Any], size: tuple[int, int], path: str) -> RLE:
    """The union of ``polygons``, each [x1, y1, x2, y2, ...] in pixels, drawn by pycocotools on a (H, W) mask.

    Raises:
        AnnotationError: a polygon of fewer than three points, of an odd number of values, or not of finite numbers.
    """
    for i, polygon in enumerate(polygons):
        require(
            isinstance(polygon, list)
            and len(polygon) >= 6
            and len(polygon) % 2 == 0
            and all(is_finite(value) and abs(value) <= MAX_COORDINATE for value in polygon),
            f"{path}[{i}]",
            "a polygon is a list of at least three x, y pairs in pixels",
        )
    return mask_util.merge(mask_util.frPyObjects(polygons, *size))


def video_name(video: Mapping[str, Any]) -> str:
    """The folder of a video's frames, the name by which YouTube-VIS knows it."""
    return Path(video["file_names"][0]).parent.name or str(video["id"])
