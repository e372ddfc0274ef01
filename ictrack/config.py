"""Every configuration key that ICTrack adds to Detectron2's defaults.

Values tagged "paper" are from the supplementary of Fu et al., CVPR 2021 (arXiv 2104.00287); values tagged
"SOLO" from the public SOLO v1 code (github.com/WXinlong/SOLO); values tagged "inferred" are defaults chosen
where the paper is silent.
"""

from detectron2.config import CfgNode as CN


def add_ictrack_config(cfg: CN) -> None:
    """Add ICTrack's keys to ``cfg`` in place. Call once, before ``cfg.merge_from_file``."""
    _add_solo_config(cfg)
    _add_embedding_config(cfg)
    _add_backbone_config(cfg)
    _add_tracker_config(cfg)
    _add_data_config(cfg)
    _add_solver_config(cfg)


def _add_solo_config(cfg: CN) -> None:
    solo = cfg.MODEL.SOLO = CN()
    # Foreground categories; COCO has 80.
    solo.NUM_CLASSES = 80
    # Backbone features, one a SOLO level, fine to coarse.
    solo.IN_FEATURES = ["p2", "p3", "p4", "p5", "p6"]
    # Stride of each level's head input; a feature of another stride is resized bilinearly to it (SOLO).
    solo.STRIDES = [8, 8, 16, 32, 32]
    # Cells along each side of a level's grid (SOLO).
    solo.NUM_GRIDS = [40, 36, 24, 16, 12]
    # sqrt(box width * box height) in pixels of the network's input, both ends included, that each level takes (SOLO).
    solo.SCALE_RANGES = [[1, 96], [48, 192], [96, 384], [192, 768], [384, 2048]]
    # Side of the centre region as a fraction of the box's sides: its cells are positive (SOLO's sigma).
    solo.CENTER_REGION = 0.2
    # 3x3 convolutions before the output convolution of the category and the mask tower (SOLO).
    solo.NUM_CONVS = 7
    # Channels of both towers (SOLO).
    solo.CONV_DIM = 256
    # Groups of the towers' GroupNorm (SOLO).
    solo.NUM_GROUPS = 32
    # Initial foreground probability that the output biases encode (focal loss).
    solo.PRIOR_PROB = 0.01
    # Factor on the initial weights of the mask branch's coordinates. 1 is SOLO's; with it, a short training finds what
    # belongs to objects, but not which of them, as just two of the tower's many inputs tell places apart.
    solo.COORD_GAIN = 1.0
    # Standard deviation of the towers' initial weights (SOLO); 0: PyTorch's own, larger, which a short training needs.
    solo.INIT_STD = 0.01
    # Focal loss: weight of positives.
    solo.FOCAL_ALPHA = 0.25
    # Focal loss: exponent that takes weight from easy cells.
    solo.FOCAL_GAMMA = 2.0
    # Added to both squared sums of the dice loss.
    solo.DICE_EPS = 0.001
    # Weight of the category loss.
    solo.CATEGORY_LOSS_WEIGHT = 1.0
    # Weight of the mask loss.
    solo.MASK_LOSS_WEIGHT = 3.0
    # A (cell, category) is a candidate iff its score after point NMS is above this.
    solo.SCORE_THRESH_TEST = 0.1
    # A pixel is in a mask iff its probability is above this.
    solo.MASK_THRESH_TEST = 0.5
    # Candidates, by falling score times maskness, that enter matrix NMS.
    solo.NMS_PRE_TOPK = 500
    # Matrix NMS decay: "gaussian" or "linear".
    solo.NMS_KERNEL = "gaussian"
    # Factor in the exponent of the gaussian decay.
    solo.NMS_SIGMA = 2.0
    # Masks of all categories suppress each other, so that an object is tracked once; False is SOLO's.
    solo.NMS_CLASS_AGNOSTIC = False
    # Detections whose decayed score is below this are dropped. At most TEST.DETECTIONS_PER_IMAGE are kept.
    solo.UPDATE_THRESH_TEST = 0.05
    # Train the detector; False freezes backbone and SOLO heads and trains only the embedding head.
    solo.TRAINABLE = True


