"""labelme's JSON: ``<video>/<frame>.json``, see :mod:`ictrack.structures.detections.labelme`.

A mask is written as polygons along the edges of its pixels, which give exactly the same mask again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..atomic_file import new_folder, replacing
from ..detections.labelme import CROWD, OCCLUDED, SUFFIX, UNTRACKED, read_labels
from ..hidden_files import is_hidden
from ..json_files import require
from ..polygons import polygons_of_rle
from ..track_formats.fields import TrackFormatError
from ..track_formats.rows import LabeledVideo, Row
from .frames import folders_of_videos, listed_frames, picture_name
from .label_set import LabelSet

_VERSION = "5.5.0"
_Part = tuple[str, str, list[list[float]], float, dict[str, bool]]


def read(path: Path, *, tracks_by_label: bool = False) -> list[LabeledVideo]:
    """Videos of a folder of folders of files, of one folder of them, or of one file.

    Args:
        path: Folder or file.
        tracks_by_label: See :func:`.detections.labelme.read_labels`.
    """
    require(path.exists(), str(path), "no such file or folder")
    folders = [path]
    if path.is_dir() and not any(_is_label(file) for file in path.iterdir()):
        folders = [folder for folder in folders_of_videos(path) if any(map(_is_label, folder.iterdir()))]
        require(bool(folders), str(path), f"holds no {SUFFIX} files")
    return [read_labels(folder, tracks_by_label=tracks_by_label) for folder in folders]


def _is_label(path: Path) -> bool:
    return path.suffix.lower() == SUFFIX and not is_hidden(path.name)


def write(path: Path, labels: LabelSet) -> None:
    has_tracks = any(row.track_id is not None for row in labels.rows())
    with new_folder(path) as part:
        for video in labels.videos:
            for index in listed_frames(video):
                name = picture_name(video, index)
                rows = video.rows.get(index, ())
                if has_tracks and any(row.track_id is None and _num_shapes(row) > 1 for row in rows):
                    what = f"an object without identity in {name} has several shapes, which only a group ties together"
                    raise TrackFormatError(f"{path}: {what}; --drop ids writes all objects without identities")
                content = {
                    "version": _VERSION,
                    "flags": {} if has_tracks else {UNTRACKED: True},
                    "shapes": list(_shapes(rows, labels, has_tracks)),
                    "imagePath": name,
                    "imageData": None,
                    "imageHeight": (video.facts(index).size or (0, 0))[0],
                    "imageWidth": (video.facts(index).size or (0, 0))[1],
                }
                with replacing(part / video.info.name / f"{Path(name).stem}{SUFFIX}") as file:
                    file.write(json.dumps(content, indent=2).encode())


def _num_shapes(row: Row) -> int:
    return sum(1 for _ in _parts(row, ())) + (row.keypoints is not None)


def _shapes(rows: Sequence[Row], labels: LabelSet, has_tracks: bool) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(rows):
        group = row.track_id if has_tracks else number if _num_shapes(row) > 1 else None
        flags = {CROWD: True} if row.is_crowd else {}
        for kind, label, points, score, own_flags in _parts(row, labels.joint_names):
            shape = {
                "label": label or labels.categories[int(row.category)],
                "points": points,
                "group_id": group,
                "description": "",
                "shape_type": kind,
                "flags": {**flags, **own_flags},
                "mask": None,
            }
            yield shape if score == 1 else {**shape, "score": score}


def _parts(row: Row, joint_names: Sequence[str]) -> Iterator[_Part]:
    """(Kind, name of a joint or "", points, score, flags) of each shape of an object."""
    if row.box is not None or row.rle is None:
        x0, y0, x1, y1 = row.extent()
        yield "rectangle", "", [[x0, y0], [x1, y1]], row.score, {}
    if row.rle is not None:
        for polygon in polygons_of_rle(row.rle):
            yield "polygon", "", [list(point) for point in zip(polygon[::2], polygon[1::2])], row.score, {}
    if row.keypoints is not None:
        for joint, (name, (x, y, score)) in enumerate(zip(joint_names, row.keypoints.tolist())):
            if score > 0:
                is_hidden_joint = row.occluded is not None and bool(row.occluded[joint])
                yield "point", name, [[x, y]], score, {OCCLUDED: True} if is_hidden_joint else {}
