"""Detectron2's ``Instances`` for trackers: their fields as arrays, selection of rows, identities."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from detectron2.structures import Boxes, Instances

from .detections import TrackerInputError


class InstancesDetections:
    """Fields of ``Instances`` as the columns of :class:`Detections <ictrack.tracking.detections.Detections>`.

    `pred_boxes` are Boxes, `pred_masks` a tensor (N, H, W) or BitMasks, others tensors, arrays or lists. Instances
    without any field count as empty.
    """

    def __init__(self, instances: Instances) -> None:
        self._instances = instances

    def __len__(self) -> int:
        return len(self._instances) if self._instances.get_fields() else 0

    def has(self, name: str) -> bool:
        return self._instances.has(name)

    def column(self, name: str, rows: np.ndarray | None = None) -> np.ndarray:
        value = self._instances.get(name)
        value = getattr(value, "tensor", value)
        everything = rows is None or len(rows) == len(value)  # nothing is copied then
        if name == "pred_masks" and rows is not None:  # only these masks leave the device
            return _to_numpy((value if everything else value[torch.from_numpy(rows)]).bool())
        return _to_numpy(value) if everything else _to_numpy(value)[rows]


def _to_numpy(values: Any) -> np.ndarray:
    """Array of a tensor, array or list: float32 for any floating type (NumPy has no bfloat16), otherwise its own."""
    tensor = torch.as_tensor(values)
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy(force=True)


def plain_instances(instances: Instances) -> Instances:
    """Detections of any detector as the rest of the library reads them; the same Instances where nothing is to be done.

    `pred_masks` are a bool tensor (N, H, W) in place of BitMasks or of masks of numbers (more than one half). Instances
    without any field, as a detector may return where it found nothing, get empty `pred_boxes`, `scores` and
    `pred_classes`.

    Raises:
        ValueError: masks are not of the image's size.
    """
    fields = instances.get_fields()
    if not fields:
        empty = torch.zeros(0)
        return Instances(
            instances.image_size, pred_boxes=Boxes(torch.zeros(0, 4)), scores=empty, pred_classes=empty.long()
        )
    masks = getattr(fields.get("pred_masks"), "tensor", fields.get("pred_masks"))
    if masks is not None and tuple(masks.shape[1:]) != instances.image_size:
        raise ValueError(f"`pred_masks` has the shape {tuple(masks.shape)} in an image of {instances.image_size}")
    if masks is None or (masks is fields["pred_masks"] and masks.dtype == torch.bool):
        return instances
    plain = Instances(instances.image_size)
    plain.get_fields().update(fields, pred_masks=masks if masks.dtype == torch.bool else masks > 0.5)
    return plain


def select_rows(instances: Instances, rows: np.ndarray) -> Instances:
    """New Instances with ``rows`` (K,) int64, ascending and unique, of every field.

    Unlike ``Instances.__getitem__`` it supports fields that are lists, tuples and arrays. If all rows are selected, the
    fields are shared with ``instances``, and dense masks are not copied.
    """
    selected = Instances(instances.image_size)
    if instances.get_fields() and len(rows) == len(instances):
        selected.get_fields().update(instances.get_fields())
        return selected
    index = torch.from_numpy(rows)
    for name, value in instances.get_fields().items():
        if isinstance(value, (list, tuple)):
            picked = type(value)(value[row] for row in rows.tolist())
        else:
            picked = value[rows if isinstance(value, np.ndarray) else index]
        selected.set(name, picked)
    return selected


def with_ids(instances: Instances, rows: np.ndarray, ids: np.ndarray) -> Instances:
    """Instances of ``rows`` (K,) with ``ids`` (K,) int64 as the LongTensor field `ID`, on the scores' device.

    Raises:
        ValueError: There are more or fewer identities than rows.
    """
    tracked = select_rows(instances, rows)
    if len(ids) != len(rows):
        raise ValueError(f"{len(ids)} identities for {len(rows)} detections")
    tensor = torch.from_numpy(ids.astype(np.int64, copy=False))
    tracked.get_fields()["ID"] = tensor.to(tracked.scores.device) if tracked.has("scores") else tensor
    return tracked


def current_detections(instances: Instances) -> Instances:
    """Rows of this frame in any tracker's output, with `ID` as a LongTensor.

    Detectron2's own trackers give `ID` as a list and append rows of earlier frames, marked by a positive
    `lost_frame_count`, which are dropped. The output of ICTrack's trackers is returned unchanged.

    Raises:
        TrackerInputError: there is no field `ID`.
    """
    if not instances.has("ID"):
        raise TrackerInputError("detections have no field `ID`: these Instances have not been through a tracker")
    ids = instances.ID
    if isinstance(ids, torch.Tensor) and not instances.has("lost_frame_count"):
        return instances
    lost = instances.lost_frame_count if instances.has("lost_frame_count") else [0] * len(ids)
    rows = np.flatnonzero(np.asarray(lost, dtype=np.int64) == 0)
    return with_ids(instances, rows, np.asarray(ids, dtype=np.int64)[rows])
