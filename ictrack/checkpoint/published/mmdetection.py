"""SOLO's family in mmdetection 2 and 3: SOLO, Decoupled SOLO, its light form, and SOLOv2 (github.com/open-mmlab)."""

from __future__ import annotations

from .name_table import NameTable
from .resnet import MMDETECTION_RESNET_FPN
from .source import Source

# Input of models on torchvision's ResNet.
RGB_SETTINGS = {
    "INPUT.FORMAT": "RGB",
    "MODEL.PIXEL_MEAN": [123.675, 116.28, 103.53],
    "MODEL.PIXEL_STD": [58.395, 57.12, 57.375],
    "MODEL.RESNETS.STRIDE_IN_1X1": False,
}
# The backbone's batch normalization is trained but for its statistics.
TRAINED_NORM = {"MODEL.SOLO.TRAIN_BACKBONE_NORM": True}


def tower(published: str, ours: str) -> list[tuple[str, str]]:
    """Rows of convolutions with GroupNorm, which mmdetection calls conv and gn; deformable ones have offsets."""
    return [
        (f"{published}.conv.weight", f"{ours}.weight"),
        (f"{published}.gn.{{leaf}}", f"{ours}.norm.{{leaf}}"),
        (f"{published}.conv.conv_offset.{{leaf}}", f"{ours}.offset.{{leaf}}"),
        (f"{published}.conv_offset.{{leaf}}", f"{ours}.offset.{{leaf}}"),  # in early versions
    ]


MMDETECTION = Source(
    formats=("mmdet",),
    title="SOLO family of mmdetection",
    marks=r"mask_head\.(cls_convs|conv_cls|mask_convs|conv_mask_list|kernel_convs|conv_kernel|mask_feature_head)",
    table=NameTable(
        [
            *MMDETECTION_RESNET_FPN,
            *tower("mask_head.cls_convs.{conv}", "head.category_tower.{conv}"),
            ("mask_head.conv_cls.{leaf}", "head.category_output.{leaf}"),
            *tower("mask_head.mask_convs.{conv}", "head.mask_tower.{conv}"),
            *tower("mask_head.mask_convs_x.{conv}", "head.mask_tower_x.{conv}"),
            *tower("mask_head.mask_convs_y.{conv}", "head.mask_tower_y.{conv}"),
            ("mask_head.conv_mask_list.{level}.{leaf}", "head.mask_outputs.{level}.{leaf}"),
            ("mask_head.conv_mask_list_x.{level}.{leaf}", "head.mask_outputs_x.{level}.{leaf}"),
            ("mask_head.conv_mask_list_y.{level}.{leaf}", "head.mask_outputs_y.{level}.{leaf}"),
            *tower("mask_head.kernel_convs.{conv}", "head.kernel_tower.{conv}"),
            ("mask_head.conv_kernel.{leaf}", "head.kernel_output.{leaf}"),
            *tower(
                "mask_head.mask_feature_head.convs_all_levels.{level}.conv{conv}",
                "head.mask_features.levels.{level}.{conv}",
            ),
            *tower("mask_head.mask_feature_head.conv_pred", "head.mask_features.output"),
        ]
    ),
    settings={
        **RGB_SETTINGS,
        **TRAINED_NORM,
        "MODEL.SOLO.MASK_LOSS_NORMALIZER": "cells",
    },
)
