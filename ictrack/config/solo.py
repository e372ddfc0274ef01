"""Configuration keys of SOLO."""

from detectron2.config import CfgNode as CN


def add_solo_config(cfg: CN) -> None:
    solo = cfg.MODEL.SOLO = CN()
    # Foreground categories; COCO has 80.
    solo.NUM_CLASSES = 80
    # Backbone feature of each level, fine to coarse.
    solo.IN_FEATURES = ["p2", "p3", "p4", "p5", "p6"]
    # Stride of each level's head input (SOLO); features of another stride are resized bilinearly.
    solo.STRIDES = [8, 8, 16, 32, 32]
    # Cells along each side of each level's grid (SOLO).
    solo.NUM_GRIDS = [40, 36, 24, 16, 12]
    # Range of sqrt(box width * box height) of each level, in pixels of the network's input, both ends included (SOLO).
    solo.SCALE_RANGES = [[1, 96], [48, 192], [96, 384], [192, 768], [384, 2048]]
    # Sides of the center region of positive cells, as a fraction of the box's sides (SOLO's sigma).
    solo.CENTER_REGION = 0.2
    # Mask branch: "grid" (SOLO v1), "decoupled" and "decoupled_light" (Decoupled SOLO), "dynamic" (SOLOv2).
    solo.MASK_HEAD = "grid"
    # Mask features of "dynamic", which each cell's filter is applied to.
    solo.MASK_FEATURES = CN()
    # Backbone features that are summed, fine to coarse, each of twice the stride; masks have the first's (SOLOv2).
    solo.MASK_FEATURES.IN_FEATURES = ["p2", "p3", "p4", "p5"]
    # Channels of the sum (SOLOv2).
    solo.MASK_FEATURES.CONV_DIM = 128
    # Channels of the mask features and of each filter (SOLOv2; 128 in its light form).
    solo.MASK_FEATURES.OUT_CHANNELS = 256
    # Whether the convolutions that make them are deformable (SOLOv2's published forms with DCN, but for the light one).
    solo.MASK_FEATURES.DEFORM = False
    # Number of 3x3 convolutions before the output convolution of the category and the mask tower (SOLO).
    solo.NUM_CONVS = 7
    # Number of them, at the end of each tower, that are deformable: all in SOLOv2's published forms with DCN, one in
    # the light ones. Whether they are modulated is MODEL.RESNETS.DEFORM_MODULATED.
    solo.DEFORM_CONVS = 0
    # Channels of both towers (SOLO).
    solo.CONV_DIM = 256
    # Groups of the towers' GroupNorm (SOLO).
    solo.NUM_GROUPS = 32
    # Initial foreground probability, set by the output biases.
    solo.PRIOR_PROB = 0.01
    # Factor on the initial weights of the mask branch's coordinate channels; 1 is SOLO. Short trainings need more to
    # tell objects apart, since only two of the tower's many inputs encode the location.
    solo.COORD_GAIN = 1.0
    # Standard deviation of the towers' initial weights (SOLO); 0: PyTorch's larger default, for short trainings.
    solo.INIT_STD = 0.01
    # Focal loss: weight of positives.
    solo.FOCAL_ALPHA = 0.25
    # Focal loss: exponent that down-weights easy cells.
    solo.FOCAL_GAMMA = 2.0
    # Constant added to both squared sums of the dice loss.
    solo.DICE_EPS = 0.001
    # Weight of the category loss.
    solo.CATEGORY_LOSS_WEIGHT = 1.0
    # Weight of the mask loss.
    solo.MASK_LOSS_WEIGHT = 3.0
    # What the sum of the mask losses is divided by: the number of its "pairs" of instance and cell (WXinlong,
    # AdelaiDet), or of positive "cells" (mmdetection 3). They differ where instances share a cell, in "dynamic" only,
    # which trains every pair.
    solo.MASK_LOSS_NORMALIZER = "pairs"
    # Target masks are padded to the network's input before they are shrunk (WXinlong, mmdetection), or False: shrunk
    # as they are to rounded sides, which stretches those whose sides are no multiple of the stride (AdelaiDet).
    solo.SHRINK_PADDED_MASKS = True
    # The factors and offsets of the backbone's frozen batch normalizations are trained from stage BACKBONE.FREEZE_AT
    # on, their statistics are not (WXinlong, mmdetection); False: neither (AdelaiDet, Detectron2).
    solo.TRAIN_BACKBONE_NORM = False
    # Score after point NMS above which a (cell, category) is a candidate.
    solo.SCORE_THRESH_TEST = 0.1
    # Probability above which a pixel is in the mask.
    solo.MASK_THRESH_TEST = 0.5
    # Number of candidates with the highest score times maskness that enter matrix NMS.
    solo.NMS_PRE_TOPK = 500
    # Matrix NMS decay: "gaussian" or "linear".
    solo.NMS_KERNEL = "gaussian"
    # Factor in the exponent of the Gaussian decay.
    solo.NMS_SIGMA = 2.0
    # Masks of all categories suppress each other, so that an object is tracked once; False is SOLO.
    solo.NMS_CLASS_AGNOSTIC = False
    # Decayed score below which detections are dropped. At most TEST.DETECTIONS_PER_IMAGE are kept.
    solo.UPDATE_THRESH_TEST = 0.05
