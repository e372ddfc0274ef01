"""COCO's file format for labeled images, read into one form, with errors that name the place in the file.

``images`` {id, file_name, height, width}, ``categories`` {id, name} and, but for test sets, ``annotations`` {id,
image_id, category_id, iscrowd, bbox [x, y, width, height], area, segmentation, keypoints [x, y, visibility, ...]}. A
segmentation is an RLE or a list of polygons [x1, y1, x2, y2, ...]. All but the ids of an annotation may be missing;
annotations without any ``id``, as some programs write detections, are numbered from 1.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as mask_util

from .describe import describe
from .json_files import AnnotationError, index_by_id, is_finite, is_int, is_whole, read_json, require
from .rle import MAX_PIXELS, RLE
from .youtube_vis_json import MAX_COORDINATE, MAX_POLYGON_EXTENT, normalize_segmentations

logger = logging.getLogger(__name__)

MIN_POLYGON = 6  # numbers in a triangle


def read_coco(path: str | Path, num_joints: int | None = None, *, keep: Sequence[str] = ()) -> dict[str, Any]:
    """Checked images, categories and annotations of a file, every annotation complete.

    Each annotation has ``id``, ``image_id``, ``category_id``, ``iscrowd`` (0 or 1, also for "ignore"), ``bbox`` and
    ``area`` (of the mask or else of the box, if the file does not state it), and, if the file has them,
    ``segmentation`` (polygons, or an RLE with string counts, that covers a pixel) and ``keypoints``. Polygons of fewer
    than three points and annotations without mask, box and joints are left out, which is logged once.

    Args:
        path: File for :func:`read_json`.
        num_joints: Number of joints that each pose must have; None: any number.
        keep: Keys of annotations that are returned as they are where they are left out otherwise.

    Returns:
        ``images``, ``categories`` and, unless it is a test set's file, ``annotations``.

    Raises:
        AnnotationError: the file is wrong; the message has its name and the JSON path.
        OSError: the file cannot be opened.
    """
    left_out: Counter[str] = Counter()
    try:
        data = _normalized(read_json(path), num_joints, left_out, keep)
    except AnnotationError as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise AnnotationError(f"{path}: {error}") from None
    for what, count in left_out.items():
        logger.warning("%s: %d %s, left out", path, count, what)
    return data


def _normalized(data: Any, num_joints: int | None, left_out: Counter[str], keep: Sequence[str]) -> dict[str, Any]:
    require(isinstance(data, dict), "$", "must be an object with images, annotations and categories")
    images, categories = (index_by_id(data.get(key), key) for key in ("images", "categories"))
    for i, category in enumerate(data["categories"]):
        require(isinstance(category.get("name"), str), f"categories[{i}].name", "must be a string")
    for i, image in enumerate(data["images"]):
        name = image.get("file_name")
        require(isinstance(name, str) and bool(name), f"images[{i}].file_name", f"must be a name, not {describe(name)}")
        for key in ("height", "width"):
            side = image.get(key)
            good = is_int(side) and side > 0
            require(good, f"images[{i}].{key}", f"must be a positive integer, not {describe(side)}")
        pixels = image["height"] * image["width"]
        require(pixels < MAX_PIXELS, f"images[{i}]", f"{describe(pixels)} pixels are more than an RLE can count")
    normalized = {"images": data["images"], "categories": data["categories"]}
    if data.get("annotations") is None:
        return normalized
    _number(data["annotations"])
    index_by_id(data["annotations"], "annotations")
    for i, annotation in enumerate(data["annotations"]):
        where = f"annotations[{i}]"
        for key, known in (("image_id", images), ("category_id", categories)):
            value = annotation.get(key)
            good = is_whole(value) and value in known
            require(good, f"{where}.{key}", f"{describe(value)} is not the id of one in the file")
    kept = []
    masks = _encoded_masks(data["annotations"], images)
    for i, annotation in enumerate(data["annotations"]):
        where = f"annotations[{i}]"
        complete = _complete(annotation, where, images[annotation["image_id"]], masks.get(i), num_joints, left_out)
        if complete is None:
            left_out["annotations have neither a mask nor a box nor a labeled joint"] += 1
        else:
            kept.append({**{key: annotation[key] for key in keep if annotation.get(key) is not None}, **complete})
    return {**normalized, "annotations": kept}


def _number(annotations: Any) -> None:
    """Give annotations ids, in place, if none has one."""
    if isinstance(annotations, list) and all(isinstance(a, dict) and "id" not in a for a in annotations):
        for number, annotation in enumerate(annotations, 1):
            annotation["id"] = number


def _complete(
    annotation: dict[str, Any],
    where: str,
    image: dict[str, Any],
    encoded: tuple[RLE, int] | None,
    num_joints: int | None,
    left_out: Counter[str],
) -> dict[str, Any] | None:
    crowd = [annotation.get(key) or 0 for key in ("iscrowd", "ignore")]
    require(all(c in (0, 1) for c in crowd), f"{where}.iscrowd", f"must be 0 or 1, not {describe(crowd[0])}")
    complete = {
        "id": annotation["id"],
        "image_id": int(annotation["image_id"]),
        "category_id": int(annotation["category_id"]),
        "iscrowd": int(any(crowd)),
    }
    size = (image["height"], image["width"])
    mask = _mask(annotation.get("segmentation"), f"{where}.segmentation", size, encoded, left_out)
    if mask is not None:
        complete["segmentation"] = mask
    joints = _keypoints(annotation.get("keypoints"), f"{where}.keypoints", num_joints)
    if joints is not None:
        complete["keypoints"] = joints
    box = annotation.get("bbox") or None
    if box is None:
        box = _box_of(mask, joints)
        if box is None:
            return None
    else:
        good = isinstance(box, list) and len(box) == 4 and all(map(is_finite, box))
        require(good, f"{where}.bbox", f"must be a list of 4 finite numbers, not {describe(box)}")
        require(min(box[2:]) >= 0, f"{where}.bbox", f"has a negative width or height: {describe(box)}")
    area = annotation.get("area")
    if area is None:
        area = float(box[2] * box[3]) if mask is None else _area(mask, size)
    require(is_finite(area) and area >= 0, f"{where}.area", f"must be a number of pixels, not {describe(area)}")
    return {**complete, "bbox": box, "area": area}


def _encoded_masks(
    annotations: Sequence[dict[str, Any]], images: Mapping[int, dict[str, Any]]
) -> dict[int, tuple[RLE, int]]:
    """RLE with a str ``counts``, and area, of the annotations that have one, by their position."""
    positions = [i for i, annotation in enumerate(annotations) if _is_rle(annotation.get("segmentation"))]
    places = [f"annotations[{i}].segmentation" for i in positions]
    encoded = [annotations[i]["segmentation"] for i in positions]
    for i, place, rle in zip(positions, places, encoded):
        image = images[annotations[i]["image_id"]]
        size, given = [image["height"], image["width"]], rle.get("size")
        require(given == size, f"{place}.size", f"is {describe(given)}, the image is {size}")
    rles, areas = normalize_segmentations(encoded, places, [(0, 0)] * len(places))
    texts = [rle["counts"].decode("ascii") if isinstance(rle["counts"], bytes) else rle["counts"] for rle in rles]
    masks = ({"size": list(rle["size"]), "counts": text} for rle, text in zip(rles, texts))
    return dict(zip(positions, zip(masks, areas.tolist())))


def _is_rle(segmentation: Any) -> bool:
    return isinstance(segmentation, dict) and bool(segmentation)


def _mask(
    segmentation: Any, where: str, size: tuple[int, int], encoded: tuple[RLE, int] | None, left_out: Counter[str]
) -> Any:
    """Polygons or an RLE; None without a mask that covers a pixel.

    Args:
        segmentation: Value in the file.
        where: Its place.
        size: (H, W) of the image.
        encoded: RLE and area of :func:`_encoded_masks`, if it is one.
        left_out: Counts of what is left out.
    """
    if not segmentation:
        return None
    if encoded is not None:
        rle, area = encoded
        return rle if area else None
    require(isinstance(segmentation, list), where, "must be an RLE or a list of polygons")
    limit = min(MAX_POLYGON_EXTENT * max(size), MAX_COORDINATE)
    polygons = []
    for k, polygon in enumerate(segmentation):
        good = (
            isinstance(polygon, list)
            and len(polygon) % 2 == 0
            and set(map(type, polygon)) <= {int, float}
            and max(map(abs, polygon), default=0) <= limit
            and not math.isnan(sum(polygon))
        )
        require(good, f"{where}[{k}]", "a polygon is a list of x, y pairs in pixels, [x1, y1, x2, y2, ...]")
        if len(polygon) >= MIN_POLYGON:
            polygons.append(polygon)
        else:
            left_out["polygons have fewer than three points"] += 1
    return polygons or None


def _keypoints(values: Any, where: str, num_joints: int | None) -> list[float] | None:
    if not values:
        return None
    good = isinstance(values, list) and all(map(is_finite, values))
    count = len(values) if good else 0
    if num_joints is None:
        require(count > 0 and count % 3 == 0, where, "must be a list of x, y, visibility of each joint")
    else:
        has = f"has {count}" if good else "is " + describe(values)
        require(count == 3 * num_joints, where, f"must be a list of {3 * num_joints} finite numbers, {has}")
    return values


def _box_of(mask: Any, joints: list[float] | None) -> list[float] | None:
    """Tight box, XYWH, of a mask or else of the labeled joints; None without either."""
    if isinstance(mask, dict):
        return mask_util.toBbox(mask).tolist()
    if mask is not None:
        points = np.concatenate([np.reshape(polygon, (-1, 2)) for polygon in mask])
    else:
        pose = np.reshape(np.array(joints or [], dtype=np.float64), (-1, 3))
        points = pose[pose[:, 2] > 0, :2]
    if not len(points):
        return None
    low, high = points.min(axis=0), points.max(axis=0)
    return [*low.tolist(), *(high - low).tolist()]


def _area(mask: Any, size: tuple[int, int]) -> float:
    rle = mask if isinstance(mask, dict) else mask_util.merge(mask_util.frPyObjects(mask, *size))
    return float(mask_util.area(rle))
