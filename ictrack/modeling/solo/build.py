"""Parts of a SOLO from a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec

from . import mask_heads  # noqa: F401  registers them
from .head import MASK_HEADS, SOLOHead
from .inference import SOLOSelector
from .losses import SOLOLosses
from .targets import SOLOTargetAssigner


def head_from_config(cfg: CfgNode, shapes: Mapping[str, ShapeSpec]) -> SOLOHead:
    """Head of ``MODEL.SOLO.MASK_HEAD``.

    Raises:
        ValueError: If there is no such head, or features are missing or have different numbers of channels.
    """
    name = cfg.MODEL.SOLO.MASK_HEAD
    if name not in MASK_HEADS:
        raise ValueError(f"MODEL.SOLO.MASK_HEAD is {name!r}, expected one of {sorted(dict(MASK_HEADS))}")
    return MASK_HEADS.get(name)(cfg, shapes)


def training_from_config(cfg: CfgNode, head: SOLOHead) -> dict[str, Any]:
    """Arguments of :class:`SOLO` for training."""
    solo = cfg.MODEL.SOLO
    return {
        "target_assigner": SOLOTargetAssigner(
            num_classes=solo.NUM_CLASSES,
            mask_strides=head.mask_strides,
            num_grids=solo.NUM_GRIDS,
            scale_ranges=solo.SCALE_RANGES,
            center_region=solo.CENTER_REGION,
            trains_every_pair=head.trains_every_pair,
            shrink_padded_masks=solo.SHRINK_PADDED_MASKS,
        ),
        "losses": SOLOLosses(
            focal_alpha=solo.FOCAL_ALPHA,
            focal_gamma=solo.FOCAL_GAMMA,
            dice_eps=solo.DICE_EPS,
            category_weight=solo.CATEGORY_LOSS_WEIGHT,
            mask_weight=solo.MASK_LOSS_WEIGHT,
            mask_normalizer=solo.MASK_LOSS_NORMALIZER,
        ),
    }


def selector_from_config(cfg: CfgNode) -> SOLOSelector:
    """Selector of detections at test time."""
    solo = cfg.MODEL.SOLO
    return SOLOSelector(
        score_thresh=solo.SCORE_THRESH_TEST,
        mask_thresh=solo.MASK_THRESH_TEST,
        nms_pre_topk=solo.NMS_PRE_TOPK,
        nms_kernel=solo.NMS_KERNEL,
        nms_sigma=solo.NMS_SIGMA,
        nms_class_agnostic=solo.NMS_CLASS_AGNOSTIC,
        update_thresh=solo.UPDATE_THRESH_TEST,
        max_detections=cfg.TEST.DETECTIONS_PER_IMAGE,
    )
