"""Checks of PoseTrack18's format: a file a video, with people in its labeled frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ictrack.structures.json_files import is_finite, is_int

from .defects import Defects
from .entries import TrackChecks, by_id, check_annotation_ids, check_box, check_keypoints, entries_of, is_known
from .images import ImageFiles, check_order


def is_posetrack(data: Mapping[str, Any]) -> bool:
    """Whether a file's images have what only PoseTrack's have."""
    images = data.get("images")
    first = images[0] if isinstance(images, list) and images else None
    return isinstance(first, dict) and bool({"is_labeled", "nframes", "vid_id"} & first.keys())


def lint_posetrack(data: Mapping[str, Any], files: ImageFiles, defects: Defects, taken: dict[int, str]) -> str:
    """Check a file's content; returns what it holds, in words.

    Args:
        data: Content of the file.
        files: Images.
        defects: Takes what is wrong.
        taken: Ids of images of the files before, and where; this file's are added.
    """
    images = entries_of(data, "images", defects)
    categories = entries_of(data, "categories", defects)
    known_images, known_categories = by_id(images, defects, taken), by_id(categories, defects)
    sizes: dict[int, tuple[int, int]] = {}
    names, folder, common = [], None, None
    for where, image in images:
        name = image.get("file_name")
        good = isinstance(name, str) and bool(name)
        if not defects.require(good, "name", f"{where}.file_name", "must be a name, not {}", name):
            continue
        assert isinstance(name, str)
        names.append(name)
        own = name.rpartition("/")[0]
        folder = own if folder is None else folder
        text = f"{name} is in another folder than the first, {folder}: two videos?"
        defects.require(own == folder, "order", f"{where}.file_name", text)
        labeled = image.get("is_labeled", True)
        good = labeled in (True, False)
        defects.require(good, "flag", f"{where}.is_labeled", "must be true or false, not {}", labeled)
        # The format does not state sizes: frames of a video have that of the first one.
        found = files.check(name, common, where, defects)
        common = common or found
        if found and isinstance(image.get("id"), int):
            sizes[image["id"]] = found
    check_order(names, "images", defects)
    annotations = [] if data.get("annotations") is None else entries_of(data, "annotations", defects)
    check_annotation_ids(annotations, defects)
    num_joints = _num_joints(categories[0][1], defects) if categories else None
    positions = {key: position for position, key in enumerate(known_images)}
    tracks = TrackChecks(defects)
    for where, person in annotations:
        size = None
        image_id: Any = person.get("image_id")
        image_of = known_images.get(image_id, {}) if is_int(image_id) else {}
        defects.subject = files.subject(image_of.get("file_name"), person.get("bbox"))
        if is_known(person.get("image_id"), known_images, f"{where}.image_id", defects):
            size = sizes.get(person["image_id"])
        is_known(person.get("category_id"), known_categories, f"{where}.category_id", defects)
        tracks.add(person, None, where, positions.get(image_id) if is_int(image_id) else None)
        if defects.require(bool(person.get("keypoints")), "keypoints", where, "has no keypoints"):
            check_keypoints(person, num_joints, size, where, defects)
        head = person.get("bbox_head")
        good = isinstance(head, list) and len(head) == 4 and all(map(is_finite, head))
        defects.require(good, "box", f"{where}.bbox_head", "must be 4 finite numbers, not {}", head)
        if person.get("bbox"):
            check_box(person["bbox"], size, f"{where}.bbox", defects, may_leave=True)
    defects.subject = None
    tracks.finish()
    return f"PoseTrack: {len(images)} frames, {len(annotations)} poses"


def _num_joints(category: Mapping[str, Any], defects: Defects) -> int | None:
    names = category.get("keypoints")
    good = isinstance(names, list) and all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    if defects.require(good, "keypoints", "categories[0].keypoints", "must be names of joints, not {}", names):
        assert isinstance(names, list)
        return len(names)
    return None
