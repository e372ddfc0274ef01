"""Configuration keys that ICTrack adds to Detectron2's defaults.

Values tagged "paper" are from the supplementary of Fu et al., CVPR 2021 (arXiv 2104.00287), values tagged "SOLO" from
the public SOLO v1 code (github.com/WXinlong/SOLO), and values tagged "inferred" are ours where the paper is silent.
"""

from detectron2.config import CfgNode as CN


def add_ictrack_config(cfg: CN) -> None:
    """Add ICTrack's keys to ``cfg`` in place. Call once, before ``cfg.merge_from_file``."""
    # Ordered names of the detector's classes, or the name of a registered data set that has them; [] takes those of
    # DATASETS.TRAIN[0]. Training writes the names into the config.yaml beside its weights.
    cfg.MODEL.CLASSES = []
    # Accept MODEL.WEIGHTS that lack a whole part of the detector (backbone, feature pyramid, a head) or hold an
    # embedding head of another form; such files are refused by default.
    cfg.MODEL.ALLOW_PARTIAL_WEIGHTS = False
    _add_solo_config(cfg)
    _add_point_set_anchor_config(cfg)
    _add_small_detector_config(cfg)
    add_embedding_config(cfg)
    _add_backbone_config(cfg)
    add_tracker_config(cfg)
    _add_data_config(cfg)
    _add_solver_config(cfg)
    _add_adapt_config(cfg)


def _add_freeze_config(cfg: CN) -> None:
    # Frozen modules: any of "backbone", "detector" (backbone and detection heads), "image_head" (the embedding head
    # beside a video head). [] trains everything jointly. The configs for unlabeled video freeze the last two, our
    # reading of the paper's "further learn".
    cfg.MODEL.FREEZE = []
    for detector in ("SOLO", "POINT_SET_ANCHOR"):
        cfg.register_renamed_key(
            f"MODEL.{detector}.TRAINABLE", "MODEL.FREEZE", message='TRAINABLE False is FREEZE ["detector"]'
        )
    cfg.register_renamed_key("MODEL.VIDEO_EMBEDDING.FREEZE", "MODEL.FREEZE", message="It is the same list")


def _add_solo_config(cfg: CN) -> None:
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
    # Number of 3x3 convolutions before the output convolution of the category and the mask tower (SOLO).
    solo.NUM_CONVS = 7
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


def _add_point_set_anchor_config(cfg: CN) -> None:
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
    # Weight of the heatmap loss (a sum over all cells).
    psa.HEATMAP_LOSS_WEIGHT = 0.05
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


def _add_small_detector_config(cfg: CN) -> None:
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


def add_embedding_config(cfg: CN) -> None:
    """Add only the keys of embedding heads to ``cfg`` in place: ``MODEL.EMBEDDING``, ``MODEL.VIDEO_EMBEDDING`` and
    ``MODEL.FREEZE``.

    They are all that a meta-architecture of your own with :func:`ictrack.modeling.build_embedding_head` needs;
    :func:`add_ictrack_config` includes them.
    """
    _add_freeze_config(cfg)
    _add_image_embedding_config(cfg)
    _add_video_embedding_config(cfg)


