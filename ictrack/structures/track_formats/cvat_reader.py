"""CVAT's XML, versions for video and for images: reader of boxes, polygons, masks and skeletons.

An identity is a shape's attribute ``track_id``, or else its track's id. The index of an image is that of its name, see
:func:`.frame_indices`, or where the names have no numbers, its id.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from ..describe import describe
from ..frame_numbers import Numbering, frame_indices
from ..frame_tracks import VideoInfo, VideoTracks
from ..json_files import AnnotationError, require
from ..rle import MAX_PIXELS, RLE, encode_part
from ..youtube_vis_json import polygons_to_rle
from .rows import FrameFacts, LabeledVideo, Row

_SHAPES = ("box", "polygon", "mask", "skeleton")
_OTHER_SHAPES = ("polyline", "points", "ellipse", "cuboid", "tag")
# Bound of the number of frames that a file states, so that a damaged one cannot fill the memory.
_MAX_FRAMES = 1_000_000
# Score of what has none: a person placed it.
_LABELED = 1.0

# Python refuses to convert thousands of digits.
_WHOLE = re.compile(r"-?[0-9]{1,18}")


def read(path: str | os.PathLike) -> list[VideoTracks]:
    """The file's one video, or its images as frames. Shapes of other kinds are left out, which is logged.

    Raises:
        AnnotationError: the file is no XML, or a shape is wrong; the message has the file and the place.
        OSError: the file cannot be opened.
    """
    return [read_labels(path).tracks()]


def read_labels(path: str | os.PathLike) -> LabeledVideo:
    """The file's objects, see :func:`read`."""
    root = _root(Path(path))
    require(root.tag == "annotations", str(path), f"must be CVAT's <annotations>, not <{root.tag}>")
    size = tuple(_int(root.findtext(f".//original_size/{side}"), 0) for side in ("height", "width"))
    name = root.findtext(".//task/name") or root.findtext(".//job/name") or Path(path).stem
    video = LabeledVideo(str(path), VideoInfo(name, size[0], size[1], 0.0, (), ()))
    joints: list[str] = []
    indices = _indices_of_images(root, video)
    for place, frame, label, track_id, shape in _shapes(root, video, indices):
        if shape.tag == "skeleton" and not joints:
            joints = [str(point.get("label")) for point in shape.iter("points")]
        row = _row(shape, place, video.facts(frame).size or (0, 0), joints)
        row.category = label
        stated = _attribute(shape, "track_id")
        row.track_id = track_id if stated is None else int(_float(stated, f"{place}: track_id"))
        video.add(frame, row)
    video.info = replace(video.info, joint_names=tuple(joints))
    stop = _int(root.findtext(".//task/stop_frame"), -1)
    if root.find("image") is None and stop < _MAX_FRAMES:
        for frame in range(_int(root.findtext(".//task/start_frame"), 0), stop + 1):
            video.frames.setdefault(frame, FrameFacts())
    labels = [str(text) for label in root.iterfind(".//labels/label") if (text := label.findtext("name"))]
    parts = {label.findtext("name") for label in root.iterfind(".//labels/label") if label.findtext("parent")}
    used = sorted({str(row.category) for row in video})
    ordered = [*(label for label in labels if label not in parts), *(label for label in used if label not in labels)]
    video.categories = dict(zip(ordered, ordered))
    return video


def _root(path: Path) -> Element:
    data = path.read_bytes()
    # A document type can define entities that unpack to gigabytes. In UTF-16, every second byte is 0.
    require(b"<!DOCTYPE" not in data.replace(b"\0", b""), str(path), "has a document type, which CVAT does not write")
    try:
        return ElementTree.fromstring(data)  # noqa: S314  without a document type there is nothing to expand
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # the latter two of encodings
        raise AnnotationError(f"{path}: not valid XML: {error}") from None


def _indices_of_images(root: Element, video: LabeledVideo) -> dict[int, int]:
    """Frame indices by the ids of images; the video's numbering is noted."""
    images = list(root.iter("image"))
    ids = [_whole(image, "id", f"{video.where}: image") for image in images]
    names = [image.get("name") or "" for image in images]
    if not all(names):
        return dict(zip(ids, ids))
    indices, video.numbering = frame_indices(names) if names else ([], Numbering.STATED)
    return dict(zip(ids, indices if video.numbering is Numbering.NAMES else ids))


