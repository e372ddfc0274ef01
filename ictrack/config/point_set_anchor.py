"""Configuration keys of PointSetAnchor and its HRNet."""

from detectron2.config import CfgNode as CN


def add_point_set_anchor_config(cfg: CN) -> None:
    psa = cfg.MODEL.POINT_SET_ANCHOR = CN()
    # Backbone feature of each level, fine to coarse. The heatmap branch reads the first, at half its stride.
    psa.IN_FEATURES = ["p3", "p4", "p5"]
    # Predicted joints: "COCO" (17), or "PoseTrack18" (17, with the neck and the top of the head instead of the eyes).
    psa.JOINT_SET = "COCO"
    # JSON file of the mean pose (made by ictrack prepare pose-template); "" is that of the published model.
    psa.TEMPLATE = ""
    # Length of the template's unit (about a person's height) and of point offsets, in strides of a level.
    psa.POINT_SCALE = 16
    # Square root of the area of an anchor's box, in strides of a level.
    psa.BOX_SCALE = 8
    # Joints at which the nine taps of a 3x3 kernel sample features: nose, elbows, wrists, knees, ankles.
    psa.SAMPLED_JOINTS = [0, 7, 8, 9, 10, 13, 14, 15, 16]
    # Number of 3x3 convolutions of each branch before the point-aligned one.
    psa.NUM_CONVS = 4
    # Channels of the branches.
    psa.CONV_DIM = 256
    # Groups of the branches' GroupNorm.
    psa.NUM_GROUPS = 32
    # Initial probability of a person, set by the class branch's bias.
    psa.PRIOR_PROB = 0.01
    # Standard deviation of the heads' initial weights.
    psa.INIT_STD = 0.01
    # OKS from which an anchor is positive, by stage.
    psa.POSITIVE_OKS = [0.5, 0.99]
    # OKS below which an anchor is negative, by stage; anchors in between are ignored.
    psa.NEGATIVE_OKS = [0.4, 0.89]
    # The MIN_ANCHORS anchors of highest OKS are positive for each person, even below POSITIVE_OKS.
    psa.MIN_ANCHORS = 9
    # Also when that OKS underflows to 0 (as published, where one distant person can then claim almost every anchor).
    psa.TAKE_ZERO_OKS = False
    # Focal loss: weight of positives.
    psa.FOCAL_ALPHA = 0.25
    # Focal loss: exponent that down-weights easy anchors.
    psa.FOCAL_GAMMA = 2.0
    # Error at which the box branch's smooth L1 loss changes from quadratic to linear.
    psa.BOX_SMOOTH_L1_BETA = 0.11
    # Weight of the class loss.
    psa.CLASS_LOSS_WEIGHT = 1.0
    # Weight of the keypoint loss.
    psa.KEYPOINT_LOSS_WEIGHT = 10.0
    # Weight of the box loss; it is auxiliary, boxes of detections are their poses' extents. 0: the branch does not run.
    psa.BOX_LOSS_WEIGHT = 1.0
    # Channels of the heatmap branch.
    psa.HEATMAP_CONV_DIM = 256
    # Normalization of the heatmap branch, by Detectron2's names.
    psa.HEATMAP_NORM = "BN"
    # Radius in cells of the Gaussians in the target heatmaps.
    psa.HEATMAP_RADIUS = 3
    # Margin from 0 and 1 to which heatmaps are clamped.
    psa.HEATMAP_MIN_PROBABILITY = 1e-4
    # Heatmap loss: weight of cells outside all Gaussians.
    psa.HEATMAP_BACKGROUND_WEIGHT = 0.1
    # Weight of the heatmap loss, a sum over the cells of all images of a process (as published).
    psa.HEATMAP_LOSS_WEIGHT = 0.05
    # Divide it by the number of images, so that any number of processes trains alike; with 4 images a process, a weight
    # of 0.2 then is the published one.
    psa.HEATMAP_LOSS_PER_IMAGE = False
    # Weight of the heatmap branch's offset loss (published: 10 * 0.05).
    psa.OFFSET_LOSS_WEIGHT = 0.5
    # Number of best anchors of each level that become candidates.
    psa.PRE_NMS_TOPK_TEST = 1000
    # Score above which a candidate is kept.
    psa.SCORE_THRESH_TEST = 0.001
    # OKS with a better pose above which a pose is suppressed. At most TEST.DETECTIONS_PER_IMAGE are kept.
    psa.NMS_OKS_TEST = 0.5
    # Replace every joint by the nearest peak of its heatmap.
    psa.SNAP_TO_PEAKS = True
    # Largest distance of a joint to its peak, in square roots of the pose's area; 0: no limit (published).
    psa.SNAP_GATE = 0.0
    # Side in cells of the window whose maximum is a peak; odd.
    psa.PEAK_KERNEL = 5
    # Number of highest peaks used per joint.
    psa.MAX_PEAKS = 30
    # Score of a joint: "instance" (the person's score, as published), "heatmap" (heatmap value at the joint) or
    # "instance_times_heatmap" (inferred).
    psa.KEYPOINT_SCORE = "instance_times_heatmap"

    hrnet = cfg.MODEL.HRNET = CN()
    # Channels of the finest branch: 18, 32 or 48 for W18, W32, W48. Each coarser branch has twice as many.
    hrnet.WIDTH = 48
    # Number of modules of each of the four stages.
    hrnet.NUM_MODULES = [1, 1, 4, 3]
    # Residual blocks per branch in a module of each stage.
    hrnet.NUM_BLOCKS = [4, 4, 4, 4]
    # Inner channels of the first stage's bottlenecks.
    hrnet.STAGE1_WIDTH = 64
    # BatchNorm uses its stored statistics in training; False (batch statistics) is PointSetAnchor.
    hrnet.NORM_EVAL = False
    # ImageNet weights: "" (random), "timm" (timm's hub), or a path of an official or timm checkpoint.
    hrnet.WEIGHTS = ""
    # HRFPN: channels of the levels.
    hrnet.FPN_CHANNELS = 256
    # HRFPN: number of levels.
    hrnet.FPN_LEVELS = 3
    # HRFPN: stride of the levels' convolutions; 2 puts the finest level at stride 8.
    hrnet.FPN_CONV_STRIDE = 2
