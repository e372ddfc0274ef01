"""labelme's folder of JSON: a file a frame with ``imagePath``, ``imageHeight``, ``imageWidth`` and ``shapes``.

A shape has a ``label``, a ``shape_type``, ``points`` and perhaps a ``group_id`` and a ``score``. A "rectangle" is an
object's box, a "polygon" a part of its mask. Shapes of one ``group_id`` in a frame are one object, of the class that
rectangle and polygons have for a label, and every "point" among them a joint, by its label. Over the frames, a
``group_id`` is the identity of the objects of a class, unless a file's flag ``untracked`` is set. Shapes of other
types, and points without a group, are left out.

Flags of a shape: ``crowd`` of an object, ``occluded`` of a joint.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from ..describe import describe
from ..frame_numbers import frame_indices
from ..frame_tracks import VideoInfo, VideoTracks
from ..hidden_files import is_hidden
from ..json_files import AnnotationError, is_finite, is_int, read_json, require
from ..rle import MAX_PIXELS
from ..safe_names import check_safe
from ..track_formats.rows import FrameFacts, LabeledVideo, Row
from ..youtube_vis_json import polygons_to_rle

SUFFIX = ".json"
UNTRACKED, CROWD, OCCLUDED = "untracked", "crowd", "occluded"
_KINDS = ("rectangle", "polygon", "point")


@dataclass
class _Object:
    """Shapes of an object: its label, score and flags from its first box or polygon, and its parts."""

    label: str = ""
    score: float = 1.0
    group: int | None = None
    is_crowd: bool = False
    box: tuple[float, ...] | None = None
    polygons: list[list[float]] = field(default_factory=list)
    joints: dict[str, tuple[float, float, float, bool]] = field(default_factory=dict)


def read_labelme(path: str | os.PathLike) -> list[VideoTracks]:
    """The video of a folder's files, or of one file, whose detections have no identities.

    Raises:
        AnnotationError: a file is wrong, or there is none; the message has its name and the JSON path.
    """
    video = read_labels(path)
    sizes = {facts.size: facts.file_name for facts in video.frames.values()}
    if len(sizes) > 1:
        (first, of_first), (other, of_other), *_ = sizes.items()
        sides = [
            f"{name} has {size[1]} x {size[0]} pixels" for name, size in ((of_first, first), (of_other, other)) if size
        ]
        require(False, str(path), f"frames of a video have one size, but {' and '.join(sides)}")
    for row in video:
        row.track_id = None
    return [video.tracks()]


def read_labels(path: str | os.PathLike, *, tracks_by_label: bool = False) -> LabeledVideo:
    """Objects of a folder's files, or of one file. Stills may differ in size, which is then none of the video's.

    Args:
        path: Folder or file.
        tracks_by_label: Whether a label is an identity, such as "mouse 1", and not a group. Labels that differ only in
            a number at their end are then one class.

    Raises:
        AnnotationError: as :func:`read_labelme`.
    """
    path = Path(path)
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() == SUFFIX and not is_hidden(file.name))
    require(bool(files), str(path), f"holds no {SUFFIX} files")
    indices, numbering = frame_indices([file.name for file in files])
    video = LabeledVideo(str(path), VideoInfo(path.stem, 0, 0, 0.0, (), ()), numbering=numbering)
    found: list[tuple[int, Path, _Object]] = []
    for file, index in zip(files, indices):
        data = read_json(file)
        try:
            size, name = _image(data)
            objects = _objects(data, video)
        except AnnotationError as error:
            raise AnnotationError(f"{file}: {error}") from None
        is_tracked = not (isinstance(flags := data.get("flags"), dict) and flags.get(UNTRACKED))
        for one in objects:
            found.append((index, file, one if is_tracked else replace(one, group=None)))
        video.frames[index] = FrameFacts(name or f"{file.stem}.jpg", size=size)
    sizes = {facts.size for facts in video.frames.values()}
    height, width = next(iter(sizes)) if len(sizes) == 1 else (0, 0)  # type: ignore[misc]
    joints = tuple(dict.fromkeys(joint for _, _, one in found for joint in one.joints))
    video.info = VideoInfo(path.stem, height, width, 0.0, (), (), joints)
    identities = _identities([one for _, _, one in found], tracks_by_label)
    for index, file, one in found:
        row = _row(one, video.facts(index).size or (0, 0), joints, f"{file}: polygons of {one.label!r}")
        row.category, row.track_id = identities[one.label, one.group]
        video.add(index, row)
    return video


def _identities(objects: Sequence[_Object], by_label: bool) -> dict[tuple[str, int | None], tuple[str, int | None]]:
    """Class and identity by label and group. A group that several classes have is several identities."""
    if by_label:
        labels = sorted({one.label for one in objects})
        return {(one.label, one.group): (_class_of(one.label), labels.index(one.label)) for one in objects}
    keys = dict.fromkeys((one.label, one.group) for one in objects)
    first: dict[int, str] = {}
    for label, group in keys:
        if group is not None:
            first.setdefault(group, label)
    fresh = max(first, default=-1) + 1
    identities: dict[tuple[str, int | None], tuple[str, int | None]] = {}
    for label, group in keys:
        is_other = group is not None and first[group] != label
        identities[label, group] = (label, fresh if is_other else group)
        fresh += is_other
    return identities


def _class_of(label: str) -> str:
    """Label without a number at its end: "mouse" of "mouse 1", "mouse_1" and "mouse1"."""
    return label.rstrip("0123456789").rstrip(" _-") or label


def _image(data: Any) -> tuple[tuple[int, int], str]:
    """Size (H, W) and name of a file's image."""
    require(isinstance(data, dict) and isinstance(data.get("shapes"), list), "shapes", "must be a list")
    height, width = (data.get(key) for key in ("imageHeight", "imageWidth"))
    for key, side in (("imageHeight", height), ("imageWidth", width)):
        require(is_int(side) and side > 0, key, f"must be a positive integer, not {describe(side)}")
    require(height * width < MAX_PIXELS, "imageHeight", f"an image of {describe(height * width)} pixels is too large")
    path = data.get("imagePath") or ""
    require(isinstance(path, str), "imagePath", f"must be a name, not {describe(path)}")
    return (height, width), check_safe(PurePosixPath(PureWindowsPath(path).as_posix()).name, "imagePath")


