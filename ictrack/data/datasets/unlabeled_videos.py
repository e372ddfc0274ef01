"""Unlabeled videos: YouTube-VOS, PoseTrack18, and a user's own files and folders in any layout.

Below ``DETECTRON2_DATASETS`` (default ``./datasets``), as they are distributed::

    ytvos_2019/train/JPEGImages/<video>/<frame>.jpg      registered as ytvos_2019_train_unlabeled
    posetrack18/images/train/<video>/<frame>.jpg         registered as posetrack18_train_unlabeled

YouTube-VIS takes its videos from YouTube-VOS, under the same names: ``DATASETS.UNLABELED_EXCLUDE`` keeps the videos of
an evaluation on YouTube-VIS out of training.
"""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from detectron2.data import DatasetCatalog, MetadataCatalog

from ictrack.data.frame_stream import VideoReadError
from ictrack.data.image_file import IMAGE_SUFFIXES
from ictrack.data.video_io import glob_files
from ictrack.data.video_list import VIDEO_SUFFIXES
from ictrack.structures.hidden_files import is_hidden
from ictrack.structures.natural_order import natural_key
from ictrack.structures.youtube_vis_json import read_ground_truth, video_name

logger = logging.getLogger(__name__)

# The folder of frames in DAVIS, YouTube-VOS and YouTube-VIS; images in folders beside it are annotations.
FRAMES_FOLDER = "JPEGImages"

_LAYOUTS = {
    "ytvos_2019_train_unlabeled": "ytvos_2019/train",
    "posetrack18_train_unlabeled": "posetrack18/images/train",
}


def register_unlabeled_videos(name: str, sources: str | Sequence[str], fps: float | None = None) -> None:
    """Register unlabeled videos under ``name``, for ``cfg.DATASETS.UNLABELED``. Nothing is opened before use.

    Args:
        name: Name of the data set.
        sources: Path or glob, or several of them, see :func:`find_videos`.
        fps: Frames per second of folders of images; None: ``INPUT.UNLABELED.FOLDER_FPS``.
    """
    DatasetCatalog.register(name, lambda: find_videos(sources, fps))
    MetadataCatalog.get(name).set(sources=[sources] if isinstance(sources, str) else list(sources))


def register_all_unlabeled_videos(root: str) -> None:
    """Register the public data sets below the folder ``root``; names that exist already are left alone."""
    for name, folder in _LAYOUTS.items():
        if name not in DatasetCatalog:
            register_unlabeled_videos(name, os.path.join(root, folder))


def find_videos(sources: str | Sequence[str], fps: float | None = None) -> list[dict[str, Any]]:
    """Records of videos, in the order of the sources: ``video_name``, and ``video_file`` or ``file_names``.

    A source is

    * a video file;
    * a folder: every video file in it or below is a video, and so is every folder with images, in natural order of
      their names. Of a folder that contains ``JPEGImages``, only that subfolder counts;
    * a glob of such files and folders, or of images, which are grouped by their folder;
    * a text file (``.txt``) of such paths and globs, one a line, relative to the text file's folder; ``#`` starts a
      comment.

    Nothing is decoded, so a file that is no video fails only when it is read. An empty folder is logged.

    Args:
        sources: One or several sources.
        fps: Frames per second to store with folders of images; None: unknown.

    Raises:
        VideoReadError: a source does not exist, or there is no video in all of them.
    """
    paths = [sources] if isinstance(sources, str) else list(sources)
    records = [record for path in paths for record in _records_of(path)]
    if not records:
        raise VideoReadError(f"{', '.join(paths)}: no video file and no folder of images")
    if fps is not None:
        for record in records:
            if "file_names" in record:
                record["fps"] = fps
    return records


def exclude_videos(records: Sequence[dict[str, Any]], exclude: Iterable[str]) -> list[dict[str, Any]]:
    """Records whose ``video_name`` is not excluded; the number of excluded ones is logged.

    Args:
        records: Result of :func:`find_videos`.
        exclude: Names of videos, ``.txt`` files with a name a line, and YouTube-VIS files (``.json``, ``.json.gz``)
            or registered data sets, all of whose videos are excluded.

    Raises:
        AnnotationError, OSError: a file cannot be read.
    """
    names = {name for entry in exclude for name in names_of_videos(entry)}
    kept = [record for record in records if record["video_name"] not in names]
    if names:
        excluded = len(records) - len(kept)
        logger.info("%d of %d unlabeled videos are excluded (%d names to exclude)", excluded, len(records), len(names))
    return kept


