"""Readers of detections by the format of their files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..hidden_files import is_hidden
from ..json_files import AnnotationError, read_json, require
from ..track_formats import FORMATS, coco, youtube_vis
from .labelme import read_labelme
from .source import DetectionSource
from .yolo import KINDS, read_yolo

_YOLO = {"yolo": None, **{f"yolo-{kind}": kind for kind in KINDS}}
NAMES = (*FORMATS, *_YOLO, "labelme")
# Formats whose results files name neither images nor classes.
_WITH_IMAGES = {"coco": coco, "youtube-vis": youtube_vis}
_BY_SUFFIX = {".xml": "cvat", ".csv": "csv", ".parquet": "parquet", ".jsonl": "json-lines"}
_MOTS_FIELDS = 6


def read_detections(
    path: str | os.PathLike, name: str | None = None, *, images: str | os.PathLike | None = None
) -> DetectionSource:
    """Detections, or labels, of one or more videos.

    Args:
        path: File or folder of detections.
        name: Name of its format in ``NAMES``; None: by its content.
        images: File with the images and categories of a COCO results file, or with the videos and categories of one
            of YouTube-VIS.

    Raises:
        AnnotationError: the file is wrong or of an unknown format; the message has its name and the place.
        OSError: the file cannot be opened.
    """
    if name is not None:
        require(name in NAMES, str(path), f"{name!r} is no format of detections; the formats are {', '.join(NAMES)}")
    name = name or guess_format(path)
    if name in _YOLO:
        return read_yolo(path, _YOLO[name])
    if name == "labelme":
        return DetectionSource.of_videos(str(path), read_labelme(path))
    if name in _WITH_IMAGES:
        return DetectionSource.of_videos(str(path), _WITH_IMAGES[name].read(path, images))
    return DetectionSource.of_videos(str(path), FORMATS[name].read(path))


def guess_format(path: str | os.PathLike) -> str:
    """Name of the format of a file or folder of detections, by its content. Raises AnnotationError if it is unknown."""
    path = Path(path)
    require(path.exists(), str(path), "no such file or folder")
    if path.is_dir():
        return _format_of_folder(path)
    suffix = path.suffix.lower()
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    if suffix in (".json", ".gz", ".zip"):
        return _format_of_json(path, read_json(path))
    if suffix == ".txt":
        return _format_of_text(path)
    raise AnnotationError(f"{path}: detections in a file of this suffix are unknown; name the format")


def _format_of_folder(path: Path) -> str:
    names = sorted(file.name for file in path.rglob("*") if file.is_file() and not is_hidden(file.name))
    for suffix, name in ((".txt", "yolo"), (".json", "labelme"), (".png", "mots-png")):
        if any(file.lower().endswith(suffix) for file in names):
            return name
    raise AnnotationError(f"{path}: holds no files of detections (.txt of YOLO, .json of labelme, .png of MOTS)")


def _format_of_json(path: Path, data: Any) -> str:
    if isinstance(data, list):
        first = data[0] if data else {}
        return "youtube-vis" if isinstance(first, dict) and "segmentations" in first else "coco"
    for key, name in (("videos", "youtube-vis"), ("shapes", "labelme"), ("images", "coco")):
        if isinstance(data, dict) and key in data:
            return name
    raise AnnotationError(f"{path}: neither COCO's nor YouTube-VIS's nor labelme's JSON; name the format")


def _format_of_text(path: Path) -> str:
    with path.open("rb") as file:
        first = next((line for line in file if line.strip()), b"")
    fields = first.split()
    is_mots = len(fields) == _MOTS_FIELDS and b"," not in first and not _is_number(fields[-1])
    return "mots" if is_mots else "mot"


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
