"""PointSetAnchor for poses (github.com/FangyunWei/PointSetAnchor), with the official names in its HRNet."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from .mmdetection import RGB_SETTINGS
from .name_table import NameTable
from .source import Source

# The first stage's head is bbox_head, further ones are extra_heads.N.
_STAGES = [("bbox_head", "heads.0"), ("extra_heads.{stage}", "heads.{stage+1}")]
_BRANCHES = [
    # (our branch, published tower, suffix of the published lists)
    ("class", "pre_cls_convs", "cls"),
    ("point", "pre_reg_convs", "reg"),
    ("box", "pre_reg_bbx_convs", "reg_bbx"),
]
_HEATMAPS = [
    # (our branch, published convolutions, suffix of the transposed ones, output)
    ("heatmap", "heat_convs", "", "hm_out_layer_convs"),
    ("offset", "offset_convs", "_offset", "offset_out_layer_convs"),
]
# The levels share their weights, and a checkpoint holds a copy for each level.
_COPY = re.compile(r"(.+?_list_(?:cls|reg|reg_bbx)|.+?\.conv_(?:cls|reg|reg_bbx)_list)\.[1-9]\d*(\.0\.\w+)")


def _rows() -> list[tuple[str, str]]:
    rows = [
        ("backbone.{rest}", "backbone.bottom_up.model.{rest}"),
        ("neck.reduction_conv.conv.{leaf}", "backbone.reduction.{leaf}"),
        ("neck.fpn_convs.{level}.conv.{leaf}", "backbone.outputs.{level}.{leaf}"),
    ]
    for stage, our_stage in _STAGES:
        for branch, tower, suffix in _BRANCHES:
            ours = f"{our_stage}.{branch}_branch"
            rows += [
                (f"{stage}.{tower}.{{conv}}.conv.weight", f"{ours}.tower.{{conv}}.weight"),
                (f"{stage}.{tower}.{{conv}}.gn.{{leaf}}", f"{ours}.tower.{{conv}}.norm.{{leaf}}"),
                (f"{stage}.shape_align_conv_list_{suffix}.0.0.weight", f"{ours}.aligned.weight"),
                (f"{stage}.norm_list_{suffix}.0.0.{{leaf}}", f"{ours}.norm.{{leaf}}"),
                (f"{stage}.conv_{suffix}_list.0.0.{{leaf}}", f"{ours}.output.{{leaf}}"),
            ]
    for branch, convs, suffix, output in _HEATMAPS:
        ours = f"heatmap_head.{branch}"
        rows += [
            (f"heat_head.{convs}.0.0.conv.{{leaf}}", f"{ours}.0.{{leaf}}"),
            (f"heat_head.{convs}.0.0.bn.{{leaf}}", f"{ours}.0.norm.{{leaf}}"),
            (f"heat_head.deconv_layers{suffix}.0.{{leaf}}", f"{ours}.1.{{leaf}}"),
            (f"heat_head.deconv_layers{suffix}.1.{{leaf}}", f"{ours}.2.{{leaf}}"),
            (f"heat_head.{output}.0.{{leaf}}", f"{ours}.4.{{leaf}}"),
        ]
    return rows


def _differing_copies(weights: Mapping[str, Tensor]) -> list[str]:
    problems = []
    for name, x in weights.items():
        if copy := _COPY.fullmatch(name):
            first = weights.get(f"{copy[1]}.0{copy[2]}")
            if first is None or not torch.equal(first, x):
                problems.append(f"{name}: not equal to level 0")
    return problems


POINT_SET_ANCHOR = Source(
    formats=("psa",),
    title="PointSetAnchor for poses",
    marks=r"(bbox_head|extra_heads\.\d+)\.(shape_align_conv_list|pre_reg_bbx_convs)",
    table=NameTable(_rows()),
    # Copies of the levels' tensors, and two lists of modules that the published program never uses.
    unused=rf"{_COPY.pattern}|(bbox_head|extra_heads\.\d+)\.(shape_align_conv_list|norm_list)\.\d+\.0\.\w+",
    find_problems=_differing_copies,
    settings={key: value for key, value in RGB_SETTINGS.items() if "RESNETS" not in key},
)