def _add_image_embedding_config(cfg: CN) -> None:
    emb = cfg.MODEL.EMBEDDING = CN()
    # Name in EMBEDDING_HEADS, or "" for a detector without embeddings.
    emb.NAME = ""
    # Features that the head reads: FPN levels ("p2", ...) or backbone taps ("res2", ...). []: those of the detector.
    emb.IN_FEATURES = []
    # Number of 3x3 convolutions (GroupNorm, ReLU) before the output convolution: 4 (paper); 0 is a linear head.
    emb.NUM_CONVS = 4
    # Channels of those convolutions (paper).
    emb.CONV_DIM = 256
    # Groups of their GroupNorm (inferred: SOLO's category head).
    emb.NUM_GROUPS = 32
    # Embedding dimension (paper).
    emb.DIM = 128
    # Padding of the 3x3 convolutions: "zeros", or "replicate", which encodes less of the position.
    emb.PADDING_MODE = "zeros"
    # "cell": the grid cell that produced the detection; "mask": mean inside the mask, averaged over levels.
    emb.READOUT = "cell"
    # Side of the grid of the "cell" read-out; 0: the detector's grids; 40: a single 40 x 40 grid for all levels.
    emb.GRID_SIZE = 0
    # Weight of the instance contrastive loss (inferred).
    emb.LOSS_WEIGHT = 1.0
    # Lambda of Eq. (5) (paper: 1).
    emb.CONTRASTIVE_WEIGHT = 1.0
    # Weight of the maximum-entropy regularizer (inferred).
    emb.ENTROPY_WEIGHT = 0.1
    # L2-normalize embeddings in the loss; False: raw dot products.
    emb.NORMALIZE = False
    # Temperature of the loss's similarities: 1 for raw dot products, about 0.1 with NORMALIZE.
    emb.TEMPERATURE = 1.0
    # Pass the gradient of the instance contrastive loss into the features.
    emb.BACKPROP_TO_FEATURES = True
    # NAME "CropEmbedding": identities.npz of `ictrack identify`, whose encoder gives the embeddings.
    emb.CROP_ENCODER = ""

    kem = emb.KEYPOINT = CN()
    # Reduce the decoder's output to DIM channels by a 1x1 convolution (inferred); False is the literal reading, one
    # convolution and one deconvolution.
    kem.OUTPUT_CONV = True
    # "instance_contrastive" (paper), or the baseline associative embedding: "scalar_tags" (original) or "vector_tags".
    kem.OBJECTIVE = "instance_contrastive"
    # Reduction of the losses of all joints: "mean" (inferred) or "sum".
    kem.JOINT_REDUCTION = "mean"
    # Levels of the instance contrastive loss: "joint" and "person" (paper), or one of them.
    kem.LEVELS = ["joint", "person"]
    # Largest number of predicted poses per person at which training reads embeddings, a random subset (inferred).
    kem.MAX_POSES = 16
    # Also read embeddings at the labeled joints, which is steadier while predictions are poor (inferred).
    kem.USE_GROUND_TRUTH = True
    # Embedding that trackers get: "person" (mean over joints), or "joints" (one per joint, compared joint by joint).
    kem.SIMILARITY = "person"
    # Score above which a predicted joint is used (inferred).
    kem.MIN_JOINT_SCORE = 0.2
    # Names of joints that are never used, such as those that no training data has.
    kem.IGNORED_JOINTS = []
    # Weights of the two terms of associative embedding (pose-ae-train).
    kem.PULL_WEIGHT = 0.001
    kem.PUSH_WEIGHT = 0.001

    masks = cfg.MODEL.BOX_MASK = CN()
    # Give the boxes of an EmbeddedDetector masks, by a class-agnostic head that is trained on labeled masks.
    masks.ENABLED = False
    # Features that the head pools in a box; those of EMBEDDED_DETECTOR.FEATURES.BACKBONE or of the detector.
    masks.IN_FEATURES = ["res2", "res3", "res4"]
    # Number of 3x3 convolutions, and their channels.
    masks.NUM_CONVS = 3
    masks.CONV_DIM = 48
    # Side of the pooled features in cells; masks have twice as many.
    masks.RESOLUTION = 28
    # Training: largest shift of each side of a box, as a share of its size.
    masks.BOX_JITTER = 0.1
    # Weight of cross-entropy and dice loss.
    masks.LOSS_WEIGHT = 1.0
    # Probability above which a pixel is in the mask.
    masks.MASK_THRESH_TEST = 0.5

    # Detector inside META_ARCHITECTURE "EmbeddedDetector": a name in Detectron2's META_ARCH registry.
    cfg.MODEL.EMBEDDED_DETECTOR = CN()
    cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE = "GeneralizedRCNN"
    # Configuration of Detectron2's model zoo, such as "COCO-Detection/retinanet_R_50_FPN_3x.yaml", that gives the
    # detector, its input and its weights; all other keys of a file and of the command line override it.
    cfg.MODEL.EMBEDDED_DETECTOR.ZOO = ""
    foreground = cfg.MODEL.FOREGROUND = CN()
    # META_ARCHITECTURE "ForegroundSegmenter": pixels "dark"er or "bright"er than the threshold, or those that differ
    # from a "background" that is learnt while the video runs.
    foreground.METHOD = "dark"
    # Gray value (0 to 255), or for "background" the squared distance in variances (OpenCV's default: 16).
    foreground.THRESHOLD = 128
    # Smallest and largest area of an instance in pixels; 0: no limit.
    foreground.MIN_AREA = 100
    foreground.MAX_AREA = 0
    # Diameter in pixels of the opening that removes thin bridges and specks; 0: none.
    foreground.OPENING = 0
    # Frames that the background remembers.
    foreground.HISTORY = 500

    onnx = cfg.MODEL.ONNX = CN()
    # ONNX file of a box detector that META_ARCHITECTURE "OnnxDetector" runs.
    onnx.FILE = ""
    # Form of its output: "yolo" (4 + C, N), "yolov5" (N, 5 + C), "boxes" (N, 6); "": by its shape.
    onnx.LAYOUT = ""
    # Height and width of its input, where the file takes any (YOLO's usual).
    onnx.SIZE = [640, 640]
    # Number by which pixels are divided, and order of the channels (YOLO's).
    onnx.DIVISOR = 255.0
    onnx.FORMAT = "RGB"
    # Score above which a detection is kept. At most TEST.DETECTIONS_PER_IMAGE are kept.
    onnx.SCORE_THRESH_TEST = 0.1
    # IoU with a better box above which a box is suppressed (NanoDet's); not with the layout "boxes".
    onnx.NMS_THRESH_TEST = 0.6
    # Boxes of all classes suppress each other, so that an object is tracked once.
    onnx.NMS_CLASS_AGNOSTIC = False
    given = cfg.MODEL.GIVEN_DETECTIONS = CN()
    # File or folder whose detections META_ARCHITECTURE "GivenDetections" looks up, see docs/own_detector.md.
    given.FILE = ""
    # Name of its format in ictrack.structures.detections; "": by its content.
    given.FORMAT = ""
    # File with the images, or videos, and categories of a results file of COCO or YouTube-VIS; "": classes and videos
    # are numbers, and image_id is the frame index.
    given.IMAGES = ""
    features = cfg.MODEL.EMBEDDED_DETECTOR.FEATURES = CN()
    # Name in Detectron2's BACKBONE registry of a backbone for the embedding head alone, such as "build_timm_backbone";
    # "" reads the detector's.
    features.BACKBONE = ""
    # Normalization by channel and channel order of its input (those of timm's tf_efficientnet_lite0).
    features.PIXEL_MEAN = [127.5, 127.5, 127.5]
    features.PIXEL_STD = [127.5, 127.5, 127.5]
    features.FORMAT = "RGB"