def _add_embedding_config(cfg: CN) -> None:
    emb = cfg.MODEL.EMBEDDING = CN()
    # Name in EMBEDDING_HEADS, or "" for a detector without embeddings.
    emb.NAME = ""
    # Features that the head reads: FPN levels ("p2", ...) or backbone taps ("res2", ...). Empty: the detector's own.
    emb.IN_FEATURES = []
    # 3x3 convolutions (GroupNorm, ReLU) before the output convolution: 4 (paper); 0 is a linear head.
    emb.NUM_CONVS = 4
    # Channels of those convolutions (paper).
    emb.CONV_DIM = 256
    # Groups of their GroupNorm (inferred: SOLO's category head).
    emb.NUM_GROUPS = 32
    # Embedding dimension (paper).
    emb.DIM = 128
    # Padding of the 3x3 convolutions: "zeros", or "replicate", which leaks less position.
    emb.PADDING_MODE = "zeros"
    # "cell": the grid cell that produced the detection; "mask": mean inside the mask, averaged over levels.
    emb.READOUT = "cell"
    # Grid of every level for the "cell" read-out: 0 takes the detector's grids, 40 the one grid of a reading note.
    emb.GRID_SIZE = 0
    # Weight of the instance contrastive loss against the detector's losses (inferred).
    emb.LOSS_WEIGHT = 1.0
    # Lambda of Eq. (5) (paper: 1).
    emb.CONTRASTIVE_WEIGHT = 1.0
    # Weight of the maximum-entropy regulariser (inferred).
    emb.ENTROPY_WEIGHT = 0.1
    # L2-normalise embeddings in the loss; False is the raw dot product.
    emb.NORMALIZE = False
    # Divides the similarities of the loss. 1 with raw dot products; about 0.1 with NORMALIZE.
    emb.TEMPERATURE = 1.0
    # Gradient of the instance contrastive loss into the features below the head.
    emb.BACKPROP_TO_FEATURES = True

    # The detector inside META_ARCHITECTURE "EmbeddedDetector": a name in Detectron2's META_ARCH registry.
    cfg.MODEL.EMBEDDED_DETECTOR = CN()
    cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE = "GeneralizedRCNN"


def _add_backbone_config(cfg: CN) -> None:
    timm = cfg.MODEL.TIMM = CN()
    # Name of the timm model; its features_only outputs become res2, res3, ... by stride.
    timm.NAME = "tf_efficientnet_lite0"
    # Where ImageNet weights come from: "" random, "timm" through timm's hub, "package:NAME" the state dict that the
    # Python package NAME ships, or a path to a .pth/.safetensors state dict.
    timm.WEIGHTS = ""
    # Strides of the taps, ascending, each with a feature name (res2 is stride 4).
    timm.OUT_STRIDES = [4, 8, 16, 32]
    # No gradient and evaluation-mode statistics in the timm model; its taps are then normalised by a BatchNorm
    # without affine parameters.
    timm.FREEZE = False
    # Run a frozen model under bfloat16 autocast (CPU and GPU).
    timm.AUTOCAST = False
    # build_timm_fpn_backbone: levels above the pyramid, each every other pixel of the one before (p6 over stride 32).
    timm.NUM_EXTRA_LEVELS = 1


