"""Checks of COCO's format, also with tracks: images of videos, and annotations with a ``track_id``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ictrack.structures.describe import describe
from ictrack.structures.json_files import is_finite, is_int

from .boxes import BoxChecks
from .defects import Defects
from .entries import (
    Entry,
    TrackChecks,
    by_id,
    check_annotation_ids,
    check_box,
    check_categories,
    check_flag,
    check_keypoints,
    check_size,
    entries_of,
    is_known,
)
from .images import ImageFiles, check_order
from .masks import MaskChecks


def lint_coco(data: Mapping[str, Any], files: ImageFiles, defects: Defects) -> str:
    """Check a file's content; returns what it holds, in words."""
    images = entries_of(data, "images", defects)
    categories = entries_of(data, "categories", defects)
    known_images, known_categories = by_id(images, defects), by_id(categories, defects)
    sizes = _check_images(images, files, defects)
    annotations = [] if data.get("annotations") is None else entries_of(data, "annotations", defects)
    check_annotation_ids(annotations, defects)
    check_categories(categories, annotations, defects)
    joints = {key: len(names) for key, c in known_categories.items() if isinstance(names := c.get("keypoints"), list)}
    videos = {key: describe(image.get("video_id")) for key, image in known_images.items()}
    frames = _positions(known_images)
    masks, tracks, boxes = MaskChecks(defects), TrackChecks(defects), BoxChecks(defects)
    for where, annotation in annotations:
        size = video = None
        image_id: Any = annotation.get("image_id")
        image = known_images.get(image_id, {}) if is_int(image_id) else {}
        defects.subject = files.subject(image.get("file_name"), annotation.get("bbox"))
        if is_known(annotation.get("image_id"), known_images, f"{where}.image_id", defects):
            size = sizes.get(annotation["image_id"])
            video = videos.get(annotation["image_id"])
        category = annotation.get("category_id")
        is_known(category, known_categories, f"{where}.category_id", defects)
        check_flag(annotation, "iscrowd", where, defects)
        if annotation.get("bbox"):
            check_box(annotation["bbox"], size, f"{where}.bbox", defects)
            if not annotation.get("iscrowd"):
                boxes.add(annotation["bbox"], describe(image_id), category, where)
        area = annotation.get("area")
        good = area is None or (is_finite(area) and area >= 0)
        defects.require(good, "area", f"{where}.area", "must be a number of pixels, not {}", area)
        if annotation.get("segmentation"):
            masks.add(annotation["segmentation"], size, f"{where}.segmentation", area, box=annotation.get("bbox"))
        check_keypoints(annotation, joints.get(category) if isinstance(category, int) else None, size, where, defects)
        if annotation.get("track_id") is not None:
            tracks.add(annotation, video, where, frames.get(image_id) if is_int(image_id) else None)
    defects.subject = None
    masks.finish()
    tracks.finish()
    boxes.finish()
    return f"COCO: {len(images)} images, {len(annotations)} annotations, {len(categories)} categories"


def _check_images(images: list[tuple[str, Entry]], files: ImageFiles, defects: Defects) -> dict[int, tuple[int, int]]:
    """Sizes of the images by their ids."""
    sizes: dict[int, tuple[int, int]] = {}
    names: dict[str, str] = {}
    videos: dict[Any, list[str]] = {}
    for where, image in images:
        defects.subject = files.subject(image.get("file_name"))
        size = check_size(image, where, defects)
        if size is not None and isinstance(image.get("id"), int):
            sizes.setdefault(image["id"], size)
        name = image.get("file_name")
        good = isinstance(name, str) and bool(name)
        if not defects.require(good, "name", f"{where}.file_name", "must be a name, not {}", name):
            continue
        assert isinstance(name, str)
        other = names.setdefault(name, where)
        defects.require(other == where, "name", f"{where}.file_name", f"{name} is that of {other}, too")
        files.check(name, size, where, defects)
        if image.get("video_id") is not None:
            videos.setdefault(describe(image["video_id"]), []).append(name)
    defects.subject = None
    for video, frames in videos.items():
        check_order(list(dict.fromkeys(frames)), f"images of video {video}", defects)
    return sizes


def _positions(images: Mapping[int, Entry]) -> dict[int, int]:
    """Positions in their videos of the images that are of one, by their ids."""
    counts: Counter[str] = Counter()
    positions = {}
    for key, image in images.items():
        if image.get("video_id") is not None:
            video = describe(image["video_id"])
            positions[key] = counts[video]
            counts[video] += 1
    return positions