def _shapes(
    root: Element, video: LabeledVideo, indices: Mapping[int, int]
) -> Iterator[tuple[str, int, str, int | None, Element]]:
    """(Place, frame, label, identity, element) of each shape that is in sight; names and sizes of images are noted.

    Args:
        root: Content of the file.
        video: Its video.
        indices: Frame indices by the ids of images.
    """
    path, left_out = video.where, video.left_out
    for track in root.iter("track"):
        track_id = _whole(track, "id", f"{path}: track")
        for shape in track:
            place = f"{path}: track {track_id}, {shape.tag} of frame {shape.get('frame')}"
            if shape.tag not in _SHAPES:
                left_out[f"shapes of the kind {shape.tag!r}"] += 1
            elif not _is_outside(shape):
                yield place, _whole(shape, "frame", place), str(track.get("label")), track_id, shape
    for image in root.iter("image"):
        number = _whole(image, "id", f"{path}: image")
        place, frame = f"{path}: image {number}", indices[number]
        name = PurePosixPath(image.get("name") or "").name
        video.frames[frame] = FrameFacts(name, size=(_whole(image, "height", place), _whole(image, "width", place)))
        for shape in image:
            if shape.tag in _SHAPES:
                yield f"{place}, {shape.tag}", frame, str(shape.get("label")), None, shape
            elif shape.tag in _OTHER_SHAPES:
                left_out[f"shapes of the kind {shape.tag!r}"] += 1


def _is_outside(shape: Element) -> bool:
    points = list(shape.iter("points")) if shape.tag == "skeleton" else []
    return shape.get("outside") == "1" or (bool(points) and all(point.get("outside") == "1" for point in points))


def _row(shape: Element, place: str, size: tuple[int, ...], joints: list[str]) -> Row:
    row = Row(0, _score(shape, place))
    if shape.tag == "box":
        row.box = tuple(_float(shape.get(name), f"{place}: {name}") for name in ("xtl", "ytl", "xbr", "ybr"))
    elif shape.tag == "skeleton":
        row.keypoints = _pose(shape, place, joints)
    else:
        good = 0 < size[0] * size[1] < MAX_PIXELS
        require(good, place, f"needs frames of a usable size, <original_size>, not {size[1]} x {size[0]} pixels")
        height, width = size
        row.rle = _mask(shape, place, height, width) if shape.tag == "mask" else _polygon(shape, place, height, width)
    return row


def _pose(shape: Element, place: str, joints: list[str]) -> np.ndarray:
    pose = np.zeros((len(joints), 3))
    for point in shape.iter("points"):
        name = str(point.get("label"))
        require(name in joints, place, f"the joint {name!r} is not one of the first skeleton's")
        ((x, y), *_) = _points(point, place)
        pose[joints.index(name)] = x, y, _score(point, place, 0.0 if point.get("outside") == "1" else _LABELED)
    return pose


def _polygon(shape: Element, place: str, height: int, width: int) -> RLE:
    polygon = [value for point in _points(shape, place) for value in point]
    return polygons_to_rle([polygon], (height, width), place)


def _mask(shape: Element, place: str, height: int, width: int) -> RLE:
    left, top, columns, rows = (_whole(shape, name, place) for name in ("left", "top", "width", "height"))
    try:
        runs = np.array([int(run) for run in str(shape.get("rle")).split(",")], dtype=np.int64)
    except (ValueError, OverflowError):
        raise AnnotationError(f"{place}: rle must be whole numbers, not {describe(shape.get('rle'))}") from None
    inside = left >= 0 and top >= 0 and columns > 0 and rows > 0 and left + columns <= width and top + rows <= height
    require(inside, place, f"the mask's box is not inside the frame of {width} x {height} pixels")
    good = bool((runs >= 0).all()) and int(runs.sum()) == columns * rows
    require(good, place, f"the runs of rle do not add up to {columns} x {rows} pixels")
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return encode_part(pixels.reshape(rows, columns), top, left, (height, width))


def _points(shape: Element, place: str) -> list[tuple[float, float]]:
    points = []
    for pair in str(shape.get("points")).split(";"):
        numbers = pair.split(",")
        require(len(numbers) == 2, place, f"points must be x,y;x,y;..., not {describe(shape.get('points'))}")
        points.append((_float(numbers[0], f"{place}: points"), _float(numbers[1], f"{place}: points")))
    return points


def _score(shape: Element, place: str, default: float = _LABELED) -> float:
    text = _attribute(shape, "score")
    return default if text is None else _float(text, f"{place}: score")


def _attribute(shape: Element, name: str) -> str | None:
    """Value of a shape's attribute; None if it has none."""
    values = (attribute.text for attribute in shape.iterfind("attribute") if attribute.get("name") == name)
    return next((value for value in values if value), None)


def _float(text: str | None, where: str) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    require(math.isfinite(number), where, f"must be a finite number, not {describe(text)}")
    return number


def _int(text: str | None, default: int) -> int:
    """A number from 0; the default where there is none."""
    return max(int(text), 0) if text and _WHOLE.fullmatch(text.strip()) else default


def _whole(element: Element, name: str, place: str) -> int:
    text = element.get(name) or ""
    require(bool(_WHOLE.fullmatch(text.strip())), f"{place}: {name}", f"must be a whole number, not {describe(text)}")
    return int(text)