def _add_video_embedding_config(cfg: CN) -> None:
    video = cfg.MODEL.VIDEO_EMBEDDING = CN()
    # Add a video embedding head of the image head's structure (paper), trained on unlabeled video.
    video.ENABLED = False
    # KEY, VALUE, ... of MODEL.EMBEDDING that differ for the video head.
    video.HEAD_OPTIONS = []
    # Pass the gradient of the video objective into the features.
    video.BACKPROP_TO_FEATURES = False
    # Unlabeled frames per pass of the detector without a gradient; bounds memory.
    video.FRAMES_AT_A_TIME = 8
    # Weight w of the video head in the fused cosine, (image + w^2 video) / (1 + w^2) (inferred); 0: image head alone,
    # .inf: video head alone.
    video.FUSION_WEIGHT = 1.0
    # "correspondence" (inferred), "random_walk", "tracklet" or "instance_walk".
    video.OBJECTIVE = "correspondence"
    # Weight of the video objective.
    video.LOSS_WEIGHT = 1.0
    # Indices of the embedding head's levels for pixel-level objectives, whose losses are averaged; []: all (inferred:
    # the cell read-out reads any of them). The mask read-out resizes its one map to the resolutions of these levels. A
    # head that reads keypoints has one level.
    video.LEVELS = []
    cfg.register_renamed_key(
        "MODEL.VIDEO_EMBEDDING.LEVEL",
        "MODEL.VIDEO_EMBEDDING.LEVELS",
        message="It is a list: what was LEVEL 2 is LEVELS [2]",
    )
    # Rows of an affinity matrix held in memory, the others being recomputed in the backward pass; 0: all.
    video.BLOCK_SIZE = 0
    # Iterations between two logs of the video head's label-free health metrics; 0 is off.
    video.HEALTH_PERIOD = 0
    # Number of videos of DATASETS.UNLABELED on whose frames these metrics are computed.
    video.HEALTH_VIDEOS = 16

    pair = video.CORRESPONDENCE = CN()
    # Weights of color reconstruction forward, and backward by the same affinity (UVC).
    pair.COLOR_WEIGHT = 1.0
    pair.REVERSE_COLOR_WEIGHT = 0.1
    # Weight of the concentration loss (UVC's training log).
    pair.CONCENTRATION_WEIGHT = 0.3
    # Weight of the cycle-consistency loss (UVC).
    pair.CYCLE_WEIGHT = 0.1
    # Cycle consistency of the return "probability", or of the returned "coordinate" (UVC).
    pair.CYCLE = "probability"
    # Weights of the color channels L, a, b (UVC).
    pair.CHANNEL_WEIGHTS = [1.0, 10.0, 10.0]
    # Color loss above which a pair of frames is ignored (UVC); 0: no limit.
    pair.MAX_COLOR_LOSS = 2.5
    # Side in cells of the windows of the concentration loss (UVC).
    pair.WINDOW = 8
    # Side in cells of a random patch that is matched to the other frame; 0: the whole frame.
    pair.PATCH_SIZE = 0
    # L2-normalize embeddings; False is UVC.
    pair.NORMALIZE = False
    # Temperature of the similarities: 1 for raw dot products (UVC).
    pair.TEMPERATURE = 1.0

    walk = video.RANDOM_WALK = CN()
    # Temperature of the cosines of cells or instances (videowalk).
    walk.TEMPERATURE = 0.07
    # Probability that an edge is dropped (videowalk).
    walk.EDGE_DROPOUT = 0.1

    tracklet = video.TRACKLET = CN()
    # Temperature of the cosines (tuned on synthetic data).
    tracklet.TEMPERATURE = 0.1
    # Smallest distance in frames of a positive pair.
    tracklet.MIN_GAP = 1
    # Mining: smallest score of a detection.
    tracklet.MIN_SCORE = 0.2
    # Mining: value of TRACKER_HEADS.EMBEDDING.NEW_OBJECT_COSINE.
    tracklet.NEW_OBJECT_COSINE = 0.7
    # Mining: smallest number of detections of a tracklet.
    tracklet.MIN_LENGTH = 8