def names_of_videos(entry: str) -> list[str]:
    """Names of the videos of a registered data set, a YouTube-VIS file or a ``.txt`` file; else the entry itself."""
    if entry in DatasetCatalog:
        json_file = MetadataCatalog.get(entry).get("json_file")
        return names_of_videos(json_file) if json_file else [r["video_name"] for r in DatasetCatalog.get(entry)]
    if entry.endswith((".json", ".json.gz")):
        return [video_name(video) for video in read_ground_truth(entry)["videos"]]
    if entry.endswith(".txt"):
        return [name for _, name in _lines(entry)]
    return [entry]


def _lines(path: str) -> list[tuple[int, str]]:
    """Numbers and texts of the lines of a file that are not empty, without comments."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = [line.split("#")[0].strip() for line in file]
    except UnicodeDecodeError as error:
        raise VideoReadError(f"{path}: not a text file ({error})") from error
    return [(number, line) for number, line in enumerate(lines, 1) if line]


def _records_of_list(path: str) -> Iterator[dict[str, Any]]:
    folder = os.path.dirname(path)
    for number, line in _lines(path):
        try:
            yield from _records_of(os.path.join(folder, line))
        except VideoReadError as error:
            raise VideoReadError(f"{path}: line {number}: {error}") from error


def _records_of(path: str) -> list[dict[str, Any]]:
    if os.path.isdir(path):
        return list(_walk(path))
    if os.path.isfile(path):
        if path.endswith(".txt"):
            return list(_records_of_list(path))
        if path.lower().endswith(IMAGE_SUFFIXES):
            return [_folder_record(os.path.dirname(path), [path])]
        return [_file_record(path)]
    if glob.has_magic(path):
        return _glob_records(path)
    raise VideoReadError(f"{path}: no such file, folder or glob")


def _glob_records(pattern: str) -> list[dict[str, Any]]:
    matches = glob_files(pattern)
    if not matches:
        raise VideoReadError(f"{pattern}: nothing matches this pattern")
    records: list[dict[str, Any]] = []
    images: dict[str, list[str]] = {}
    for match in matches:
        if match.lower().endswith(IMAGE_SUFFIXES) and os.path.isfile(match):
            images.setdefault(os.path.dirname(match), []).append(match)
        elif os.path.isdir(match) or match.lower().endswith(VIDEO_SUFFIXES):
            records += _records_of(match)
    return records + [_folder_record(folder, paths) for folder, paths in images.items()]


def _walk(root: str) -> Iterator[dict[str, Any]]:
    """Records of all videos in a folder and below, in natural order. Symbolic links are followed once."""
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        if os.path.realpath(folder) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(folder))
        if FRAMES_FOLDER in folders:
            folders[:] = [FRAMES_FOLDER]
        else:
            folders[:] = sorted((name for name in folders if not is_hidden(name)), key=natural_key)
        visible = sorted((name for name in files if not is_hidden(name)), key=natural_key)
        images = [os.path.join(folder, name) for name in visible if name.lower().endswith(IMAGE_SUFFIXES)]
        videos = [os.path.join(folder, name) for name in visible if name.lower().endswith(VIDEO_SUFFIXES)]
        if images and FRAMES_FOLDER not in folders:
            yield _folder_record(folder, images)
        yield from map(_file_record, videos)
        if not (images or videos or folders):
            logger.warning("%s: holds neither images nor videos; skipped", folder)


def _file_record(path: str) -> dict[str, Any]:
    return {"video_name": _name(os.path.splitext(path)[0]), "video_file": path}


def _folder_record(folder: str, images: list[str]) -> dict[str, Any]:
    return {"video_name": _name(folder), "file_names": images}


def _name(path: str) -> str:
    return os.path.basename(os.path.abspath(path))
