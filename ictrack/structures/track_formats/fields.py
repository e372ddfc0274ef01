"""Fields that the detections of a video have, and what a file format needs of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ..frame_tracks import FrameTracks
from ..json_files import AnnotationError

# Exclusive bound of contiguous classes in files, so that a damaged number cannot fill the memory with names.
MAX_CLASSES = 100_000


class TrackFormatError(AnnotationError):
    """Detections that a file format cannot hold; the message names the file and what is missing."""


@dataclass(frozen=True)
class Fields:
    """Optional fields that detections have: identities, masks, and poses."""

    ids: bool
    masks: bool
    poses: bool

    @classmethod
    def of(cls, frame: FrameTracks) -> Fields:
        return cls(frame.ids is not None, frame.rles is not None, frame.keypoints is not None)


def check_fields(fields: Fields, path: object, needs: Iterable[str]) -> None:
    """Raise TrackFormatError, with the file that is to be written, if detections lack a field that its format needs.

    Args:
        fields: Fields of the detections.
        path: File.
        needs: Names of fields: "ids", "masks", "poses".
    """
    for name, what in (("ids", "identities"), ("masks", "masks"), ("poses", "poses")):
        if name in needs and not getattr(fields, name):
            raise TrackFormatError(f"{path}: this format holds {what}, but the detections have none")


def with_fields(
    frames: Iterable[FrameTracks], path: object, *, needs: Iterable[str] = ()
) -> tuple[Fields, Iterator[FrameTracks]]:
    """Fields of a video's detections, and the same frames, checked while they are read.

    Frames before the first one with detections are read at once. Only where there is no detection at all, the fields
    are those of the last frame.

    Args:
        frames: Frames in ascending order.
        path: File that is to be written, for errors.
        needs: Names of the fields that detections must have.

    Raises:
        TrackFormatError: the detections lack a field; or, while the frames are read, later ones have other fields than
            the first, or a frame does not come after the one before.
    """
    iterator = iter(frames)
    first: list[FrameTracks] = []
    fields = Fields(ids=False, masks=False, poses=False)
    for frame in iterator:
        first.append(frame)
        fields = Fields.of(frame)
        if len(frame):
            check_fields(fields, path, needs)
            break
    return fields, _checked(chain(first, iterator), fields, path)


def _checked(frames: Iterable[FrameTracks], fields: Fields, path: object) -> Iterator[FrameTracks]:
    last = -1
    for frame in frames:
        if frame.index <= last:
            raise TrackFormatError(f"{path}: frame {frame.index} came after frame {last}")
        if len(frame) and Fields.of(frame) != fields:
            raise TrackFormatError(f"{path}: frame {frame.index} has other fields ({Fields.of(frame)}) than {fields}")
        last = frame.index
        yield frame


def every_frame(frames: Iterable[FrameTracks]) -> Iterator[FrameTracks]:
    """Frames from index 0 on, those that are missing without detections."""
    expected = 0
    for frame in frames:
        for index in range(expected, frame.index):
            yield no_detections(index)
        yield frame
        expected = frame.index + 1


def no_detections(index: int) -> FrameTracks:
    """Frame without detections."""
    return FrameTracks(index, np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros((0, 4)))
