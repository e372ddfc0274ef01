"""Models, inputs and recorded outputs of tests/data/parity_solo_family."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone, build_model
from detectron2.structures import BitMasks, Boxes, Instances
from parity_solo import base_cfg, unpack
from torch import nn
from torch.nn import functional as F

from ictrack.checkpoint.published.mmdetection import MMDETECTION

DATA = Path(__file__).parents[1] / "data" / "parity_solo_family"
KINDS = ("grid", "decoupled", "decoupled_light", "dynamic")
SIZES, ORIGINAL_SIZES = [(150, 203), (123, 221)], [(225, 305), (100, 180)]


@BACKBONE_REGISTRY.register()
class ProjectedPixels(Backbone):
    """Pyramid whose levels are 1x1 convolutions of averaged pixels, and every other pixel of the last."""

    def __init__(self, cfg: CfgNode, input_shape: ShapeSpec) -> None:
        super().__init__()
        self.projections = nn.Parameter(torch.from_numpy(arrays("inputs")["projections"]).float())

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        levels = [F.conv2d(F.avg_pool2d(x, 2**i), w[..., None, None]) for i, w in enumerate(self.projections, 2)]
        levels.append(F.max_pool2d(levels[-1], 1, stride=2))
        return {f"p{i}": level for i, level in enumerate(levels, 2)}

    def output_shape(self) -> dict[str, ShapeSpec]:
        return {f"p{i}": ShapeSpec(channels=32, stride=2**i) for i in range(2, 7)}


def arrays(name: str) -> dict[str, np.ndarray]:
    with np.load(DATA / f"{name}.npz") as archive:
        return dict(archive)


def our_name(name: str) -> str:
    """Name of a parameter of the model, from mmdetection's in the head."""
    ours = MMDETECTION.table.ours(f"mask_head.{name}")
    assert ours is not None, name
    return ours


def family_cfg(kind: str) -> CfgNode:
    cfg = base_cfg()
    cfg.MODEL.BACKBONE.NAME = "ProjectedPixels"
    cfg.MODEL.PIXEL_MEAN, cfg.MODEL.PIXEL_STD = [0.0] * 3, [1.0] * 3
    solo = cfg.MODEL.SOLO
    solo.MASK_HEAD = kind
    solo.NUM_CLASSES = 6
    solo.CONV_DIM = 32
    solo.NUM_CONVS = 2
    solo.NUM_GROUPS = 8
    solo.NUM_GRIDS = [13, 11, 9, 5, 3]
    solo.SCALE_RANGES = [[1, 32], [16, 64], [32, 128], [64, 256], [128, 512]]
    solo.MASK_FEATURES.CONV_DIM = 16
    solo.MASK_FEATURES.OUT_CHANNELS = 24
    solo.MASK_LOSS_NORMALIZER = "cells"
    return cfg


def family_model(kind: str) -> torch.nn.Module:
    """Model with the recorded weights, in evaluation mode."""
    model = build_model(family_cfg(kind))
    weights = recorded(kind, "weight/")
    state = {name.removeprefix("head."): torch.from_numpy(x).float() for name, x in weights.items()}
    model.head.load_state_dict(state)
    return model.eval()


def recorded(kind: str, prefix: str) -> dict[str, np.ndarray]:
    """Recorded arrays of the head's parameters by our names."""
    return {our_name(name.removeprefix(prefix)): x for name, x in arrays(kind).items() if name.startswith(prefix)}


def images() -> torch.Tensor:
    """(2, 3, 160, 224) normalized and padded."""
    return torch.from_numpy(arrays("inputs")["images_x16"]).float() / 16


def instances() -> list[Instances]:
    """Ground truth of both images."""
    z = arrays("inputs")
    return [
        Instances(
            size,
            gt_boxes=Boxes(torch.from_numpy(z[f"boxes{i}"])),
            gt_classes=torch.from_numpy(z[f"labels{i}"]),
            gt_masks=BitMasks(torch.from_numpy(unpack(z, f"masks{i}"))),
        )
        for i, size in enumerate(SIZES)
    ]
