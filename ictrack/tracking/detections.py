"""Operations of all trackers on ``Instances``: checks, filter, selection of rows, identities."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from detectron2.structures import Instances


class TrackerInputError(ValueError):
    """Detections that a tracker cannot use; the message names the frame, the field and the remedy."""


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """Array of a tensor: float32 for any floating type (NumPy has no bfloat16), otherwise the tensor's own type."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def require_field(instances: Instances, name: str, remedy: str) -> Any:
    """Field ``name`` of ``instances``; raises :class:`TrackerInputError` with ``remedy`` if it is missing."""
    if not instances.has(name):
        raise TrackerInputError(f"detections have no field `{name}`: {remedy}")
    return instances.get(name)


def select_detections(instances: Instances, min_score: float, max_detections: int) -> np.ndarray:
    """Rows, ascending, of the best ``max_detections`` detections of score >= ``min_score``; ties go to lower rows.

    Raises:
        TrackerInputError: `scores` is missing or not finite. Instances without any field count as empty.
    """
    if not instances.get_fields():
        return np.zeros(0, dtype=np.int64)
    scores = to_numpy(require_field(instances, "scores", "a tracker needs the detection scores"))
    if not np.isfinite(scores).all():
        raise TrackerInputError(f"`scores` is not finite in rows {np.flatnonzero(~np.isfinite(scores)).tolist()}")
    rows = np.flatnonzero(scores >= min_score)
    best = np.argsort(-scores[rows], kind="stable")[:max_detections]
    return np.sort(rows[best])


def select_rows(instances: Instances, rows: np.ndarray) -> Instances:
    """New Instances with ``rows`` (K,) int64, ascending and unique, of every field.

    Unlike ``Instances.__getitem__`` it supports fields that are lists, tuples and arrays. If all rows are selected, the
    fields are shared with ``instances``, and dense masks are not copied.
    """
    selected = Instances(instances.image_size)
    everything = bool(instances.get_fields()) and len(rows) == len(instances)
    index = torch.from_numpy(rows)
    for name, value in instances.get_fields().items():
        if everything:
            picked = value
        elif isinstance(value, (list, tuple)):
            picked = type(value)(value[row] for row in rows.tolist())
        else:
            picked = value[rows if isinstance(value, np.ndarray) else index]
        selected.set(name, picked)
    return selected


def with_ids(instances: Instances, rows: np.ndarray, ids: np.ndarray) -> Instances:
    """Instances of ``rows`` (K,) with ``ids`` (K,) int64 as the LongTensor field `ID`, on the scores' device."""
    tracked = select_rows(instances, rows)
    device = tracked.scores.device if tracked.has("scores") else "cpu"
    tracked.set("ID", torch.as_tensor(ids, dtype=torch.int64, device=device))
    return tracked


def current_detections(instances: Instances) -> Instances:
    """Rows of this frame in any tracker's output, with `ID` as a LongTensor.

    Detectron2's own trackers give `ID` as a list and append rows of earlier frames, marked by a positive
    `lost_frame_count`, which are dropped. The output of ICTrack's trackers is returned unchanged.

    Raises:
        TrackerInputError: there is no field `ID`.
    """
    ids = require_field(instances, "ID", "these Instances have not been through a tracker")
    if isinstance(ids, torch.Tensor) and not instances.has("lost_frame_count"):
        return instances
    lost = instances.lost_frame_count if instances.has("lost_frame_count") else [0] * len(ids)
    rows = np.flatnonzero(np.asarray(lost, dtype=np.int64) == 0)
    return with_ids(instances, rows, np.asarray(ids, dtype=np.int64)[rows])