def _add_backbone_config(cfg: CN) -> None:
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


def add_tracker_config(cfg: CN) -> None:
    """Add only the keys of trackers, ``TRACKER_HEADS``, to ``cfg`` in place; part of :func:`add_ictrack_config`."""
    if "TRACKER_HEADS" not in cfg:
        cfg.TRACKER_HEADS = CN()
    trk = cfg.TRACKER_HEADS
    # Name in Detectron2's TRACKER_HEADS: EmbeddingTracker, SpatialTracker, or one of Detectron2's own.
    trk.TRACKER_NAME = "EmbeddingTracker"
    # Smallest score of a detection that enters the tracker (inferred).
    trk.MIN_SCORE = 0.1
    # Number of best detections of a frame that enter the tracker (inferred).
    trk.MAX_DETECTIONS = 10
    # Smallest score of a detection that starts a track (inferred).
    trk.NEW_TRACK_SCORE = 0.3
    # Smallest score of a detection that starts a track after losing its track to a better one (inferred).
    trk.CONFLICT_NEW_TRACK_SCORE = 0.5
    # Frames without a match after which a track ends; 0: never.
    trk.MAX_AGE = 0
    # Score from which detections choose their tracks first, as in ByteTrack; 0: all choose at once.
    trk.HIGH_SCORE = 0.0
    # Largest distance of a detection to its track's last position, in square roots of the track's area for each frame
    # since it was seen; 0: no limit.
    trk.MAX_SPEED = 0.0
    # Give a track's detections the class for which their scores sum up to most, instead of their own.
    trk.CLASS_VOTING = False

    emb = trk.EMBEDDING = CN()
    # "cosine" (paper); "distance", minus the Euclidean distance, for scalar tags; or "distance_and_cosine", the mean of
    # both, for scalar tags with a video head. NEW_OBJECT_COSINE is on the same scale: with "distance", -1 is a distance
    # of 1. Embeddings (N, P, D) of P parts are compared by the mean over the parts that both have.
    emb.SIMILARITY = "cosine"
    # Factor kappa on cosine similarities before the softmaxes (inferred).
    emb.SCALE = 10.0
    # Add a dummy row and column to the bi-directional softmax, at cosine NEW_OBJECT_COSINE; False: the literal form.
    emb.DUMMY = True
    # Similarity of the dummy: below it a detection is rather a new object (inferred).
    emb.NEW_OBJECT_COSINE = 0.5
    # With DUMMY: embeddings whose similarity is within this of equal ones (cosine 1, distance 0) count once in the
    # softmaxes, and are told apart by their boxes (inferred).
    emb.EQUAL_TOLERANCE = 1e-3
    # Similarity below which a detection is a new object.
    emb.MATCH_THRESHOLD = 0.5
    # "score_order": row-wise argmax, a contested track goes to the best similarity; "hungarian": optimal assignment.
    emb.ASSIGNMENT = "score_order"
    # Weight of the new embedding in the memory: the paper's "momentum value". That it weighs the new embedding and not
    # the old one is inferred (as in QDTrack).
    emb.MOMENTUM = 0.7

    post = trk.POST_PROCESSING = CN()
    # Add alpha * confidence + beta * IoU + gamma * same category to the similarity, Eq. (1) (off: inferred).
    post.ENABLED = False
    # "linear" (as printed in Eq. (1)) or "log" (MaskTrack R-CNN, whose weights are 1, 2, 10): a new object gets
    # alpha * confidence and gamma, too, so that alpha only decides contests. "fixed": Eq. (1) is compared with
    # MATCH_THRESHOLD; a GAMMA of 10 then accepts all of the same category, so choose weights of the threshold's size.
    post.FORM = "linear"
    # Weight of the detection's confidence (inferred).
    post.ALPHA = 1.0
    # Weight of the IoU with the track's last box (inferred).
    post.BETA = 0.5
    # Weight of the same category as the track's (inferred).
    post.GAMMA = 10.0

    spatial = trk.SPATIAL = CN()
    # "distance": center distance over sqrt(area), the paper's baseline; "iou": IoU of masks, or of boxes without any;
    # "oks": object keypoint similarity, with TEST.KEYPOINT_OKS_SIGMAS or, where these are empty, COCO's.
    spatial.COST = "distance"
    # Largest distance of a match (inferred).
    spatial.MAX_DISTANCE = 1.0
    # Smallest IoU of a match (inferred).
    spatial.MIN_IOU = 0.1
    # Smallest OKS of a match (inferred).
    spatial.MIN_OKS = 0.3
    # Match only detections of the track's category.
    spatial.SAME_CATEGORY = True
    # Score above which a joint enters the distance of poses (inferred).
    spatial.MIN_JOINT_SCORE = 0.2

    # Keys of Detectron2's own trackers, at the values of its tests.
    trk.VIDEO_HEIGHT = 0
    trk.VIDEO_WIDTH = 0
    trk.MAX_NUM_INSTANCES = 200
    trk.MAX_LOST_FRAME_COUNT = 0
    trk.MIN_BOX_REL_DIM = 0.02
    trk.MIN_INSTANCE_PERIOD = 1
    trk.TRACK_IOU_THRESHOLD = 0.5


