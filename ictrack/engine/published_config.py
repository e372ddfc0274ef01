"""Configurations of published detectors, read from the names and shapes of their weights."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isqrt
from pathlib import Path
from typing import Any

import yaml
from detectron2.config import CfgNode, get_cfg
from torch import Tensor

from ictrack import add_ictrack_config
from ictrack.checkpoint import CheckpointError
from ictrack.checkpoint.published import Conversion
from ictrack.structures.atomic_file import replacing

_STAGES = ["res2", "res3", "res4", "res5"]
# Numbers of blocks of the four stages -> depth, of bottlenecks and of basic blocks.
_BOTTLENECK_DEPTHS: dict[tuple[int, ...], int] = {(3, 4, 6, 3): 50, (3, 4, 23, 3): 101, (3, 8, 36, 3): 152}
_BASIC_DEPTHS: dict[tuple[int, ...], int] = {(2, 2, 2, 2): 18, (3, 4, 6, 3): 34}
# What belongs to the light forms of Decoupled SOLO and SOLOv2, as published: smaller images and ranges of scales.
_LIGHT_DECOUPLED = {
    "MODEL.SOLO.SCALE_RANGES": [[1, 64], [32, 128], [64, 256], [128, 512], [256, 2048]],
    "INPUT.MIN_SIZE_TEST": 512,
    "INPUT.MAX_SIZE_TEST": 852,
}
_LIGHT_DYNAMIC = {
    "MODEL.SOLO.SCALE_RANGES": [[1, 56], [28, 112], [56, 224], [112, 448], [224, 896]],
    "INPUT.MIN_SIZE_TEST": 448,
    "INPUT.MAX_SIZE_TEST": 768,
}
# The light form with deformable convolutions has other ranges, and larger images where the authors publish it, whose
# deformable convolutions are not modulated; mmdetection's are.
_LIGHT_DYNAMIC_DEFORMABLE = {"MODEL.SOLO.SCALE_RANGES": _LIGHT_DECOUPLED["MODEL.SOLO.SCALE_RANGES"]}
# Numbers of convolutions of the towers of SOLOv2's light forms; others have four.
_LIGHT_DYNAMIC_CONVS, _LIGHT_DYNAMIC_DEFORMABLE_CONVS = 2, 3
# Channels of the offsets of 3x3 deformable convolutions, and whether these are modulated.
_OFFSETS = {18: False, 27: True}
_COCO_CLASSES = 80


def published_settings(conversion: Conversion) -> dict[str, object]:
    """Keys and values of the model that published weights are for.

    Raises:
        CheckpointError: The weights are a backbone or one of our models, which do not tell their detector or its input;
            or their names and shapes are of no such model.
    """
    source, weights = conversion.source, conversion.weights
    if not source.is_published_detector:
        raise CheckpointError(f"a {source.title} does not tell its detector: name a configuration by --config-file")
    try:
        is_solo = "head.category_output.weight" in weights
        model = _solo_settings(weights) if is_solo else _point_set_anchor_settings(weights)
    except (KeyError, IndexError) as error:
        raise CheckpointError(
            f"it has no {error}, from which a configuration is read: name one by --config-file"
        ) from error
    return {**source.settings, **model}


def published_config(settings: Mapping[str, object]) -> CfgNode:
    """Whole configuration with these keys."""
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.merge_from_list([item for setting in settings.items() for item in setting])
    return cfg


def write_config(cfg: CfgNode, path: Path, comment: str) -> None:
    """Write what of a configuration differs from the defaults, with VERSION, as YAML with a comment above it."""
    content = {"VERSION": cfg.VERSION, **_differences(cfg, published_config({}))}
    with replacing(path) as file:
        file.write(f"# {comment}\n{yaml.safe_dump(content, default_flow_style=None, width=120)}".encode())


def _differences(cfg: CfgNode, defaults: CfgNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in cfg.items():
        if isinstance(value, CfgNode):
            if below := _differences(value, defaults[key]):
                found[key] = below
        elif value != defaults[key]:
            found[key] = list(value) if isinstance(value, (list, tuple)) else value
    return found


def _count(weights: Mapping[str, Tensor], pattern: str) -> int:
    """Number of modules of a list, whose number in it is the pattern's group."""
    return len({match[1] for name in weights if (match := re.match(pattern, name))})


