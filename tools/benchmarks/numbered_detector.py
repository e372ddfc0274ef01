"""Detector of Detectron2's kind for :class:`NumberedStream`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from detectron2.structures import Boxes, Instances
from torch import nn

from .numbered import numbered_objects


class NumberedDetector(nn.Module):
    """Objects of :func:`numbered_objects`."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))  # gives the module a device

    def forward(self, batched_inputs: Sequence[dict[str, Any]]) -> list[dict[str, Instances]]:
        (record,) = batched_inputs
        frame = record["image"].permute(1, 2, 0).numpy()
        columns = {name: torch.from_numpy(x) for name, x in numbered_objects(frame).items()}
        columns["pred_boxes"] = Boxes(columns["pred_boxes"])
        return [{"instances": Instances((record["height"], record["width"]), **columns)}]
