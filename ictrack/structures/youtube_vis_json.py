"""Reader of the YouTube-VIS file format (2019, 2021, 2022, OVIS), with errors that name the place in the file.

Ground truth: ``videos`` {id, height, width, length, file_names}, ``categories`` {id, name} and, except in test sets,
``annotations`` {id, video_id, category_id, iscrowd, segmentations, bboxes, areas}, the last three with one entry a
frame or null. A segmentation is an RLE (string or run list) or a list of polygons [x1, y1, x2, y2, ...].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as mask_util

from .describe import describe
from .json_files import AnnotationError, index_by_id, is_finite, is_int, read_json, require
from .rle import (
    MAX_PIXELS,
    RLE,
    MaskExtents,
    RLEError,
    RunLengths,
    decode_blocks,
    encode_runs,
    has_empty_runs,
    merge_empty_runs,
)

# Bounds of a polygon's coordinates, in multiples of the frame's longer side, and in pixels. pycocotools walks along the
# edges pixel by pixel, so that damaged coordinates would hang it.
MAX_POLYGON_EXTENT = 4
MAX_COORDINATE = 1e6


def read_ground_truth(path: str | Path, *, pack_runs: bool = False, content: str = "segmentations") -> dict[str, Any]:
    """Content of a ground-truth file, checked by :func:`check_ground_truth`.

    Args:
        path: File, ``.json`` or ``.json.gz``.
        pack_runs: See :func:`read_json`.
        content: See :func:`check_ground_truth`.

    Raises:
        AnnotationError: the file is wrong; the message has its name and the JSON path.
        OSError: the file cannot be opened.
    """
    data = read_json(path, pack_runs=pack_runs)
    try:
        check_ground_truth(data, content)
    except AnnotationError as error:
        raise AnnotationError(f"{path}: {error}") from None
    return data


def check_ground_truth(data: Any, content: str = "segmentations") -> None:
    """Check the structure of a ground truth: keys, types, unique ids, references, one entry a frame.

    Encodings of masks are not checked here, but by :func:`normalize_segmentations`.

    Args:
        data: JSON value.
        content: Key of the list with an entry a frame that each annotation must have.

    Raises:
        AnnotationError: the ground truth is wrong; the message has the JSON path.
    """
    require(isinstance(data, dict), "$", "must be an object with videos, categories and annotations")
    videos = index_by_id(data.get("videos"), "videos")
    categories = index_by_id(data.get("categories"), "categories")
    for i, category in enumerate(data["categories"]):
        require(isinstance(category.get("name"), str), f"categories[{i}].name", "must be a string")
    for i, video in enumerate(data["videos"]):
        for key in ("height", "width"):
            value = video.get(key)
            require(
                is_int(value) and value > 0,
                f"videos[{i}].{key}",
                f"must be a positive integer, not {describe(value)}",
            )
        require(
            video["height"] * video["width"] < MAX_PIXELS,
            f"videos[{i}]",
            f"{describe(video['height'])} x {describe(video['width'])} are more pixels than an RLE can count",
        )
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
            f"is {describe(length)}, but there are {len(names)} file_names",
        )
    annotations = data.get("annotations")
    if annotations is None:
        return
    index_by_id(annotations, "annotations")
    for i, annotation in enumerate(annotations):
        where = f"annotations[{i}]"
        for key, known in (("video_id", videos), ("category_id", categories)):
            value = annotation.get(key)
            require(
                is_int(value) and value in known,
                f"{where}.{key}",
                f"{describe(value)} is not the id of one in the file",
            )
        is_crowd = annotation.get("iscrowd", 0)
        require(
            isinstance(is_crowd, int) and is_crowd in (0, 1),
            f"{where}.iscrowd",
            f"must be 0 or 1, not {describe(is_crowd)}",
        )
        length = len(videos[annotation["video_id"]]["file_names"])
        for key in (content, "bboxes", "areas"):
            values = annotation.get(key)
            if values is None and key != content:
                continue
            require(isinstance(values, list), f"{where}.{key}", "must be a list with one entry a frame")
            require(len(values) == length, f"{where}.{key}", f"has {len(values)} entries, the video {length} frames")
        for t, area in enumerate(annotation.get("areas") or ()):
            if area is not None and not (is_finite(area) and area >= 0):
                raise AnnotationError(f"{where}.areas[{t}]: must be a number of pixels, not {describe(area)}")


def normalize_segmentations(
    segmentations: Sequence[Any], paths: Sequence[str], sizes: Sequence[tuple[int, int]]
) -> tuple[list[RLE], np.ndarray]:
    """RLEs that are safe for pycocotools, and areas, of N non-null segmentations in any of the format's forms.

    Args:
        segmentations: RLEs with string or list counts, or lists of polygons.
        paths: N JSON paths, for errors.
        sizes: (H, W) of the N videos, for polygons.

    Returns:
        N RLEs with compressed ``counts``, which are the given objects if they have this form and no empty run beyond
            the first: pycocotools, and with it the official tool, stops comparing two masks where both have one.
        (N,) int64 number of pixels of each mask.

    Raises:
        AnnotationError: a segmentation is no mask; the message has its path.
    """
    rles, extents = read_masks(segmentations, paths, sizes)
    return rles, extents.areas


def read_masks(
    segmentations: Sequence[Any], paths: Sequence[str], sizes: Sequence[tuple[int, int]]
) -> tuple[list[RLE], MaskExtents]:
    """RLEs of :func:`normalize_segmentations`, and the masks' extents.

    Paths are only accessed for errors and polygons.
    """
    rles = list(segmentations)
    if list in set(map(type, rles)):
        for i, segmentation in enumerate(segmentations):
            if isinstance(segmentation, list):
                rles[i] = polygons_to_rle(segmentation, sizes[i], paths[i])
    extents = []
    start = 0
    try:
        for runs in decode_blocks(rles):
            extents.append(runs.extents())
            _compress(rles, start, runs)
            start += len(runs)
    except RLEError as error:
        raise AnnotationError(f"{paths[error.index]}: {error.reason}") from None
    return rles, MaskExtents.concatenate(extents)


def _compress(rles: list[RLE], start: int, runs: RunLengths) -> None:
    """Replace, in place, the masks from ``start`` on by compressed strings of ``runs`` without empty runs."""
    with_empty_runs = has_empty_runs(runs)
    encodings = [rle["counts"] for rle in rles[start : start + len(runs)]]
    if not with_empty_runs and set(map(type, encodings)) <= {str, bytes}:
        return
    masks = [i for i, one in enumerate(encodings) if i in with_empty_runs or not isinstance(one, (str, bytes))]
    parts = [runs.counts[runs.offsets[i] : runs.offsets[i + 1]] for i in masks]
    for position, i in enumerate(masks):
        if i in with_empty_runs:
            parts[position] = merge_empty_runs(parts[position])
    encoded = encode_runs(np.concatenate(parts), np.array([len(part) for part in parts]))
    for i, counts in zip(masks, encoded):
        rles[start + i] = {"size": rles[start + i]["size"], "counts": counts}


def polygons_to_rle(polygons: Sequence[Any], size: tuple[int, int], path: str) -> RLE:
    """RLE of the union of ``polygons``, each [x1, y1, x2, y2, ...] in pixels, on a (H, W) mask.

    Raises:
        AnnotationError: there is no polygon, or one has fewer than three points, an odd number of values, or a number
            that is not finite.
    """
    require(len(polygons) > 0, path, "is an empty list, must be null, an RLE or a list of polygons")
    limit = min(MAX_POLYGON_EXTENT * max(size), MAX_COORDINATE)
    for i, polygon in enumerate(polygons):
        require(
            isinstance(polygon, list)
            and len(polygon) >= 6
            and len(polygon) % 2 == 0
            and all(is_finite(value) and abs(value) <= limit for value in polygon),
            f"{path}[{i}]",
            "a polygon is a list of at least three x, y pairs in pixels",
        )
    return mask_util.merge(mask_util.frPyObjects(polygons, *size))


def video_name(video: Mapping[str, Any]) -> str:
    """Name of a video in YouTube-VIS: the folder of its frames."""
    return Path(video["file_names"][0]).parent.name or str(video["id"])
