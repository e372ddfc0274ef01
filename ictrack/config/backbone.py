"""Configuration keys of timm backbones."""

from detectron2.config import CfgNode as CN


def add_backbone_config(cfg: CN) -> None:
    timm = cfg.MODEL.TIMM = CN()
    # Name of the timm model; its features_only outputs are res2 (stride 4), res3 (stride 8), ...
    timm.NAME = "tf_efficientnet_lite0"
    # ImageNet weights: "" (random), "timm" (timm's hub), "package:NAME" (the state dict in the Python package NAME), or
    # a path of a .pth or .safetensors state dict.
    timm.WEIGHTS = ""
    # Ascending strides of the taps.
    timm.OUT_STRIDES = [4, 8, 16, 32]
    # Freeze the timm model, in evaluation mode, and normalize its taps by a BatchNorm without affine parameters.
    timm.FREEZE = False
    # Means and variances of a frozen model's taps: "" (measured in training), or a path of a .safetensors file, such as
    # "ictrack://efficientnet_lite0_taps.safetensors", for heads that are not trained.
    timm.STATISTICS = ""
    # Run a frozen model under bfloat16 autocast where the hardware has bfloat16.
    timm.AUTOCAST = False
    # build_timm_fpn_backbone: number of levels above the pyramid (p6, ...), each every other pixel of the one below.
    timm.NUM_EXTRA_LEVELS = 1
