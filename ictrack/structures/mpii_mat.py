"""MPII Human Pose as released, ``mpii_human_pose_v1_u12_1.mat``: reader and writer of its people.

The structure ``RELEASE`` has ``annolist`` (image.name; annorect with the head's box x1, y1, x2, y2 and annopoints.point
{id, x, y, is_visible}) and ``img_train``. Pixels count from 1 in the file; here the first pixel's center is (0.5, 0.5).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .atomic_file import replacing
from .joints import MPII_16
from .json_files import AnnotationError, require
from .matlab_file import check_compressed_mat
from .track_formats.boxes import offset_between

# The center of the first pixel is (1, 1) in the files and (0.5, 0.5) here.
SHIFT = -0.5
_HEAD = ("x1", "y1", "x2", "y2")
# Height of a person of scale 1, in pixels.
_UNIT_HEIGHT = 200


@dataclass(frozen=True)
class Person:
    """Person with joints.

    Attributes:
        pose: (16, 3) x, y, and 2 for a visible joint, 1 for a hidden one, 0 for one without label.
        head_box: x0, y0, x1, y1 of the head; None where the file has none.
    """

    pose: np.ndarray
    head_box: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Picture:
    """Image with its people.

    Attributes:
        name: Name of the file.
        is_labeled: Whether it is of the training images, of which all people have labels.
        people: People with joints; none in other images.
    """

    name: str
    is_labeled: bool
    people: list[Person]


def read_mpii_mat(path: str | os.PathLike) -> list[Picture]:
    """Images of a file, in its order.

    Raises:
        AnnotationError: the file is wrong; the message has its name and the path of the first problem.
        OSError: the file cannot be opened.
    """
    release = _read_matlab(path)
    try:
        return list(_pictures(release))
    except AnnotationError as error:
        raise AnnotationError(f"{path}: {error}") from None


def _read_matlab(path: str | os.PathLike) -> Any:
    """Structure RELEASE of a file. SciPy reads arrays and structures, and runs nothing."""
    from scipy.io import loadmat

    with open(path, "rb") as file:
        try:
            check_compressed_mat(file.read())
            file.seek(0)
            content = loadmat(file, struct_as_record=False, squeeze_me=True, variable_names=["RELEASE"])
        except Exception as error:  # SciPy raises many kinds on a damaged file
            raise AnnotationError(f"{path}: not a MATLAB file ({type(error).__name__}: {error})") from error
    require("RELEASE" in content, str(path), "has no variable RELEASE")
    return content["RELEASE"]


def _pictures(release: Any) -> Iterator[Picture]:
    """Images; a field may be missing anywhere."""
    entries, in_training = (_items(getattr(release, name, None)) for name in ("annolist", "img_train"))
    require(len(entries) == len(in_training) > 0, "RELEASE", "annolist and img_train must have one entry an image")
    for i, (entry, trains) in enumerate(zip(entries, in_training)):
        where = f"RELEASE.annolist({i + 1})"
        people = []
        for k, person in enumerate(_items(getattr(entry, "annorect", None)) if trains else []):
            points = _items(getattr(getattr(person, "annopoints", None), "point", None))
            if points:
                people.append(Person(_pose(points, f"{where}.annorect({k + 1}).annopoints"), _head_box(person)))
        name = getattr(getattr(entry, "image", None), "name", None)
        good = isinstance(name, str) and bool(name)
        require(good or not people, f"{where}.image.name", "must be a file's name")
        if good:
            yield Picture(str(name), bool(trains), people)


def _pose(points: list[Any], where: str) -> np.ndarray:
    pose = np.zeros((len(MPII_16), 3))
    for n, point in enumerate(points):
        joint, x, y = (_number(getattr(point, key, None)) for key in ("id", "x", "y"))
        known = joint in range(len(MPII_16)) and math.isfinite(x) and math.isfinite(y)
        require(known, f"{where}.point({n + 1})", f"must have an id below {len(MPII_16)} and finite x and y")
        # A number or a character; empty for joints of the head.
        is_hidden = str(getattr(point, "is_visible", 1)) == "0"
        pose[int(joint)] = x + SHIFT, y + SHIFT, 1 if is_hidden else 2
    return pose


def _head_box(person: Any) -> tuple[float, ...] | None:
    corners = [_number(getattr(person, key, None)) + SHIFT for key in _HEAD]
    return tuple(corners) if all(map(math.isfinite, corners)) else None


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float, np.number)) else math.nan


def _items(field: Any) -> list[Any]:
    """Entries of a MATLAB array, which SciPy squeezes to its entry if there is only one."""
    return [] if field is None else list(np.atleast_1d(field).ravel())


def write_mpii_mat(path: str | os.PathLike, pictures: Sequence[Picture]) -> None:
    """Write a file, which appears when it is complete. Place and scale of people are those of their joints."""
    from scipy.io import savemat

    entries = [
        {"image": {"name": picture.name}, "annorect": _structures([_rectangle(person) for person in picture.people])}
        for picture in pictures
    ]
    in_training = np.array([[picture.is_labeled for picture in pictures]], dtype=np.uint8)
    release = {"annolist": _structures(entries), "img_train": in_training}
    with replacing(Path(path)) as file:
        savemat(file, {"RELEASE": release}, do_compression=True)


def _rectangle(person: Person) -> dict[str, Any]:
    labeled = np.flatnonzero(person.pose[:, 2] > 0).tolist()
    places = offset_between(SHIFT, person.pose[:, :2])
    points = [
        {"id": joint, "x": places[joint, 0], "y": places[joint, 1], "is_visible": int(person.pose[joint, 2] > 1)}
        for joint in labeled
    ]
    low, high = places[labeled].min(axis=0), places[labeled].max(axis=0)
    head = offset_between(SHIFT, np.array(person.head_box or [math.nan] * len(_HEAD)))
    center = {"x": (low[0] + high[0]) / 2, "y": (low[1] + high[1]) / 2}
    head_box = {key: (np.zeros((0, 0)) if math.isnan(value) else value) for key, value in zip(_HEAD, head.tolist())}
    scale = float(high[1] - low[1]) / _UNIT_HEIGHT
    return {**head_box, "annopoints": {"point": _structures(points)}, "objpos": center, "scale": scale}


def _structures(entries: Sequence[dict[str, Any]]) -> np.ndarray:
    """MATLAB's array of structures with the same fields; an empty array without any."""
    if not entries:
        return np.zeros((0, 0))
    array = np.empty((1, len(entries)), dtype=[(key, object) for key in entries[0]])
    for i, entry in enumerate(entries):
        for key, value in entry.items():
            array[0, i][key] = value
    return array
