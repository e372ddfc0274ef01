"""SOLO's family as its authors publish it (github.com/WXinlong/SOLO, on mmdetection 1)."""

from __future__ import annotations

from .mmdetection import RGB_SETTINGS, TRAINED_NORM, tower
from .name_table import NameTable
from .resnet import MMDETECTION_RESNET_FPN
from .source import Source

WXINLONG = Source(
    formats=("wxinlong",),
    title="SOLO family of github.com/WXinlong/SOLO",
    marks=r"bbox_head\.(d?solo_|cate_convs|ins_convs|kernel_convs)|mask_feat_head\.",
    table=NameTable(
        [
            *MMDETECTION_RESNET_FPN,
            *tower("bbox_head.cate_convs.{conv}", "head.category_tower.{conv}"),
            ("bbox_head.solo_cate.{leaf}", "head.category_output.{leaf}"),
            ("bbox_head.dsolo_cate.{leaf}", "head.category_output.{leaf}"),
            *tower("bbox_head.ins_convs.{conv}", "head.mask_tower.{conv}"),
            *tower("bbox_head.ins_convs_x.{conv}", "head.mask_tower_x.{conv}"),
            *tower("bbox_head.ins_convs_y.{conv}", "head.mask_tower_y.{conv}"),
            ("bbox_head.solo_ins_list.{level}.{leaf}", "head.mask_outputs.{level}.{leaf}"),
            ("bbox_head.dsolo_ins_list_x.{level}.{leaf}", "head.mask_outputs_x.{level}.{leaf}"),
            ("bbox_head.dsolo_ins_list_y.{level}.{leaf}", "head.mask_outputs_y.{level}.{leaf}"),
            *tower("bbox_head.kernel_convs.{conv}", "head.kernel_tower.{conv}"),
            ("bbox_head.solo_kernel.{leaf}", "head.kernel_output.{leaf}"),
            *tower("mask_feat_head.convs_all_levels.{level}.conv{conv}", "head.mask_features.levels.{level}.{conv}"),
            *tower("mask_feat_head.conv_pred.0", "head.mask_features.output"),
        ]
    ),
    settings={**RGB_SETTINGS, **TRAINED_NORM},
)