def _resnet_settings(weights: Mapping[str, Tensor]) -> dict[str, object]:
    prefix = "backbone.bottom_up."
    blocks = tuple(_count(weights, rf"{re.escape(prefix)}{stage}\.(\d+)\.") for stage in _STAGES)
    first = f"{prefix}res2.0."
    is_bottleneck = f"{first}conv3.weight" in weights
    depth = (_BOTTLENECK_DEPTHS if is_bottleneck else _BASIC_DEPTHS).get(blocks)
    if depth is None:
        raise CheckpointError(f"a ResNet with {blocks} blocks is none of Detectron2's: name a configuration")
    middle = weights[f"{first}conv2.weight"]
    groups = middle.shape[0] // middle.shape[1]
    return {
        "MODEL.BACKBONE.NAME": "build_resnet_fpn_backbone",
        **_deformable_settings(weights, [f"{prefix}{stage}.0.conv2.offset.weight" for stage in _STAGES]),
        "MODEL.RESNETS.DEPTH": depth,
        "MODEL.RESNETS.OUT_FEATURES": _STAGES,
        "MODEL.RESNETS.NUM_GROUPS": groups,
        "MODEL.RESNETS.WIDTH_PER_GROUP": weights[f"{first}conv1.weight"].shape[0] // groups,
        "MODEL.RESNETS.STEM_OUT_CHANNELS": weights[f"{prefix}stem.conv1.weight"].shape[0],
        "MODEL.RESNETS.RES2_OUT_CHANNELS": weights[f"{first}conv{3 if is_bottleneck else 2}.weight"].shape[0],
        "MODEL.FPN.IN_FEATURES": _STAGES,
        "MODEL.FPN.OUT_CHANNELS": weights["backbone.fpn_output2.weight"].shape[0],
    }


def _deformable_settings(weights: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, object]:
    """Settings of a ResNet, of whose stages some may have offsets under the names."""
    channels = {len(weights[name]) for name in names if name in weights}
    if not channels:
        return {}
    if len(channels) > 1 or not channels <= _OFFSETS.keys():
        expected = " or ".join(map(str, _OFFSETS))
        raise CheckpointError(f"deformable convolutions have offsets of {sorted(channels)} channels, not {expected}")
    return {
        "MODEL.BACKBONE.NAME": "build_deformable_resnet_fpn_backbone",
        "MODEL.RESNETS.DEFORM_ON_PER_STAGE": [name in weights for name in names],
        "MODEL.RESNETS.DEFORM_MODULATED": _OFFSETS[channels.pop()],
    }


