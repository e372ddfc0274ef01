"""Models from configurations."""

from __future__ import annotations

from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.modeling import build_model as build_detectron2_model


def build_model(cfg: CfgNode) -> Any:
    """Module of the configured meta-architecture, by Detectron2's ``build_model``.

    On a CPU, convolutions are in the channels-last memory format, which makes a training step of the small models
    about 10 % faster. Results change by rounding only; checkpoints are the same.
    """
    model = build_detectron2_model(cfg)
    if cfg.MODEL.DEVICE == "cpu":
        model.to(memory_format=torch.channels_last)
    return model
