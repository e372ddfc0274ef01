"""MOTChallenge's layout: ``<video>/gt/gt.txt`` and ``<video>/seqinfo.ini``, see :mod:`ictrack.structures.mot_text`.

The class of a box is its category's id; names are in ``gt/labels.txt``, as CVAT writes it. Text without this layout is
read, too: one file, or a folder of them.
"""

from __future__ import annotations

import configparser
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from ..atomic_file import new_folder, replacing
from ..frame_tracks import VideoInfo
from ..json_files import AnnotationError, require
from ..mot_text import PICTURES_FOLDER
from ..safe_names import check_safe
from ..sequence_texts import SUFFIX, is_sequence_text
from ..track_formats.boxes import to_xywh
from ..track_formats.mot import NO_VISIBILITY, read_labels
from ..track_formats.rows import FrameFacts, LabeledVideo, Row, class_name
from .classes_file import name_classes, read_class_names, write_class_names
from .frames import MAX_FRAMES, files_of_videos, folders_of_videos, listed_frames, picture_name
from .label_set import LabelSet

_TEXT = Path("gt", "gt.txt")
_INFO = "seqinfo.ini"
_SECTION = "Sequence"


def read(path: Path) -> list[LabeledVideo]:
    """Videos of a folder of sequences, of one sequence, of a folder of texts, or of one text."""
    if path.is_dir():
        sequences = [folder for folder in (path, *folders_of_videos(path)) if (folder / _TEXT).is_file()]
        if sequences:
            return [_sequence(folder) for folder in sequences]
    return [read_labels(file) for file in files_of_videos(path, (SUFFIX,)) if is_sequence_text(file)]


def _sequence(folder: Path) -> LabeledVideo:
    video = read_labels(folder / _TEXT)
    name_classes(video, read_class_names(folder / "gt"))
    video.info = VideoInfo(folder.resolve().name, 0, 0, 0.0, (), ())
    if (folder / _INFO).is_file():
        _add_info(video, folder / _INFO)
    return video


def _add_info(video: LabeledVideo, path: Path) -> None:
    """Add name, size, rate and pictures of a ``seqinfo.ini``."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))
        section = parser[_SECTION]
        height, width, length = (section.getint(key, 0) for key in ("imHeight", "imWidth", "seqLength"))
        fps = section.getfloat("frameRate", 0.0)
    except (configparser.Error, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise AnnotationError(f"{path}: not a MOTChallenge sequence's description: {reason}") from None
    good = min(height, width, length) >= 0 and length <= MAX_FRAMES and np.isfinite(fps)
    require(bool(good), str(path), "imHeight, imWidth, seqLength and frameRate must be numbers of usual size")
    name = check_safe(section.get("name", video.info.name), f"{path}: name")
    video.info = VideoInfo(name, height, width, fps, (), ())
    video.folder = str(PurePosixPath(name) / check_safe(section.get("imDir", PICTURES_FOLDER), f"{path}: imDir"))
    suffix = section.get("imExt", ".jpg")
    check_safe(f"{1:06d}{suffix}", f"{path}: imExt")
    video.frames = {index: FrameFacts(f"{index + 1:06d}{suffix}") for index in range(length)}
    beyond = max(video.rows, default=-1) + 1
    require(not length or beyond <= length, video.where, f"has the frame {beyond}, {path.name} states {length} frames")


def write(path: Path, labels: LabelSet) -> None:
    with new_folder(path) as part:
        for video in labels.videos:
            folder = part / video.info.name
            with replacing(folder / _TEXT) as file:
                file.writelines(_lines(video))
            used = {int(row.category) for row in video}
            names = {number: name for number, name in labels.categories.items() if number in used}
            write_class_names(folder / "gt", names, class_name)
            with replacing(folder / _INFO) as file:
                file.write(_description(video).encode())


def _lines(video: LabeledVideo) -> Iterator[bytes]:
    for index in video.indices():
        for row in video.rows.get(index, ()):
            yield f"{','.join(map(_number, _values(index, row)))}\n".encode("ascii")


def _values(index: int, row: Row) -> tuple[float, ...]:
    box = to_xywh(np.array([row.extent()], dtype=np.float64))[0].tolist()
    track_id = -1 if row.track_id is None else row.track_id + 1
    visibility = NO_VISIBILITY if row.visibility is None else row.visibility
    return (index + 1, track_id, *box, row.score, int(row.category), visibility)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _description(video: LabeledVideo) -> str:
    frames = listed_frames(video)
    suffix = Path(picture_name(video, frames[0] if frames else 0)).suffix
    values = {
        "name": video.info.name,
        "imDir": PICTURES_FOLDER,
        "frameRate": _number(video.info.fps or 30),
        "seqLength": frames[-1] + 1 if frames else 0,
        "imWidth": video.info.width,
        "imHeight": video.info.height,
        "imExt": suffix,
    }
    return "".join([f"[{_SECTION}]\n", *(f"{key}={value}\n" for key, value in values.items())])
