"""Backbones trained on ImageNet, or taken from detectors: HRNets, ResNets, Detectron2's backbones."""

from __future__ import annotations

import re
from collections.abc import Mapping

from detectron2.checkpoint.c2_model_loading import convert_basic_c2_names
from torch import Tensor

from .name_table import NameTable
from .resnet import TORCHVISION_RESNET
from .source import Source

HRNET = Source(
    # timm has the official names.
    formats=("hrnet", "timm"),
    title="HRNet of ImageNet",
    marks=r"stage[234]\.\d+\.(branches|fuse_layers)\.",
    table=NameTable([("{rest}", "backbone.bottom_up.model.{rest}")]),
    # The classifier, and the modules that widen the branches for it.
    unused=r"(incre_modules|downsamp_modules|final_layer|classifier)\..+",
    is_backbone=True,
)

TORCHVISION = Source(
    formats=("torchvision", "timm"),
    title="ResNet of torchvision or timm",
    marks=r"layer[1-4]\.\d+\.conv\d\.",
    table=NameTable((published, f"backbone.bottom_up.{ours}") for published, ours in TORCHVISION_RESNET),
    unused=r"fc\..+",
    is_backbone=True,
)

_CAFFE2 = re.compile(r"res\d_\d+_branch")


def _without_caffe2_names(weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Names of Detectron2 for those of Detectron, in which its ResNets of Microsoft's layout are published."""
    if not any(map(_CAFFE2.match, weights)):
        return weights
    kept = [name for name in weights if not name.endswith("_momentum")]
    return {new: weights[old] for new, old in zip(convert_basic_c2_names(kept), kept)}


DETECTRON2 = Source(
    formats=("detectron2",),
    title="backbone of Detectron2",
    marks=r"(backbone\.)?(bottom_up\.)?(res[2-5]\.\d+|stem)\.conv\d\.|res\d_\d+_branch",
    table=NameTable(
        [
            ("backbone.{rest}", "backbone.{rest}"),
            ("bottom_up.{rest}", "backbone.bottom_up.{rest}"),
            ("fpn_{rest}", "backbone.fpn_{rest}"),
            ("stem.{rest}", "backbone.bottom_up.stem.{rest}"),
            ("res{stage}.{rest}", "backbone.bottom_up.res{stage}.{rest}"),
        ]
    ),
    # The classifier, or a detector's heads and the anchors that old ones store.
    unused=r"(stem\.fc|fc\d*|linear|pred)\.\w+|stem\.conv1\.bias|pixel_(mean|std)"
    r"|(proposal_generator|roi_heads|head|anchor_generator|sem_seg_head)\..+",
    is_backbone=True,
    prepare=_without_caffe2_names,
)
