"""JSON Lines of ICTrack: a line of facts about the video, then a line for each frame, written as the frames come.

The first line is ``{"format": "ictrack", "version": 1, "name", "height", "width", "fps", "class_names", "category_ids",
"joint_names"}``, the others ``{"frame", "file_name", "time", "ids", "scores", "classes", "boxes", "masks",
"keypoints"}`` with the fields of :class:`FrameTracks`: ``boxes`` are [x0, y0, x1, y1], ``masks`` the strings of COCO's
RLEs, whose size is the video's, and ``ids``, ``masks`` and ``keypoints`` null where there are none. The format holds
everything, to the bit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic_file import replacing
from ..describe import describe
from ..frame_tracks import FrameTracks, VideoInfo, VideoTracks
from ..json_files import AnnotationError, is_int, parse_json, require
from .fields import MAX_CLASSES, with_fields
from .masks import checked_rles

_FORMAT, _VERSION = "ictrack", 1


def write(path: str | os.PathLike, info: VideoInfo, frames: Iterable[FrameTracks]) -> None:
    """Write a video's detections or tracks, frame by frame. Raises TrackFormatError as :func:`with_fields`."""
    _, frames = with_fields(frames, path)
    with replacing(path) as file:
        file.write(header_line(info))
        for frame in frames:
            file.write(frame_line(frame))


def read(path: str | os.PathLike) -> list[VideoTracks]:
    """The file's one video.

    Raises:
        AnnotationError: a line is wrong; the message has the file and the line.
        OSError: the file cannot be opened.
    """
    info, frames = open_lines(path)
    return [VideoTracks(info, list(frames))]


def open_lines(path: str | os.PathLike, *, is_partial: bool = False) -> tuple[VideoInfo, Iterator[FrameTracks]]:
    """Facts about the video, and its frames, of which one is in memory at a time.

    Args:
        path: File to read.
        is_partial: Whether the file may break off in the middle of its last line, which is then left out.

    Raises:
        AnnotationError: a line is wrong; of a frame's line, when it is its turn.
        OSError: the file cannot be opened.
    """
    lines = _lines(path, is_partial)
    first = next(lines, None)
    require(first is not None, str(path), "is empty")
    assert first is not None
    info = _parse_header(first, f"{path}: line 1")
    return info, (_parse_frame(line, info, f"{path}: line {number}") for number, line in enumerate(lines, 2))


def header_line(info: VideoInfo) -> bytes:
    """First line of a file, with its line feed."""
    return _encode({"format": _FORMAT, "version": _VERSION, **vars(info)})


def frame_line(frame: FrameTracks) -> bytes:
    """Line of a frame, with its line feed."""
    return _encode(
        {
            "frame": frame.index,
            "file_name": frame.file_name,
            "time": frame.time,
            "ids": None if frame.ids is None else frame.ids.tolist(),
            "scores": frame.scores.tolist(),
            "classes": frame.classes.tolist(),
            "boxes": frame.boxes.tolist(),
            "masks": None if frame.rles is None else [rle["counts"] for rle in frame.rles],
            "keypoints": None if frame.keypoints is None else frame.keypoints.tolist(),
        }
    )


def _encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def _lines(path: str | os.PathLike, is_partial: bool) -> Iterator[bytes]:
    with Path(path).open("rb") as file:
        for line in file:
            if line.endswith(b"\n") or not is_partial:
                yield line


def _parse_header(line: bytes, where: str) -> VideoInfo:
    data = parse_json(line, where)
    is_ours = isinstance(data, dict) and (data.get("format"), data.get("version")) == (_FORMAT, _VERSION)
    require(is_ours, where, f'must be {{"format": "{_FORMAT}", "version": {_VERSION}, ...}}')
    try:
        return VideoInfo(
            str(data["name"]),
            int(data["height"]),
            int(data["width"]),
            float(data["fps"]),
            tuple(map(str, data["class_names"])),
            tuple(map(int, data["category_ids"])),
            tuple(map(str, data["joint_names"])),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise AnnotationError(f"{where}: {type(error).__name__}: {error}") from None


def _parse_frame(line: bytes, info: VideoInfo, where: str) -> FrameTracks:
    data = parse_json(line, where)
    require(isinstance(data, dict) and is_int(data.get("frame")), where, 'must be an object with the number "frame"')
    size = (info.height, info.width)
    try:
        masks = data["masks"]
        num = len(data["scores"])
        joints = -1 if num else len(info.joint_names)
        rles = None if masks is None else [{"size": list(size), "counts": counts} for counts in masks]
        frame = FrameTracks(
            data["frame"],
            np.array(data["scores"], dtype=np.float64),
            np.array(data["classes"], dtype=np.int64),
            np.array(data["boxes"], dtype=np.float64).reshape(num, 4),
            None if data["ids"] is None else np.array(data["ids"], dtype=np.int64),
            rles if rles is None else checked_rles(rles, [f"{where}: masks[{i}]" for i in range(len(rles))]),
            None
            if data["keypoints"] is None
            else np.array(data["keypoints"], dtype=np.float64).reshape(num, joints, 3),
            str(data["file_name"]),
            None if data["time"] is None else float(data["time"]),
        )
        good = bool(((frame.classes >= 0) & (frame.classes < MAX_CLASSES)).all())
        require(good, where, f"classes must be indices below {MAX_CLASSES}, not {describe(data['classes'])}")
    except AnnotationError:
        raise
    except KeyError as error:
        raise AnnotationError(f"{where}: lacks {describe(error.args[0])}") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise AnnotationError(f"{where}: {error}") from None
    return frame
