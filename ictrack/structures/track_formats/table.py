"""Rows of detections with one value a column, which CSV and Parquet share.

Columns: ``frame`` (0-based), ``time`` (seconds), ``track_id``, ``category`` (name), ``score``, ``x0``, ``y0``, ``x1``,
``y1``; with poses ``<joint>_x``, ``<joint>_y``, ``<joint>_score`` of each joint; with masks ``mask_height``,
``mask_width`` and ``mask``, the string of COCO's RLE. Coordinates are continuous pixels. Frames without detections have
no row; everything else is held.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..frame_tracks import FrameTracks, VideoInfo
from .fields import Fields

BASE_COLUMNS = {
    "frame": int, "time": float, "track_id": int, "category": str, "score": float,
    "x0": float, "y0": float, "x1": float, "y1": float,
}  # fmt: skip
MASK_COLUMNS = {"mask_height": int, "mask_width": int, "mask": str}
JOINT_PARTS = ("x", "y", "score")


def columns(fields: Fields, info: VideoInfo) -> dict[str, type]:
    """Types of the columns by name, in their order; any value may be missing."""
    joints = [f"{joint}_{part}" for joint in info.joint_names for part in JOINT_PARTS] if fields.poses else []
    return {**BASE_COLUMNS, **dict.fromkeys(joints, float), **(MASK_COLUMNS if fields.masks else {})}


def rows_of(frame: FrameTracks, info: VideoInfo) -> Iterator[list[int | float | str | None]]:
    """Values of a frame's detections, in the order of :func:`columns`."""
    ids = [None] * len(frame) if frame.ids is None else frame.ids.tolist()
    boxes, scores = frame.boxes.tolist(), frame.scores.tolist()
    for i, category in enumerate(frame.classes.tolist()):
        row = [frame.index, frame.time, ids[i], info.category_name(category), scores[i], *boxes[i]]
        if frame.keypoints is not None:
            row += frame.keypoints[i].ravel().tolist()
        if frame.rles is not None:
            row += [*frame.rles[i]["size"], frame.rles[i]["counts"]]
        yield row