def _add_data_config(cfg: CN) -> None:
    # Data sets to register: [[name, format, annotations, images], ...]. Like any list, it replaces the one of a base
    # file as a whole. Formats of labeled images, for DATASETS.TRAIN and TEST:
    #   "coco"              instances in COCO's format: its file, the folder of images
    #   "coco_keypoints"    poses in COCO's format: its file, the folder of images
    #   "mpii"              poses of MPII: its .mat or .json file, the folder of images
    #   "posetrack_images"  poses of PoseTrack 2017, 2018 or 2021 to train on: the folder of its files, the folder in
    #                       which they name images
    # Formats of labeled videos, for DATASETS.TEST:
    #   "youtube_vis"       instances in YouTube-VIS's format: its file, the folder of frames
    #   "posetrack"         poses in PoseTrack18's format: the folder of its files, the folder in which they name images
    # Format of unlabeled videos, for DATASETS.UNLABELED:
    #   "videos"            [name, "videos", path, ...], each a file, a folder, a glob, or a .txt list of them
    cfg.DATASETS.REGISTER = []
    for old in ("COCO_FORMAT", "YOUTUBE_VIS_FORMAT", "POSETRACK_FORMAT", "POSE_FORMAT", "UNLABELLED_VIDEOS"):
        cfg.register_renamed_key(
            f"DATASETS.{old}", "DATASETS.REGISTER", message="its rows are [name, format, ...]; see ictrack/config.py"
        )
    cfg.register_renamed_key(
        "DATASETS.SAMPLE_ROOT",
        "DATASETS.REGISTER",
        message="configs/quickstart registers the quick-start's data by it; where SAMPLE_ROOT is empty, remove it",
    )
    # Smallest score of joints that are submitted to PoseTrack and drawn: a higher value gains MOTA and costs AP; 0 is
    # off.
    cfg.TEST.MIN_JOINT_SCORE = 0.0
    # Repetitions of a data set's images in an epoch: [[name, factor], ...], 1 for the others. Read by Detectron2's
    # DATALOADER.SAMPLER_TRAIN "WeightedTrainingSampler".
    cfg.DATASETS.TRAIN_REPEAT_FACTOR = []
    # Number of augmented views of each labeled image in a batch; the contrastive loss gains from 2.
    cfg.INPUT.NUM_VIEWS = 1
    # Range [smallest, largest] of a random horizontal squeeze of each view, as of an object that turns; [] is off.
    cfg.INPUT.SQUEEZE = []
    # Range [smallest, largest] of a random scaling, followed by a random crop to INPUT.CROP_SIZE with padding; [] is
    # off. At scale 1 the image just fits in. With MODEL.KEYPOINT_ON the crop is centered at a random person.
    cfg.INPUT.SCALE_JITTER = []
    # Crop around a person: "fitted", as above, or "published" (PointSetAnchor): an area of CROP_SIZE times the scale in
    # the image's own pixels is resized to CROP_SIZE, padded with black, and joints outside it stay labeled: they are
    # regressed, but have no peak in the heatmap and no embedding.
    cfg.INPUT.PERSON_CROP = "fitted"
    # Size [height, width] of the scale-jittered crop.
    cfg.INPUT.CROP_SIZE = [192, 320]
    # Largest relative change of brightness, contrast and saturation; 0 is off.
    cfg.INPUT.COLOR_JITTER = 0.0
    # Largest shift of the hue, as a fraction of the color circle; 0 is off.
    cfg.INPUT.HUE_JITTER = 0.0
    # Largest random rotation in degrees, to either side; 0 is off.
    cfg.INPUT.ROTATION = 0.0
    # Share of unreadable labeled images above which training stops.
    cfg.DATALOADER.MAX_BAD_SHARE = 0.01
    # Replay NUM_BATCHES batches TIMES times, each time in another order. Frozen parts of the backbone compute their
    # features only the first time, which pays on a CPU. Batches and features of NUM_BATCHES stay in memory
    # (quick-start: 0.6 GB a process). TIMES 1 is off.
    cfg.DATALOADER.REPLAY = CN({"TIMES": 1, "NUM_BATCHES": 128})
    _add_unlabeled_config(cfg)


