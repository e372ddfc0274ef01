"""Parts of a PointSetAnchor from a configuration."""

from __future__ import annotations

from typing import Any

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec

from ictrack.structures.joints import joint_set

from .head import PointSetAnchorHead
from .heatmap import HeatmapHead
from .inference import AugmentedViews, PoseSelector
from .losses import HeatmapLosses, PointSetAnchorLosses, StageLosses
from .targets import OKSMatcher


def heads_from_config(
    cfg: CfgNode, shapes: dict[str, ShapeSpec]
) -> tuple[list[PointSetAnchorHead], HeatmapHead, ShapeSpec]:
    """Heads of the stages, heatmap head, and shape of the heatmaps.

    Args:
        cfg: Whole configuration.
        shapes: Shapes of the backbone's features.

    Raises:
        ValueError: If features are missing or have different numbers of channels.
    """
    psa = cfg.MODEL.POINT_SET_ANCHOR
    if missing := [name for name in psa.IN_FEATURES if name not in shapes]:
        raise ValueError(
            f"MODEL.POINT_SET_ANCHOR.IN_FEATURES {missing} are not among the backbone's outputs {list(shapes)}"
        )
    levels = [shapes[name] for name in psa.IN_FEATURES]
    channels = {level.channels for level in levels}
    if len(channels) != 1:
        raise ValueError(
            f"MODEL.POINT_SET_ANCHOR.IN_FEATURES must have one number of channels, have {sorted(channels)}"
        )
    in_channels = channels.pop()
    num_joints = len(joint_set(psa.JOINT_SET))
    heads = [
        PointSetAnchorHead(
            in_channels=in_channels,
            num_joints=num_joints,
            sampled_joints=psa.SAMPLED_JOINTS,
            conv_dim=psa.CONV_DIM,
            num_convs=psa.NUM_CONVS,
            num_groups=psa.NUM_GROUPS,
            prior_prob=psa.PRIOR_PROB,
            init_std=psa.INIT_STD,
        )
        for _ in psa.POSITIVE_OKS
    ]
    heatmap_head = HeatmapHead(
        in_channels=in_channels,
        num_joints=num_joints,
        conv_dim=psa.HEATMAP_CONV_DIM,
        norm=psa.HEATMAP_NORM,
        init_std=psa.INIT_STD,
        min_probability=psa.HEATMAP_MIN_PROBABILITY,
    )
    return heads, heatmap_head, ShapeSpec(channels=num_joints, stride=levels[0].stride // 2)


def losses_from_config(cfg: CfgNode, heatmap_stride: int) -> PointSetAnchorLosses:
    """Targets and losses, for heatmaps of ``heatmap_stride`` pixels a cell.

    Raises:
        ValueError: If POSITIVE_OKS and NEGATIVE_OKS differ in length.
    """
    psa = cfg.MODEL.POINT_SET_ANCHOR
    if len(psa.POSITIVE_OKS) != len(psa.NEGATIVE_OKS):
        raise ValueError(
            "MODEL.POINT_SET_ANCHOR.POSITIVE_OKS and NEGATIVE_OKS need one entry a stage, "
            f"have {len(psa.POSITIVE_OKS)} and {len(psa.NEGATIVE_OKS)}"
        )
    return PointSetAnchorLosses(
        matchers=[
            OKSMatcher(positive, negative, psa.MIN_ANCHORS, psa.TAKE_ZERO_OKS)
            for positive, negative in zip(psa.POSITIVE_OKS, psa.NEGATIVE_OKS)
        ],
        stage=StageLosses(
            focal_alpha=psa.FOCAL_ALPHA,
            focal_gamma=psa.FOCAL_GAMMA,
            box_beta=psa.BOX_SMOOTH_L1_BETA,
            class_weight=psa.CLASS_LOSS_WEIGHT,
            keypoint_weight=psa.KEYPOINT_LOSS_WEIGHT,
            box_weight=psa.BOX_LOSS_WEIGHT,
        ),
        heatmap=HeatmapLosses(
            stride=heatmap_stride,
            radius=psa.HEATMAP_RADIUS,
            background_weight=psa.HEATMAP_BACKGROUND_WEIGHT,
            heatmap_weight=psa.HEATMAP_LOSS_WEIGHT,
            offset_weight=psa.OFFSET_LOSS_WEIGHT,
            per_image=psa.HEATMAP_LOSS_PER_IMAGE,
        ),
    )


def inference_from_config(cfg: CfgNode, heatmap_stride: int) -> dict[str, Any]:
    """Arguments of :class:`PointSetAnchor` for inference."""
    psa, augmentation = cfg.MODEL.POINT_SET_ANCHOR, cfg.TEST.AUG
    views = AugmentedViews(augmentation.MIN_SIZES, augmentation.MAX_SIZE, augmentation.FLIP)
    return {
        "selector": PoseSelector(
            sigmas=joint_set(psa.JOINT_SET).sigmas,
            pre_nms_topk=psa.PRE_NMS_TOPK_TEST,
            heatmap_stride=heatmap_stride,
            snap=psa.SNAP_TO_PEAKS,
            snap_gate=psa.SNAP_GATE,
            peak_kernel=psa.PEAK_KERNEL,
            max_peaks=psa.MAX_PEAKS,
            keypoint_score=psa.KEYPOINT_SCORE,
            score_thresh=psa.SCORE_THRESH_TEST,
            nms_oks=psa.NMS_OKS_TEST,
            max_detections=cfg.TEST.DETECTIONS_PER_IMAGE,
        ),
        "views": views if augmentation.ENABLED else None,
    }
