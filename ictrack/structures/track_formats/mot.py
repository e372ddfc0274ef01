"""MOTChallenge text: a row ``frame,id,x,y,w,h,score,class,-1`` for each detection of each frame.

Frames and identities count from 1 in the file and from 0 here; an id of -1 says that a detection was not tracked. Boxes
are in continuous pixels. The class is the category's id, or 1, MOTChallenge's pedestrian, for a detector of one class:
the official evaluation refuses other classes. Masks, poses and names are not held.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from ..atomic_file import replacing
from ..frame_tracks import FrameTracks, VideoInfo, VideoTracks
from ..mot_text import parse_mot
from .boxes import to_xywh, to_xyxy
from .fields import with_fields
from .rows import LabeledVideo, Row

logger = logging.getLogger(__name__)

# Names of a sequence's own files, which lie in a folder of the same name in the sequence's folder.
_OF_SEQUENCE = ("gt", "det")
# Ninth number where the share of a box that is in sight is unknown.
NO_VISIBILITY = -1


def write(path: str | os.PathLike, info: VideoInfo, frames: Iterable[FrameTracks]) -> None:
    """Write a video's detections or tracks, frame by frame. Raises TrackFormatError as :func:`with_fields`."""
    fields, frames = with_fields(frames, path)
    if fields.masks or fields.poses:
        logger.info("%s: MOTChallenge's text holds boxes; masks and poses are left out", path)
    one_class = len(info.class_names) == 1
    with replacing(path) as file:
        for frame in frames:
            ids = [-1] * len(frame) if frame.ids is None else (frame.ids + 1).tolist()
            boxes = to_xywh(frame.boxes).tolist()
            for track_id, box, score, index in zip(ids, boxes, frame.scores.tolist(), frame.classes.tolist()):
                category = 1 if one_class else info.category_id(index)
                row = (frame.index + 1, track_id, *box, score, category, NO_VISIBILITY)
                file.write(",".join(map(repr, row)).encode("ascii") + b"\n")


def read(path: str | os.PathLike) -> list[VideoTracks]:
    """The file's one video; its classes have only ids.

    Raises:
        AnnotationError: a row is wrong; the message has file and line.
        OSError: the file cannot be opened.
    """
    return [read_labels(path).tracks()]


def read_labels(path: str | os.PathLike) -> LabeledVideo:
    """The file's objects. Raises as :func:`read`."""
    path = Path(path)
    table = parse_mot(path.read_bytes(), str(path))
    scores = [1.0] * len(table) if table.scores is None else table.scores.tolist()
    classes = table.classes()
    categories = [1] * len(table) if classes is None else classes.tolist()
    is_own = path.stem in _OF_SEQUENCE and path.parent.name == path.stem
    name = path.absolute().parent.parent.name if is_own else path.stem
    video = LabeledVideo(str(path), VideoInfo(name, 0, 0, 0.0, (), ()))
    boxes = to_xyxy(table.boxes).tolist()
    rest = table.rest[:, 1].tolist() if table.rest.shape[1] > 1 else [NO_VISIBILITY] * len(table)
    for frame, track_id, box, score, category, visibility in zip(
        table.frames.tolist(), table.ids.tolist(), boxes, scores, categories, rest
    ):
        row = Row(category, score, tuple(box), track_id - 1 if track_id >= 0 else None)
        row.visibility = None if visibility == NO_VISIBILITY else visibility
        video.add(frame - 1, row)
    return video