def _add_tracker_config(cfg: CN) -> None:
    if "TRACKER_HEADS" not in cfg:
        cfg.TRACKER_HEADS = CN()
    trk = cfg.TRACKER_HEADS
    # Name in Detectron2's TRACKER_HEADS: EmbeddingTracker, SpatialTracker, or one of Detectron2's own.
    trk.TRACKER_NAME = "EmbeddingTracker"
    # Smallest score of a detection that enters the tracker (inferred).
    trk.MIN_SCORE = 0.1
    # At most so many detections of a frame enter the tracker, the best (inferred).
    trk.MAX_DETECTIONS = 10
    # A detection of at least this score may start a track (inferred).
    trk.NEW_TRACK_SCORE = 0.3
    # A detection that lost its track to a better one starts a track of its own from this score on (inferred).
    trk.CONFLICT_NEW_TRACK_SCORE = 0.5
    # Frames without a match after which a track is forgotten; 0: never.
    trk.MAX_AGE = 0

    emb = trk.EMBEDDING = CN()
    # kappa: cosine similarities are multiplied by it before the softmaxes (inferred).
    emb.SCALE = 10.0
    # Dummy row and column of the bi-directional softmax, at cosine NEW_OBJECT_COSINE; False: the literal form.
    emb.DUMMY = True
    emb.NEW_OBJECT_COSINE = 0.5
    # A detection whose best similarity is below this is a new object.
    emb.MATCH_THRESHOLD = 0.5
    # "score_order": row-wise argmax, the best similarity keeps a contested track; "hungarian": optimal assignment.
    emb.ASSIGNMENT = "score_order"
    # Weight of the new embedding in the memory (paper: momentum 0.7).
    emb.MOMENTUM = 0.7

    post = trk.POST_PROCESSING = CN()
    # Eq. (1): adds alpha * confidence + beta * IoU + gamma * same category to the similarity (off: inferred).
    post.ENABLED = False
    # "linear" as printed in Eq. (1), or "log" (MaskTrack R-CNN; then 1, 2, 10 are its constants).
    post.FORM = "linear"
    # Weight of the detection's confidence (inferred).
    post.ALPHA = 1.0
    # Weight of the IoU with the track's last box (inferred).
    post.BETA = 0.5
    # Weight of being of the track's category (inferred).
    post.GAMMA = 10.0

    spatial = trk.SPATIAL = CN()
    # "distance": centre distance over sqrt(area), the paper's baseline; "iou": mask IoU where there are masks.
    spatial.COST = "distance"
    # Largest distance of a match (inferred).
    spatial.MAX_DISTANCE = 1.0
    # Smallest IoU of a match (inferred).
    spatial.MIN_IOU = 0.1
    # Only detections of the track's category may continue it.
    spatial.SAME_CATEGORY = True
    # A joint takes part in the distance of poses iff its score is above this (inferred).
    spatial.MIN_JOINT_SCORE = 0.2

    # The keys of Detectron2's own trackers, at the values of its tests.
    trk.VIDEO_HEIGHT = 0
    trk.VIDEO_WIDTH = 0
    trk.MAX_NUM_INSTANCES = 200
    trk.MAX_LOST_FRAME_COUNT = 0
    trk.MIN_BOX_REL_DIM = 0.02
    trk.MIN_INSTANCE_PERIOD = 1
    trk.TRACK_IOU_THRESHOLD = 0.5


def _add_data_config(cfg: CN) -> None:
    # A user's own images: [[name, annotation file, image folder], ...] in COCO format.
    cfg.DATASETS.COCO_FORMAT = []
    # A user's own videos: [[name, annotation file, folder of frames], ...] in YouTube-VIS format.
    cfg.DATASETS.YOUTUBE_VIS_FORMAT = []
    # Folder that tools/prepare_data.py sample filled: registers ictrack_sample_train and its companions; "" is off.
    cfg.DATASETS.SAMPLE_ROOT = ""
    # Augmented views of each labelled image in a batch; 2 gives the contrastive loss a second view.
    cfg.INPUT.NUM_VIEWS = 1
    # Random scaling and cropping to INPUT.CROP_SIZE keep the aspect ratio and pad; [min, max] scale, [] is off.
    cfg.INPUT.SCALE_JITTER = []
    # Size [height, width] of the scale-jittered crop.
    cfg.INPUT.CROP_SIZE = [192, 320]
    # Brightness, contrast and saturation are multiplied by up to 1 +- this; 0 is off.
    cfg.INPUT.COLOR_JITTER = 0.0
    # Hue is shifted by up to this fraction of the colour circle to either side; 0 is off.
    cfg.INPUT.HUE_JITTER = 0.0
    # Degrees of random rotation to either side; 0 is off.
    cfg.INPUT.ROTATION = 0.0
    # Labelled images that may be unreadable before training stops, as a share of the data set.
    cfg.DATALOADER.MAX_BAD_SHARE = 0.01


def _add_solver_config(cfg: CN) -> None:
    # "SGD" (Detectron2's) or "ADAMW".
    cfg.SOLVER.OPTIMIZER = "SGD"
    # Decay of the exponential moving average of the weights used for evaluation; 0 is off.
    cfg.SOLVER.EMA_DECAY = 0.0