def _solo_settings(weights: Mapping[str, Tensor]) -> dict[str, object]:
    num_classes, conv_dim = weights["head.category_output.weight"].shape[:2]
    num_convs = _count(weights, r"head\.category_tower\.(\d+)\.")
    settings = {
        "MODEL.META_ARCHITECTURE": "SOLO",
        **_resnet_settings(weights),
        "MODEL.SOLO.NUM_CLASSES": num_classes,
        "MODEL.SOLO.CONV_DIM": conv_dim,
        "MODEL.SOLO.NUM_CONVS": num_convs,
    }
    if num_deformable := sum(f"head.category_tower.{i}.offset.weight" in weights for i in range(num_convs)):
        settings["MODEL.SOLO.DEFORM_CONVS"] = num_deformable
    if num_classes == _COCO_CLASSES:
        settings |= {"DATASETS.TRAIN": ("coco_2017_train",), "DATASETS.TEST": ("coco_2017_val",)}
    levels = range(_count(weights, r"head\.mask_outputs(?:_x)?\.(\d+)\."))
    if "head.mask_outputs.0.weight" in weights:
        cells = [weights[f"head.mask_outputs.{level}.weight"].shape[0] for level in levels]
        return {**settings, "MODEL.SOLO.NUM_GRIDS": [isqrt(count) for count in cells]}
    if levels:
        sides = [weights[f"head.mask_outputs_x.{level}.weight"].shape[0] for level in levels]
        is_light = "head.mask_tower.0.weight" in weights
        kind = {"MODEL.SOLO.MASK_HEAD": "decoupled_light" if is_light else "decoupled", "MODEL.SOLO.NUM_GRIDS": sides}
        return {**settings, **kind, **(_LIGHT_DECOUPLED if is_light else {})}
    light: dict[str, object] = {}
    if num_convs == _LIGHT_DYNAMIC_CONVS:
        light = {**_LIGHT_DYNAMIC}
    elif num_deformable and num_convs == _LIGHT_DYNAMIC_DEFORMABLE_CONVS:
        sizes = _LIGHT_DYNAMIC if settings.get("MODEL.RESNETS.DEFORM_MODULATED") else _LIGHT_DECOUPLED
        light = {**sizes, **_LIGHT_DYNAMIC_DEFORMABLE}
    if "head.mask_features.output.offset.weight" in weights:
        settings["MODEL.SOLO.MASK_FEATURES.DEFORM"] = True
    return {
        **settings,
        "MODEL.SOLO.MASK_HEAD": "dynamic",
        "MODEL.SOLO.MASK_FEATURES.CONV_DIM": weights["head.mask_features.levels.0.0.weight"].shape[0],
        "MODEL.SOLO.MASK_FEATURES.OUT_CHANNELS": weights["head.mask_features.output.weight"].shape[0],
        **light,
    }


def _point_set_anchor_settings(weights: Mapping[str, Tensor]) -> dict[str, object]:
    prefix = "backbone.bottom_up.model."
    escaped = re.escape(prefix)
    stages = range(2, 5)
    blocks = [_count(weights, rf"{escaped}stage{stage}\.0\.branches\.0\.(\d+)\.") for stage in stages]
    return {
        "MODEL.META_ARCHITECTURE": "PointSetAnchor",
        "MODEL.KEYPOINT_ON": True,
        "DATASETS.TRAIN": ("keypoints_coco_2017_train",),
        "DATASETS.TEST": ("keypoints_coco_2017_val",),
        "MODEL.BACKBONE.NAME": "build_hrnet_hrfpn_backbone",
        "MODEL.HRNET.WIDTH": weights[f"{prefix}stage4.0.branches.0.0.conv1.weight"].shape[0],
        "MODEL.HRNET.NUM_MODULES": [1, *(_count(weights, rf"{escaped}stage{stage}\.(\d+)\.") for stage in stages)],
        "MODEL.HRNET.NUM_BLOCKS": [_count(weights, rf"{escaped}layer1\.(\d+)\."), *blocks],
        "MODEL.HRNET.STAGE1_WIDTH": weights[f"{prefix}layer1.0.conv1.weight"].shape[0],
        "MODEL.HRNET.FPN_CHANNELS": weights["backbone.reduction.weight"].shape[0],
        "MODEL.HRNET.FPN_LEVELS": _count(weights, r"backbone\.outputs\.(\d+)\."),
        "MODEL.POINT_SET_ANCHOR.CONV_DIM": weights["heads.0.class_branch.tower.0.weight"].shape[0],
        "MODEL.POINT_SET_ANCHOR.NUM_CONVS": _count(weights, r"heads\.0\.class_branch\.tower\.(\d+)\."),
        "MODEL.POINT_SET_ANCHOR.HEATMAP_CONV_DIM": weights["heatmap_head.heatmap.0.weight"].shape[0],
    }
