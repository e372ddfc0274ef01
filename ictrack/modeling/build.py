"""Models from configurations."""

from __future__ import annotations

from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.modeling import Backbone
from detectron2.modeling import build_model as build_detectron2_model

from .backbone.folded_norms import fold_frozen_norms
from .backbone.pointwise import use_pointwise
from .backbone.top_down import add_in_place

# Detectors without weights of Detectron2's kind.
_WITHOUT_WEIGHTS = ("ForegroundSegmenter", "GivenDetections", "OnnxDetector")


def needs_weights(cfg: CfgNode) -> bool:
    """Whether a configuration's detector is of no use without MODEL.WEIGHTS."""
    name = cfg.MODEL.META_ARCHITECTURE
    if name == "EmbeddedDetector":
        name = cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE
    return name not in _WITHOUT_WEIGHTS


def build_model(cfg: CfgNode) -> Any:
    """Module of the configured meta-architecture, by Detectron2's ``build_model``. Without gradients, its convolutions
    apply their frozen batch normalizations themselves, and its feature pyramid adds in place.

    On a CPU, convolutions are in the channels-last memory format, which makes a training step of the small models
    about 10 % faster. Results change by rounding only; checkpoints are the same. Of Detectron2's own detectors only the
    backbones are: the loss of its keypoint head fails on such tensors.
    """
    model = build_detectron2_model(cfg)
    fold_frozen_norms(model)
    use_pointwise(model)
    add_in_place(model)
    if cfg.MODEL.DEVICE == "cpu":
        detector = getattr(model, "detector", model)
        is_ours = type(detector).__module__.startswith("ictrack.")
        for part in [model] if is_ours else [x for x in model.modules() if isinstance(x, Backbone)]:
            part.to(memory_format=torch.channels_last)
    return model
