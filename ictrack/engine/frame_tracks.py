"""Tracks of a frame with encoded masks, without dense masks or tensors."""

from __future__ import annotations

from typing import Any

from ictrack.structures.frame_arrays import FrameArrays
from ictrack.structures.frame_tracks import FrameTracks
from ictrack.structures.rle import encode_mask


def to_frame_tracks(detections: Any, index: int, *, file_name: str = "", time: float | None = None) -> FrameTracks:
    """Detections of one frame, independent of tensors.

    Args:
        detections: N detections at the frame's size, Instances or arrays, see :meth:`FrameArrays.of`.
        index: Frame index, 0-based.
        file_name: Name of the frame's picture, or the name that it would have.
        time: Seconds since the first frame.
    """
    frame = FrameArrays.of(detections)
    return FrameTracks(
        index,
        frame.scores,
        frame.classes,
        frame.boxes,
        frame.ids,
        None if frame.masks is None else [encode_mask(mask) for mask in frame.masks],
        frame.keypoints,
        file_name,
        time,
    )
