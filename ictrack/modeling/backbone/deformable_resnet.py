"""ResNets with deformable convolutions."""

from __future__ import annotations

from typing import Any

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY
from detectron2.modeling.backbone import FPN
from detectron2.modeling.backbone.fpn import build_resnet_fpn_backbone

from ictrack.modeling.deformable import deform


@BACKBONE_REGISTRY.register()
def build_deformable_resnet_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPN:
    """Detectron2's ResNet of bottlenecks with its feature pyramid, whose 3x3 convolutions are deformable in the stages
    of MODEL.RESNETS.DEFORM_ON_PER_STAGE. It needs no compiled operators of Detectron2's.

    Raises:
        ValueError: The ResNet has basic blocks, or several groups of offsets.
    """
    on_stages, modulated = list(cfg.MODEL.RESNETS.DEFORM_ON_PER_STAGE), cfg.MODEL.RESNETS.DEFORM_MODULATED
    if cfg.MODEL.RESNETS.DEFORM_NUM_GROUPS != 1:
        raise ValueError(f"MODEL.RESNETS.DEFORM_NUM_GROUPS is {cfg.MODEL.RESNETS.DEFORM_NUM_GROUPS}, must be 1")
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.RESNETS.DEFORM_ON_PER_STAGE = [False] * len(on_stages)
    backbone: Any = build_resnet_fpn_backbone(cfg, input_shape)
    for stage, is_on in zip(backbone.bottom_up.stages, on_stages):
        for block in stage if is_on else ():
            if not hasattr(block, "conv3"):
                raise ValueError("MODEL.RESNETS.DEFORM_ON_PER_STAGE needs bottlenecks: a DEPTH of 50 or more")
            block.conv2 = deform(block.conv2, modulated=modulated)
    return backbone