def _objects(data: dict[str, Any], video: LabeledVideo) -> list[_Object]:
    """Objects of a file, in the order of their first shapes; what is left out is counted."""
    objects: dict[Any, _Object] = {}
    joints: list[tuple[int, dict[str, Any]]] = []
    for i, shape in _shapes(data, video):
        if shape["shape_type"] == "point":
            joints.append((i, shape))
            continue
        where, label, group = f"shapes[{i}]", shape["label"], shape["group_id"]
        key = i if group is None else (label, group)
        one = objects.setdefault(key, _Object(label, shape["score"], group, bool(shape["flags"].get(CROWD))))
        points = shape["points"]
        if shape["shape_type"] == "rectangle":
            require(len(points) in (2, 4), f"{where}.points", f"a rectangle has 2 or 4 corners, not {len(points)}")
            require(one.box is None, where, f"a second box of {describe(label)} {group}")
            x, y = zip(*points)
            one.box = (min(x), min(y), max(x), max(y))
        else:
            one.polygons.append([value for point in points for value in point])
    for i, shape in joints:
        owners = [one for one in objects.values() if one.group == shape["group_id"] is not None]
        if len(owners) != 1:
            video.left_out["points that belong to no object"] += 1
            continue
        where, label = f"shapes[{i}]", shape["label"]
        require(len(shape["points"]) == 1, f"{where}.points", "a point has one place")
        require(label not in owners[0].joints, where, f"a second joint {describe(label)} of group {shape['group_id']}")
        owners[0].joints[label] = (*shape["points"][0], shape["score"], bool(shape["flags"].get(OCCLUDED)))
    return list(objects.values())


def _shapes(data: dict[str, Any], video: LabeledVideo) -> Iterator[tuple[int, dict[str, Any]]]:
    """(Position, shape) of a file's usable shapes, with all keys."""
    for i, shape in enumerate(data["shapes"]):
        where = f"shapes[{i}]"
        require(isinstance(shape, dict), where, "must be an object")
        label, kind = shape.get("label"), shape.get("shape_type") or "polygon"
        named = isinstance(label, str) and bool(label.strip())
        require(named, f"{where}.label", f"must be a name, not {describe(label)}")
        if kind not in _KINDS:
            video.left_out[f"shapes of the type {describe(kind)}"] += 1
            continue
        points = shape.get("points")
        good = isinstance(points, list) and all(
            isinstance(point, list) and len(point) == 2 and all(map(is_finite, point)) for point in points
        )
        require(good, f"{where}.points", "must be a list of [x, y]")
        score = shape.get("score")
        score = 1.0 if score is None else score
        require(is_finite(score), f"{where}.score", f"must be a number, not {describe(score)}")
        group = shape.get("group_id")
        require(group is None or is_int(group), f"{where}.group_id", f"must be a whole number, not {describe(group)}")
        flags = shape["flags"] if isinstance(shape.get("flags"), dict) else {}
        whole = {"points": points, "score": float(score), "group_id": group, "flags": flags}
        yield i, {"label": label, "shape_type": kind, **whole}


def _row(one: _Object, size: tuple[int, int], joints: Sequence[str], where: str) -> Row:
    row = Row("", one.score, one.box, where=where, is_crowd=one.is_crowd)
    if one.polygons:
        row.rle = polygons_to_rle(one.polygons, size, where)
    if one.joints:
        absent = (0.0, 0.0, 0.0, False)
        values = np.array([one.joints.get(joint, absent) for joint in joints], dtype=np.float64)
        row.keypoints = values[:, :3]
        row.occluded = values[:, 3] > 0 if values[:, 3].any() else None
    return row
