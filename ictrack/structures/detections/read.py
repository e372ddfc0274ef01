"""Readers of detections by the format of their files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from ..describe import describe
from ..frame_tracks import VideoTracks
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
_SUFFIXES = (*_BY_SUFFIX, ".json", ".txt")
_MOTS_FIELDS = 6
# Names of classes, which lie beside YOLO's files.
_CLASSES = "classes.txt"
# Lines with content by which a text is recognized: the first ones may be a header, or damaged.
_NUM_LINES = 5


def read_detections(
    path: str | os.PathLike, name: str | None = None, *, images: str | os.PathLike | None = None
) -> DetectionSource:
    """Detections, or labels, of one or more videos.

    Args:
        path: File or folder of detections, or folder of files of a video each, by their names.
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
    if name in _WITH_IMAGES and not Path(path).is_dir():
        return DetectionSource.of_videos(str(path), _WITH_IMAGES[name].read(path, images))
    if name != "mots-png" and Path(path).is_dir():
        return DetectionSource.of_videos(str(path), _read_videos(Path(path), name))
    return DetectionSource.of_videos(str(path), FORMATS[name].read(path))


def guess_format(path: str | os.PathLike) -> str:
    """Name of the format of a file or folder of detections, by its content. Raises AnnotationError if it is unknown.

    That of a folder of files of a video each is the format of these files.
    """
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
        return format_of_text(path)
    raise AnnotationError(f"{path}: detections in a file of this suffix are unknown; name the format")


def _files_of_videos(folder: Path) -> list[Path]:
    """Files of a video each in a folder, or in MOTChallenge's layout ``<video>/det/det.txt``."""
    files = [file for file in folder.iterdir() if file.is_file() and not is_hidden(file.name)]
    return sorted(file for file in files or folder.glob("*/det/det.txt") if file.suffix.lower() in _SUFFIXES)


def _read_videos(folder: Path, name: str) -> list[VideoTracks]:
    """Videos of a folder with a file each, by the names of the files."""
    videos = []
    for file in _files_of_videos(folder):
        read = FORMATS[name].read(file)
        if len(read) == 1 and file.parent == folder:
            read = [replace(read[0], info=replace(read[0].info, name=file.stem))]
        videos += read
    return videos


def _format_of_folder(path: Path) -> str:
    files = _files_of_videos(path)
    if files:
        first = next((file for file in files if file.name != _CLASSES), None)
        name = guess_format(first) if first else "yolo"
        return "yolo" if name == "mot" and _is_yolo(files) else name
    names = sorted(file.name for file in path.rglob("*") if file.is_file() and not is_hidden(file.name))
    for suffix, name in ((".txt", "yolo"), (".json", "labelme"), (".png", "mots-png")):
        if any(file.lower().endswith(suffix) for file in names):
            return name
    raise AnnotationError(f"{path}: holds no files of detections (.txt of YOLO, .json of labelme, .png of MOTS, ...)")


def _is_yolo(files: Sequence[Path]) -> bool:
    """Whether text is YOLO's: by blanks, and not commas, in the first file that is not empty."""
    texts = (file.read_bytes() for file in files if file.name != _CLASSES)
    return b"," not in next((text for text in texts if text.strip()), b"")


def _format_of_json(path: Path, data: Any) -> str:
    if isinstance(data, list):
        first = data[0] if data else {}
        return "youtube-vis" if isinstance(first, dict) and "segmentations" in first else "coco"
    for key, name in (("videos", "youtube-vis"), ("shapes", "labelme"), ("images", "coco")):
        if isinstance(data, dict) and key in data:
            return name
    raise AnnotationError(f"{path}: neither COCO's nor YouTube-VIS's nor labelme's JSON; name the format")


def format_of_text(path: Path) -> str:
    """Name of a text's format, "mot" or "mots".

    Raises:
        AnnotationError: None of its first lines is a row of numbers; the message has its name.
    """
    with path.open("rb") as file:
        lines = list(islice(filter(None, map(bytes.strip, file)), _NUM_LINES))
    if lines and not any(map(_is_row, lines)):
        raise AnnotationError(f"{path}: {_why_no_rows(lines[0])}")
    first = lines[0] if lines else b""
    fields = first.split()
    is_mots = len(fields) == _MOTS_FIELDS and b"," not in first and not _is_number(fields[-1])
    return "mots" if is_mots else "mot"


def _why_no_rows(line: bytes) -> str:
    try:
        text = describe(line.decode())
    except UnicodeDecodeError:
        return "no text file"
    return f"begins with {text}, which is no row of numbers, as those of MOTChallenge, MOTS and YOLO are"


def _is_row(line: bytes) -> bool:
    """Whether most fields of a line are numbers, at least two."""
    fields = line.replace(b",", b" ").replace(b";", b" ").split()
    return sum(map(_is_number, fields)) >= max(2, len(fields) / 2)


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