def _add_unlabeled_config(cfg: CN) -> None:
    # Names of data sets of unlabeled video to train on, with or without DATASETS.TRAIN.
    cfg.DATASETS.UNLABELED = ()
    # Videos to leave out, such as those of the evaluation (YouTube-VIS is a part of YouTube-VOS): registered data sets
    # of videos, names of videos, .txt files with a name a line, or YouTube-VIS annotation files.
    cfg.DATASETS.UNLABELED_EXCLUDE = []
    # File of tracklets in DATASETS.UNLABELED; "": set-up mines one where the objective needs it.
    cfg.DATASETS.UNLABELED_TRACKLETS = ""
    # Share of unlabeled videos with unreadable frames above which training stops. It is large, since few collected
    # files may be mostly unreadable; each is named in the log.
    cfg.DATALOADER.MAX_BAD_VIDEO_SHARE = 0.75
    # Threads of each worker's video decoder; 0: FFmpeg's choice.
    cfg.DATALOADER.DECODER_THREADS = 1

    inp = cfg.INPUT.UNLABELED = CN()
    # Video samples (pairs or clips) in a batch per labeled view. Without DATASETS.TRAIN, SOLVER.IMS_PER_BATCH counts
    # the video samples.
    inp.PER_LABELED_IMAGE = 1.0
    # Frames of a sample: 2 for a pair (inferred), or more for a clip (random walk: 4 in videowalk).
    inp.NUM_FRAMES = 2
    # Smallest and largest interval between consecutive frames of a sample (paper: 2 to 8).
    inp.INTERVAL = [2.0, 8.0]
    # Unit of INTERVAL: "frames" of the data as released (inferred) or "seconds".
    inp.INTERVAL_UNIT = "frames"
    # Frame rate of folders of frames, for intervals in seconds (YouTube-VOS: 6).
    inp.FOLDER_FPS = 6.0
    # Height and width of the images.
    inp.SIZE = [360, 640]
    # Smallest and largest random magnification (UVC: up to 1.2); at 1 the frame just covers the image.
    inp.ZOOM = [1.0, 1.2]
    # Largest enlargement of frames that are decoded at 1/2, 1/4 or 1/8 of their size, which is much faster; 1 keeps all
    # detail.
    inp.MAX_ENLARGEMENT = 1.25
    # Largest random rotation in degrees, to either side (UVC).
    inp.ROTATION = 10.0
    # Probability that all frames of a sample are mirrored.
    inp.FLIP_PROB = 0.5
    # Use one zoom, rotation and position for all frames of a sample.
    inp.SAME_WINDOW = True
    # Largest relative change of each frame's brightness, contrast and saturation; 0 is off.
    inp.COLOR_JITTER = 0.3
    # Largest shift of each frame's hue, as a fraction of the color circle; 0 is off.
    inp.HUE_JITTER = 0.02
    # Probability that a frame is made gray, so that the network cannot copy its colors (inferred).
    inp.GREY_PROB = 0.5
    # Side in pixels of the cells over which the colors to reconstruct are averaged; divides SIZE.
    inp.COLOR_STRIDE = 8
    leaves = ["INPUT.UNLABELED", *(f"INPUT.UNLABELED.{name}" for name in inp)]
    datasets = [f"DATASETS.UNLABELED{suffix}" for suffix in ("", "_EXCLUDE", "_TRACKLETS")]
    for key in (*datasets, *leaves):
        cfg.register_renamed_key(key.replace("LABELED", "LABELLED"), key)


