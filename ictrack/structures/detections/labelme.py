"""labelme's folder of JSON: a file a frame with ``imagePath``, ``imageHeight``, ``imageWidth`` and ``shapes``.

A shape has a ``label``, a ``shape_type`` ("rectangle" or "polygon"), ``points`` and perhaps a ``score``. Polygons of
one label and ``group_id`` in a frame are one object. Shapes of other types are left out, which is logged.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ..describe import describe
from ..frame_tracks import VideoInfo, VideoTracks
from ..hidden_files import is_hidden
from ..json_files import AnnotationError, is_finite, is_int, read_json, require
from ..rle import MAX_PIXELS
from ..track_formats.rows import Row, Rows
from ..youtube_vis_json import polygons_to_rle
from .frame_numbers import frame_indices

logger = logging.getLogger(__name__)

SUFFIX = ".json"


def read_labelme(path: str | os.PathLike) -> list[VideoTracks]:
    """The video of a folder's files, or of one file.

    Raises:
        AnnotationError: a file is wrong, or there is none; the message has its name and the JSON path.
    """
    path = Path(path)
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() == SUFFIX and not is_hidden(file.name))
    require(bool(files), str(path), f"holds no {SUFFIX} files")
    indices = frame_indices([file.stem for file in files])
    rows, left_out = Rows(), Counter[str]()
    names: dict[int, str] = {}
    sizes: dict[tuple[int, int], Path] = {}
    for file in files:
        data = read_json(file)
        try:
            size, name = _image(data)
            for row in _rows(data, size, left_out):
                rows.add(indices[file.stem], row)
        except AnnotationError as error:
            raise AnnotationError(f"{file}: {error}") from None
        sizes.setdefault(size, file)
        names[indices[file.stem]] = name or f"{file.stem}.jpg"
    if len(sizes) > 1:
        (first, of_first), (other, of_other), *_ = sizes.items()
        sides = f"{other[1]} x {other[0]} pixels, that of {of_first.name} {first[1]} x {first[0]}"
        require(False, str(of_other), f"the image has {sides}; frames of a video have one size")
    for what, count in left_out.items():
        logger.warning("%s: %d shapes of the type %s, left out", path, count, what)
    ((height, width),) = sizes
    return [rows.video(path, VideoInfo(path.stem, height, width, 0.0, (), ()), frame_names=names)]


def _image(data: Any) -> tuple[tuple[int, int], str]:
    """Size (H, W) and name of a file's image."""
    require(isinstance(data, dict) and isinstance(data.get("shapes"), list), "shapes", "must be a list")
    height, width = (data.get(key) for key in ("imageHeight", "imageWidth"))
    for key, side in (("imageHeight", height), ("imageWidth", width)):
        require(is_int(side) and side > 0, key, f"must be a positive integer, not {describe(side)}")
    require(height * width < MAX_PIXELS, "imageHeight", f"an image of {describe(height * width)} pixels is too large")
    path = data.get("imagePath") or ""
    require(isinstance(path, str), "imagePath", f"must be a name, not {describe(path)}")
    return (height, width), PurePosixPath(PureWindowsPath(path).as_posix()).name


def _rows(data: dict[str, Any], size: tuple[int, int], left_out: Counter[str]) -> list[Row]:
    rows: list[Row] = []
    objects: dict[Any, tuple[Row, list[list[float]]]] = {}
    for i, shape in enumerate(data["shapes"]):
        where = f"shapes[{i}]"
        require(isinstance(shape, dict), where, "must be an object")
        label, kind = shape.get("label"), shape.get("shape_type") or "polygon"
        require(isinstance(label, str), f"{where}.label", f"must be a string, not {describe(label)}")
        if kind not in ("rectangle", "polygon"):
            left_out[describe(kind)] += 1
            continue
        points = shape.get("points")
        good = isinstance(points, list) and all(
            isinstance(point, list) and len(point) == 2 and all(map(is_finite, point)) for point in points
        )
        require(good, f"{where}.points", "must be a list of [x, y]")
        score = shape.get("score")
        score = 1.0 if score is None else score
        require(is_finite(score), f"{where}.score", f"must be a number, not {describe(score)}")
        if kind == "rectangle":
            require(len(points) in (2, 4), f"{where}.points", f"a rectangle has 2 or 4 corners, not {len(points)}")
            x, y = zip(*points)
            rows.append(Row(label, float(score), (min(x), min(y), max(x), max(y))))
            continue
        group = shape.get("group_id")
        key = i if group is None else (label, describe(group))
        if key not in objects:
            objects[key] = (Row(label, float(score)), [])
            rows.append(objects[key][0])
        objects[key][1].append([value for point in points for value in point])
    for row, polygons in objects.values():
        row.rle = polygons_to_rle(polygons, size, f"polygons of {row.category!r}")
    return rows
