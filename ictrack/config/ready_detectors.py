"""Configuration keys of the detectors that come with weights: NanoDet and MoveNet."""

from detectron2.config import CfgNode as CN


def add_ready_detector_config(cfg: CN) -> None:
    nanodet = cfg.MODEL.NANODET = CN()
    # Foreground categories; COCO has 80.
    nanodet.NUM_CLASSES = 80
    # Backbone feature of each level, fine to coarse.
    nanodet.IN_FEATURES = ["p3", "p4", "p5"]
    # build_csp_pan_backbone: channels that enter each block, and residual steps in it (NanoDet-g, as all that follows).
    nanodet.WIDTHS = [32, 64, 128, 256]
    nanodet.DEPTHS = [1, 2, 2, 3]
    # Channels of the pyramid and of the head.
    nanodet.CONV_DIM = 128
    # Largest distance of a box's side to its cell's center, in strides.
    nanodet.REG_MAX = 10
    # Initial probability of each class, set by the output biases.
    nanodet.PRIOR_PROB = 0.01
    # Training: candidate cells of each level for each box.
    nanodet.ASSIGNER_TOP_K = 9
    # Weights of the three losses.
    nanodet.QUALITY_LOSS_WEIGHT = 1.0
    nanodet.BOX_LOSS_WEIGHT = 2.0
    nanodet.DISTRIBUTION_LOSS_WEIGHT = 0.25
    # Score above which a box is a detection. At most TEST.DETECTIONS_PER_IMAGE are kept.
    nanodet.SCORE_THRESH_TEST = 0.05
    # IoU with a better box above which a box is suppressed.
    nanodet.NMS_THRESH_TEST = 0.6
    # Boxes of all categories suppress each other, so that an object is tracked once; False is NanoDet.
    nanodet.NMS_CLASS_AGNOSTIC = False
    # Number of best boxes that enter the suppression.
    nanodet.PRE_NMS_TOPK_TEST = 1000

    cfg.MODEL.MOVENET = CN()
    # Score above which a person is a detection; the best TEST.DETECTIONS_PER_IMAGE centers are considered.
    cfg.MODEL.MOVENET.SCORE_THRESH_TEST = 0.1
