"""Checks of the entries that the formats share: ids, references, categories, boxes, poses."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ictrack.structures.describe import describe
from ictrack.structures.json_files import is_finite, is_int

from .defects import Defects
from .motion import JumpChecks

# Pixels that a box or a point may lie outside of its image: half-pixel conventions and rounding.
TOLERANCE = 1.0
_VISIBILITIES = {0, 1, 2}

Entry = dict[str, Any]


def entries_of(data: Mapping[str, Any], key: str, defects: Defects) -> list[tuple[str, Entry]]:
    """(JSON path, object) of a list's entries; what is no object is a defect and left out."""
    values = data.get(key)
    if not defects.require(isinstance(values, list), "structure", key, "must be a list, not {}", values):
        return []
    assert isinstance(values, list)
    entries = []
    for i, value in enumerate(values):
        where = f"{key}[{i}]"
        if defects.require(isinstance(value, dict), "structure", where, "must be an object, not {}", value):
            entries.append((where, value))
    return entries


def by_id(
    entries: Sequence[tuple[str, Entry]], defects: Defects, taken: dict[int, str] | None = None
) -> dict[int, Entry]:
    """Entries by their ids, which must be whole numbers and unique.

    Args:
        entries: (JSON path, object).
        defects: Takes what is wrong.
        taken: Ids that are used, and where; those of these entries are added.
    """
    taken = {} if taken is None else taken
    found: dict[int, Entry] = {}
    for where, entry in entries:
        value: Any = entry.get("id")
        if not defects.require(is_int(value), "id", f"{where}.id", "must be a whole number, not {}", value):
            continue
        if value in taken:
            defects.error("id", f"{where}.id", f"{describe(value)} is that of {taken[value]}, too")
            continue
        taken[value] = defects.prefix + where
        found[value] = entry
    return found


def check_annotation_ids(annotations: Sequence[tuple[str, Entry]], defects: Defects) -> None:
    """All annotations of a file have ids, or none has one."""
    if any("id" in annotation for _, annotation in annotations):
        by_id(annotations, defects)


def is_known(value: Any, known: Collection[int], where: str, defects: Defects) -> bool:
    """Whether a reference is the id of an entry; else it is a defect."""
    good = is_int(value) and value in known
    return defects.require(good, "reference", where, "{} is not the id of one in the file", value)


def check_categories(
    entries: Sequence[tuple[str, Entry]], annotations: Sequence[tuple[str, Entry]], defects: Defects
) -> None:
    """Names are there and unique, and every category has an annotation, if there are any annotations."""
    used = {value for _, annotation in annotations if is_int(value := annotation.get("category_id"))}
    names: dict[str, str] = {}
    for where, category in entries:
        name = category.get("name")
        good = isinstance(name, str) and bool(name.strip())
        if defects.require(good, "category", f"{where}.name", "must be a name, not {}", name):
            assert isinstance(name, str)
            other = names.setdefault(name.strip().lower(), where)
            text = f"{describe(name)} is the name of {other}, too"
            defects.require(other == where, "category", f"{where}.name", text)
        if used and is_int(category.get("id")) and category["id"] not in used:
            defects.warning("category", where, f"{describe(name)} has no annotation")


def check_size(entry: Entry, where: str, defects: Defects) -> tuple[int, int] | None:
    """(height, width) that an entry states; None if it is no size."""
    height: Any = entry.get("height")
    width: Any = entry.get("width")
    good = is_int(height) and is_int(width) and min(height, width) > 0
    text = "height and width must be positive whole numbers, not {}"
    return (height, width) if defects.require(good, "size", where, text, (height, width)) else None