def _add_solver_config(cfg: CN) -> None:
    # "SGD" (Detectron2's), "ADAM" or "ADAMW".
    cfg.SOLVER.OPTIMIZER = "SGD"
    # Power of the decay of LR_SCHEDULER_NAME "WarmupPolyLR" (UVC).
    cfg.SOLVER.POLY_POWER = 0.9
    # Decay of the exponential moving average of the weights, used for evaluation; 0 is off.
    cfg.SOLVER.EMA_DECAY = 0.0


def _add_adapt_config(cfg: CN) -> None:
    adapt = cfg.ADAPT = CN()
    # Objective of the video head on the user's videos, as MODEL.VIDEO_EMBEDDING.OBJECTIVE. "correspondence" needs no
    # detections, which may be few on videos unlike the training images.
    adapt.OBJECTIVE = "correspondence"
    # Number of training iterations.
    adapt.ITERATIONS = 100
    # Learning rate of the video head (AdamW).
    adapt.BASE_LR = 0.001
    # Clips in a batch.
    adapt.CLIPS_PER_BATCH = 4
    # Frames of a clip; always 2 with "correspondence".
    adapt.NUM_FRAMES = 6
    # Smallest and largest interval in frames between consecutive frames of a clip.
    adapt.INTERVAL = [1.0, 8.0]
    # Share of each video, at its end, that is held out for the health metrics.
    adapt.HELD_OUT = 0.2
    # Number of held-out pairs of frames for the health metrics.
    adapt.MEASURED_PAIRS = 32