def check_box(box: Any, size: tuple[int, int] | None, where: str, defects: Defects, *, may_leave: bool = False) -> None:
    """A box [x, y, width, height] is one, has an area, and lies in its image.

    Args:
        box: JSON value.
        size: (height, width) of the image; None: unknown.
        where: JSON path.
        defects: Takes what is wrong.
        may_leave: Whether a part of it may lie outside, as of people whom the image's border cuts.
    """
    good = isinstance(box, list) and len(box) == 4 and all(map(is_finite, box))
    if not defects.require(good, "box", where, "must be 4 finite numbers, not {}", box):
        return
    x, y, width, height = box
    if not defects.require(min(width, height) >= 0, "box", where, "has a negative side: {}", box):
        return
    if min(width, height) == 0:
        defects.warning("box", where, f"is empty: {describe(box)}")
    if size is None:
        return
    beyond = max(-x, -y, x + width - size[1], y + height - size[0])
    touches = x < size[1] and y < size[0] and x + width >= 0 and y + height >= 0
    if beyond > TOLERANCE and not (may_leave and touches):
        part = "partly " if touches else ""
        defects.error("box", where, f"{describe(box)} lies {part}outside of the image of {size[1]} x {size[0]}")


def check_keypoints(
    annotation: Entry, num_joints: int | None, size: tuple[int, int] | None, where: str, defects: Defects
) -> None:
    """A pose has x, y, visibility of every joint of its category, and the number of labeled ones that is stated."""
    values = annotation.get("keypoints")
    if not values:
        return
    where = f"{where}.keypoints"
    good = isinstance(values, list) and all(map(is_finite, values))
    if not defects.require(good, "keypoints", where, "must be finite numbers, not {}", values):
        return
    expected = "a multiple of 3" if num_joints is None else 3 * num_joints
    fits = len(values) % 3 == 0 if num_joints is None else len(values) == expected
    if not defects.require(fits, "keypoints", where, f"are {len(values)} numbers, must be {expected}"):
        return
    visible = values[2::3]
    good = set(visible) <= _VISIBILITIES
    defects.require(good, "keypoints", where, "visibility must be 0, 1 or 2, not {}", visible)
    labeled = [joint for joint, v in enumerate(visible) if v > 0]
    stated = annotation.get("num_keypoints", len(labeled))
    text = "num_keypoints is {}, {} are labeled"
    defects.require(stated == len(labeled), "keypoints", where, text, stated, len(labeled))
    if size is not None:
        outside = [
            joint
            for joint in labeled
            if not (-TOLERANCE <= values[3 * joint] <= size[1] + TOLERANCE)
            or not (-TOLERANCE <= values[3 * joint + 1] <= size[0] + TOLERANCE)
        ]
        if outside:
            defects.warning("keypoints", where, f"joints {outside} lie outside of the image of {size[1]} x {size[0]}")


def check_flag(annotation: Entry, key: str, where: str, defects: Defects) -> None:
    """A flag is 0 or 1, if it is there."""
    value = annotation.get(key, 0)
    defects.require(value in (0, 1), "flag", f"{where}.{key}", "must be 0 or 1, not {}", value)


class TrackChecks:
    """Checks that a track has one category, is once in an image, and does not jump."""

    def __init__(self, defects: Defects) -> None:
        self._defects = defects
        self._categories: dict[tuple[Any, int], tuple[Any, str]] = {}
        self._seen: dict[tuple[Any, int], str] = {}
        self._jumps = JumpChecks(defects)

    def add(self, annotation: Entry, video: Any, where: str, frame: int | None = None) -> None:
        """Check an annotation that has a ``track_id``.

        Args:
            annotation: JSON object.
            video: What tells the tracks of videos apart.
            where: JSON path.
            frame: Position of its image in the video; None: unknown.
        """
        track: Any = annotation.get("track_id")
        good = is_int(track) and track >= 0
        text = "must be a whole number from 0, not {}"
        if not self._defects.require(good, "track", f"{where}.track_id", text, track):
            return
        image = describe(annotation.get("image_id"))
        other = self._seen.setdefault((image, track), where)
        if other != where:
            self._defects.error("track", f"{where}.track_id", f"{track} is that of {other} in the same image, too")
        category = annotation.get("category_id")
        first, place = self._categories.setdefault((video, track), (category, where))
        if first != category:
            text = f"is {describe(category)}, track {track} began as {describe(first)} at {place}"
            self._defects.error("track", f"{where}.category_id", text)
        if frame is not None and not annotation.get("iscrowd"):
            self._jumps.add((video, track), frame, annotation.get("bbox"), f"{where}.bbox")

    def finish(self) -> None:
        """Check what needs all annotations."""
        self._jumps.finish()
