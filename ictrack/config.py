"""Every configuration key that ICTrack adds to Detectron2's defaults.

Values tagged "paper" are from the supplementary of Fu et al., CVPR 2021 (arXiv 2104.00287); values tagged
"SOLO" from the public SOLO v1 code (github.com/WXinlong/SOLO); values tagged "inferred" are defaults chosen
where the paper is silent.
"""

from detectron2.config import CfgNode as CN


def add_ictrack_config(cfg: CN) -> None:
    """Add ICTrack's keys to ``cfg`` in place. Call once, before ``cfg.merge_from_file``."""
    # Names of the detector's classes in their order, or the name of a registered data set that has them. []: those of
    # the first of DATASETS.TRAIN. Training writes the names into the config.yaml beside its weights.
    cfg.MODEL.CLASSES = []
    # Load MODEL.WEIGHTS also where they leave a part of the detector (backbone, feature pyramid, a head) as it is, or
    # hold an embedding head of another form; such a file is refused otherwise, as of another architecture.
    cfg.MODEL.ALLOW_PARTIAL_WEIGHTS = False
    _add_solo_config(cfg)
    _add_point_set_anchor_config(cfg)
    add_embedding_config(cfg)
    _add_backbone_config(cfg)
    add_tracker_config(cfg)
    _add_data_config(cfg)
    _add_solver_config(cfg)
    _add_adapt_config(cfg)


def _add_freeze_config(cfg: CN) -> None:
    # Modules that do not train: any of "backbone", "detector" (backbone and detection heads), "image_head" (the
    # embedding head beside a video head). [] trains everything jointly. A stage on unlabeled video freezes the last
    # two, our reading of the paper's "further learn".
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


def _add_point_set_anchor_config(cfg: CN) -> None:
    psa = cfg.MODEL.POINT_SET_ANCHOR = CN()
    # Backbone features, one a level, fine to coarse. The heatmap branch reads the first, at half its stride.
    psa.IN_FEATURES = ["p3", "p4", "p5"]
    # The 17 joints that the model predicts: "COCO", or "PoseTrack18", which has the neck and the top of the head in the
    # places of the eyes.
    psa.JOINT_SET = "COCO"
    # JSON file of the mean pose (ictrack prepare pose-template); "": that of the published model.
    psa.TEMPLATE = ""
    # Length of the template's unit, about a person's height, in strides of a level; the unit of point offsets.
    psa.POINT_SCALE = 16
    # Square root of the area of an anchor's box, in strides of a level.
    psa.BOX_SCALE = 8
    # COCO joints at which features are sampled, by the taps of a 3x3 kernel: nose, elbows, wrists, knees, ankles.
    psa.SAMPLED_JOINTS = [0, 7, 8, 9, 10, 13, 14, 15, 16]
    # 3x3 convolutions of each branch before the one that is aligned to the points.
    psa.NUM_CONVS = 4
    # Channels of the branches.
    psa.CONV_DIM = 256
    # Groups of their GroupNorm.
    psa.NUM_GROUPS = 32
    # Initial probability of a person that the class branch's bias encodes (focal loss).
    psa.PRIOR_PROB = 0.01
    # Standard deviation of the heads' initial weights.
    psa.INIT_STD = 0.01
    # An anchor of at least this OKS with a person is positive; one entry a stage.
    psa.POSITIVE_OKS = [0.5, 0.99]
    # An anchor below this OKS with all people is negative; one entry a stage. In between it is ignored.
    psa.NEGATIVE_OKS = [0.4, 0.89]
    # So many best anchors of a person are positive whatever their OKS.
    psa.MIN_ANCHORS = 9
    # They are even where their OKS is 0 in float32. True is the published code, in which a person that no anchor comes
    # near then takes nearly all anchors of the image.
    psa.TAKE_ZERO_OKS = False
    # Focal loss: weight of positives.
    psa.FOCAL_ALPHA = 0.25
    # Focal loss: exponent that takes weight from easy anchors.
    psa.FOCAL_GAMMA = 2.0
    # Where the box branch's smooth L1 loss changes from quadratic to linear.
    psa.BOX_SMOOTH_L1_BETA = 0.11
    # Weight of the class loss.
    psa.CLASS_LOSS_WEIGHT = 1.0
    # Weight of the keypoint loss.
    psa.KEYPOINT_LOSS_WEIGHT = 10.0
    # Weight of the box loss; boxes only help training, detections have those of their poses.
    psa.BOX_LOSS_WEIGHT = 1.0
    # Channels of the heatmap branch.
    psa.HEATMAP_CONV_DIM = 256
    # Normalisation of the heatmap branch, by Detectron2's names.
    psa.HEATMAP_NORM = "BN"
    # Radius in cells of the Gaussians in the heatmaps' targets.
    psa.HEATMAP_RADIUS = 3
    # Heatmaps are clamped to between this and 1 minus this.
    psa.HEATMAP_MIN_PROBABILITY = 1e-4
    # Heatmap loss: weight of cells outside all Gaussians.
    psa.HEATMAP_BACKGROUND_WEIGHT = 0.1
    # Weight of the heatmap loss, a sum over all cells.
    psa.HEATMAP_LOSS_WEIGHT = 0.05
    # Weight of the heatmap's offset loss: the published 10 times the branch's 0.05.
    psa.OFFSET_LOSS_WEIGHT = 0.5
    # Best anchors of a level that become candidates.
    psa.PRE_NMS_TOPK_TEST = 1000
    # A candidate takes part iff its score is above this.
    psa.SCORE_THRESH_TEST = 0.001
    # A pose whose OKS with a better one is above this is suppressed. At most TEST.DETECTIONS_PER_IMAGE are kept.
    psa.NMS_OKS_TEST = 0.5
    # Replace every joint by the nearest peak of its heatmap.
    psa.SNAP_TO_PEAKS = True
    # A joint farther from the peak than this times the square root of its pose's area stays; 0 is no limit (published).
    psa.SNAP_GATE = 0.0
    # Side in cells of the window in which a peak is the highest, odd.
    psa.PEAK_KERNEL = 5
    # Highest peaks of a joint that are used.
    psa.MAX_PEAKS = 30
    # Score of a joint: "instance" (published: the person's), "heatmap" (its value at the joint), or
    # "instance_times_heatmap" (inferred).
    psa.KEYPOINT_SCORE = "instance_times_heatmap"

    hrnet = cfg.MODEL.HRNET = CN()
    # Channels of the finest branch: 18, 32 or 48 for W18, W32, W48. Each coarser one has twice as many.
    hrnet.WIDTH = 48
    # Modules of the four stages.
    hrnet.NUM_MODULES = [1, 1, 4, 3]
    # Residual blocks of each branch in a module of the four stages.
    hrnet.NUM_BLOCKS = [4, 4, 4, 4]
    # Inner channels of the first stage's bottlenecks.
    hrnet.STAGE1_WIDTH = 64
    # BatchNorm trains with its stored statistics; False, batch statistics, is PointSetAnchor's.
    hrnet.NORM_EVAL = False
    # ImageNet weights: "" random, "timm" through timm's hub, or a path to an official or timm checkpoint.
    hrnet.WEIGHTS = ""
    # HRFPN: channels of the levels.
    hrnet.FPN_CHANNELS = 256
    # HRFPN: number of levels.
    hrnet.FPN_LEVELS = 3
    # HRFPN: stride of the levels' convolutions; 2 puts the finest level at stride 8.
    hrnet.FPN_CONV_STRIDE = 2


def add_embedding_config(cfg: CN) -> None:
    """Add the keys of embedding heads alone, ``MODEL.EMBEDDING``, ``MODEL.VIDEO_EMBEDDING`` and ``MODEL.FREEZE``, to
    ``cfg`` in place.

    :func:`add_ictrack_config` adds them, too; whoever puts :func:`ictrack.modeling.build_embedding_head` into a
    meta-architecture of his own needs no others.
    """
    _add_freeze_config(cfg)
    _add_image_embedding_config(cfg)
    _add_video_embedding_config(cfg)


def _add_image_embedding_config(cfg: CN) -> None:
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

    kem = emb.KEYPOINT = CN()
    # KeypointEmbeddingModule: a 1x1 convolution to DIM channels behind the decoder (inferred); False is the literal
    # reading, one convolution and one deconvolution.
    kem.OUTPUT_CONV = True
    # "instance_contrastive" (paper), or its baseline associative embedding: "scalar_tags" (original) or "vector_tags".
    kem.OBJECTIVE = "instance_contrastive"
    # The losses of the joints (17, less IGNORED_JOINTS) are made one by their "mean" (inferred) or their "sum".
    kem.JOINT_REDUCTION = "mean"
    # What the instance contrastive loss tells apart: each "joint" and each "person" (paper), or one of them.
    kem.LEVELS = ["joint", "person"]
    # Predicted poses of a person at which embeddings are read in training, at random if there are more (inferred).
    kem.MAX_POSES = 16
    # Read them at the labelled joints, too, which is steadier while predictions are poor (inferred).
    kem.USE_GROUND_TRUTH = True
    # What trackers get: "person", the mean over joints, or "joints", each joint's, to be compared joint by joint.
    kem.SIMILARITY = "person"
    # A predicted joint counts iff its score is above this (inferred).
    kem.MIN_JOINT_SCORE = 0.2
    # Names of joints that never count, such as those that no training data has.
    kem.IGNORED_JOINTS = []
    # Weights of the two terms of associative embedding (pose-ae-train).
    kem.PULL_WEIGHT = 0.001
    kem.PUSH_WEIGHT = 0.001

    # The detector inside META_ARCHITECTURE "EmbeddedDetector": a name in Detectron2's META_ARCH registry.
    cfg.MODEL.EMBEDDED_DETECTOR = CN()
    cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE = "GeneralizedRCNN"


def _add_video_embedding_config(cfg: CN) -> None:
    video = cfg.MODEL.VIDEO_EMBEDDING = CN()
    # A video embedding head beside the image embedding head, of the same structure (paper), for unlabelled video.
    video.ENABLED = False
    # KEY, VALUE, ... of MODEL.EMBEDDING in which the video head differs from the image head.
    video.HEAD_OPTIONS = []
    # Gradient of the video objective into the features below the head.
    video.BACKPROP_TO_FEATURES = False
    # Unlabelled frames that go through the detector together where no gradient does: bounds memory, and is faster.
    video.FRAMES_AT_A_TIME = 8
    # w: weight of the video head's embedding in the concatenation, the cosine being (image + w^2 video) / (1 + w^2)
    # (inferred); 0 is the image head alone, .inf the video head alone.
    video.FUSION_WEIGHT = 1.0
    # "correspondence" (inferred), "random_walk", "tracklet" or "instance_walk".
    video.OBJECTIVE = "correspondence"
    # Weight of the video objective against all other losses.
    video.LOSS_WEIGHT = 1.0
    # Indices of the embedding head's levels that pixel-level objectives work on, as the mean of their losses; []: all
    # (inferred: with the cell read-out an instance is read on any of them). With the mask read-out, whose map is the
    # mean over levels, those whose resolution it is resized to. A head that reads keypoints has one.
    video.LEVELS = []
    cfg.register_renamed_key(
        "MODEL.VIDEO_EMBEDDING.LEVEL",
        "MODEL.VIDEO_EMBEDDING.LEVELS",
        message="It is a list: what was LEVEL 2 is LEVELS [2]",
    )
    # Rows of an affinity matrix in memory at a time, the others being computed again; 0: all.
    video.BLOCK_SIZE = 0
    # Iterations between two logs of label-free figures of the video head's health; 0 is off.
    video.HEALTH_PERIOD = 0
    # Videos, drawn from DATASETS.UNLABELLED, whose frames these figures are taken on.
    video.HEALTH_VIDEOS = 16

    pair = video.CORRESPONDENCE = CN()
    # Weights of the colours carried forward, and back by the same affinity (UVC).
    pair.COLOR_WEIGHT = 1.0
    pair.REVERSE_COLOR_WEIGHT = 0.1
    # Weight of concentration (UVC's training log).
    pair.CONCENTRATION_WEIGHT = 0.3
    # Weight of cycle consistency (UVC).
    pair.CYCLE_WEIGHT = 0.1
    # "probability" of coming back, or the distance of the "coordinate" that comes back (UVC).
    pair.CYCLE = "probability"
    # Weights of the colour channels L, a, b (UVC).
    pair.CHANNEL_WEIGHTS = [1.0, 10.0, 10.0]
    # A pair of frames with a larger colour loss has none (UVC); 0 is no limit.
    pair.MAX_COLOR_LOSS = 2.5
    # Side in cells of the neighbourhoods that stay together (UVC).
    pair.WINDOW = 8
    # Side in cells of a random patch that is sought in the other frame; 0: all of the frame.
    pair.PATCH_SIZE = 0
    # L2-normalise embeddings first; False is UVC's.
    pair.NORMALIZE = False
    # Divides the similarities: 1 with raw dot products (UVC).
    pair.TEMPERATURE = 1.0

    walk = video.RANDOM_WALK = CN()
    # Divides the cosines (videowalk), of cells or of instances.
    walk.TEMPERATURE = 0.07
    # Probability that an edge is dropped (videowalk).
    walk.EDGE_DROPOUT = 0.1

    tracklet = video.TRACKLET = CN()
    # Divides the cosines (measured on the sample data).
    tracklet.TEMPERATURE = 0.1
    # Smallest distance in frames of two detections that are drawn together.
    tracklet.MIN_GAP = 1
    # Mining: smallest score of a detection ...
    tracklet.MIN_SCORE = 0.2
    # ... TRACKER_HEADS.EMBEDDING.NEW_OBJECT_COSINE ...
    tracklet.NEW_OBJECT_COSINE = 0.7
    # ... and the fewest detections that make a tracklet.
    tracklet.MIN_LENGTH = 8


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
    # Run a frozen model under bfloat16 autocast, on CPUs and GPUs that have bfloat16.
    timm.AUTOCAST = False
    # build_timm_fpn_backbone: levels above the pyramid, each every other pixel of the one before (p6 over stride 32).
    timm.NUM_EXTRA_LEVELS = 1


def add_tracker_config(cfg: CN) -> None:
    """Add the keys of trackers alone, ``TRACKER_HEADS``, to ``cfg`` in place; :func:`add_ictrack_config` does, too."""
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
    # "cosine" (paper); "distance", minus the Euclidean distance, for scalar tags; or "distance_and_cosine", the mean of
    # both, for scalar tags with a video head beside them. NEW_OBJECT_COSINE is such a similarity, too: with "distance",
    # -1 is a distance of 1. Embeddings (N, P, D) of P parts are compared by the mean over the parts
    # that both have.
    emb.SIMILARITY = "cosine"
    # kappa: cosine similarities are multiplied by it before the softmaxes (inferred).
    emb.SCALE = 10.0
    # Dummy row and column of the bi-directional softmax, at cosine NEW_OBJECT_COSINE; False: the literal form.
    emb.DUMMY = True
    emb.NEW_OBJECT_COSINE = 0.5
    # With DUMMY, embeddings whose similarity is at most this less than that of equal ones (cosine 1, distance 0) count
    # once in the softmaxes, and the nearer boxes belong together (inferred).
    emb.EQUAL_TOLERANCE = 1e-3
    # A detection whose best similarity is below this is a new object.
    emb.MATCH_THRESHOLD = 0.5
    # "score_order": row-wise argmax, the best similarity keeps a contested track; "hungarian": optimal assignment.
    emb.ASSIGNMENT = "score_order"
    # Weight of the new embedding in the memory. 0.7 is the paper's "momentum value"; that it weighs the new embedding
    # and not the old one is inferred (as in QDTrack).
    emb.MOMENTUM = 0.7

    post = trk.POST_PROCESSING = CN()
    # Eq. (1): adds alpha * confidence + beta * IoU + gamma * same category to the similarity (off: inferred).
    post.ENABLED = False
    # "linear" as printed in Eq. (1), or "log" (MaskTrack R-CNN; then 1, 2, 10 are its constants): a new object gets
    # alpha * confidence and gamma, too, so that alpha decides contests alone. "fixed": Eq. (1) against MATCH_THRESHOLD
    # itself; GAMMA 10 then accepts all of the same category, so give threshold and weights of one size.
    post.FORM = "linear"
    # Weight of the detection's confidence (inferred).
    post.ALPHA = 1.0
    # Weight of the IoU with the track's last box (inferred).
    post.BETA = 0.5
    # Weight of being of the track's category (inferred).
    post.GAMMA = 10.0

    spatial = trk.SPATIAL = CN()
    # "distance": centre distance over sqrt(area), the paper's baseline; "iou": mask IoU where there are masks; "oks":
    # object keypoint similarity of poses, with TEST.KEYPOINT_OKS_SIGMAS or, where these are empty, COCO's.
    spatial.COST = "distance"
    # Largest distance of a match (inferred).
    spatial.MAX_DISTANCE = 1.0
    # Smallest IoU of a match (inferred).
    spatial.MIN_IOU = 0.1
    # Smallest OKS of a match (inferred).
    spatial.MIN_OKS = 0.3
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
    # A user's own data sets: [[name, format, annotations, images], ...]. Rows given anywhere take the place of all that
    # were given before. The formats of labeled images, for DATASETS.TRAIN and TEST:
    #   "coco"              instances in COCO's format: its file, the folder of images
    #   "coco_keypoints"    poses in COCO's format: its file, the folder of images
    #   "mpii"              poses of MPII: its .mat or .json file, the folder of images
    #   "posetrack_images"  poses of PoseTrack 2017, 2018 or 2021 to train on: the folder of its files, the folder in
    #                       which they name images
    # Of labeled videos, for DATASETS.TEST:
    #   "youtube_vis"       instances in YouTube-VIS's format: its file, the folder of frames
    #   "posetrack"         poses in PoseTrack18's format: the folder of its files, the folder in which they name images
    # Of unlabeled videos, for DATASETS.UNLABELLED:
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
    # Joints of a lower score are left out of a PoseTrack submission and of what is drawn: a higher value gains MOTA and
    # costs AP (0 is off).
    cfg.TEST.MIN_JOINT_SCORE = 0.0
    # How often a pass holds the images of a data set: [[name, factor], ...], others once. Detectron2's
    # DATALOADER.SAMPLER_TRAIN "WeightedTrainingSampler" reads it.
    cfg.DATASETS.TRAIN_REPEAT_FACTOR = []
    # Augmented views of each labelled image in a batch; 2 gives the contrastive loss a second view.
    cfg.INPUT.NUM_VIEWS = 1
    # Each view is first narrowed by a random factor, as an object is that turns away; [smallest, largest], [] is off.
    cfg.INPUT.SQUEEZE = []
    # Random scaling and cropping to INPUT.CROP_SIZE keep the aspect ratio and pad; [min, max] scale, [] is off. At
    # scale 1 the image just fits in. With MODEL.KEYPOINT_ON the crop's centre is that of a random person.
    cfg.INPUT.SCALE_JITTER = []
    # Such a crop around a person is "fitted", as above, or "published" (PointSetAnchor): an area of CROP_SIZE times the
    # scale in the image's own pixels is resized to CROP_SIZE, padded with black, and joints outside it stay labelled:
    # they are regressed, but have no peak in the heatmap and no embedding.
    cfg.INPUT.PERSON_CROP = "fitted"
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
    # Every batch comes TIMES times: NUM_BATCHES of them, then the same again in another order, and so on. Frozen parts
    # of the backbone compute their features only the first time, which is what makes it worth while on a CPU; the
    # memory of batches and features is that of NUM_BATCHES (quick-start: 0.6 GB a process). 1 is off.
    cfg.DATALOADER.REPLAY = CN({"TIMES": 1, "NUM_BATCHES": 128})
    _add_unlabelled_config(cfg)


def _add_unlabelled_config(cfg: CN) -> None:
    # Names of data sets of unlabelled video to train on, beside DATASETS.TRAIN or, where that is empty, alone.
    cfg.DATASETS.UNLABELLED = ()
    # Videos to leave out, such as those of the evaluation (method: YouTube-VIS is drawn from YouTube-VOS): registered
    # data sets of videos, names, .txt files with a name a line, YouTube-VIS annotation files.
    cfg.DATASETS.UNLABELLED_EXCLUDE = []
    # File of tracklets in DATASETS.UNLABELLED, which is made by the trainer where it is needed and there is none; "".
    cfg.DATASETS.UNLABELLED_TRACKLETS = ""
    # Unlabelled videos with something unreadable before training stops, as a share of all. Large, since a handful of
    # files found somewhere may hold mostly junk; each is named in the log.
    cfg.DATALOADER.MAX_BAD_VIDEO_SHARE = 0.75
    # Threads of each decoder of video files; 0 leaves it to FFmpeg. There is one decoder a worker.
    cfg.DATALOADER.DECODER_THREADS = 1

    inp = cfg.INPUT.UNLABELLED = CN()
    # Samples of video (pairs or clips) in a batch for each labelled view. Without DATASETS.TRAIN, SOLVER.IMS_PER_BATCH
    # counts the samples of video.
    inp.PER_LABELLED_IMAGE = 1.0
    # Frames of a sample: 2, a pair (inferred), or more, a clip for the random walk (4 in videowalk).
    inp.NUM_FRAMES = 2
    # Smallest and largest distance from one frame to the next (paper: 2 to 8) ...
    inp.INTERVAL = [2.0, 8.0]
    # ... in "frames" of the data as released (inferred) or in "seconds".
    inp.INTERVAL_UNIT = "frames"
    # Frames a second of folders of images, for distances in seconds (YouTube-VOS: 6).
    inp.FOLDER_FPS = 6.0
    # Height and width of the images.
    inp.SIZE = [360, 640]
    # Random magnification, smallest and largest (UVC: up to 1.2). 1: as much of a frame as fills the image.
    inp.ZOOM = [1.0, 1.2]
    # Frames are decoded at 1/2, 1/4 or 1/8 of their size, which is much faster, where they then need not be enlarged by
    # more than this; 1 keeps all detail.
    inp.MAX_ENLARGEMENT = 1.25
    # Degrees of random rotation to either side (UVC).
    inp.ROTATION = 10.0
    # Probability that all frames of a sample are mirrored.
    inp.FLIP_PROB = 0.5
    # The frames of a sample share zoom, rotation and position; False: each has its own.
    inp.SAME_WINDOW = True
    # Brightness, contrast and saturation of each frame are multiplied by up to 1 +- this, independently; 0 is off.
    inp.COLOR_JITTER = 0.3
    # Hue of each frame is shifted by up to this fraction of the colour circle to either side; 0 is off.
    inp.HUE_JITTER = 0.02
    # Probability that a frame loses its colour, so that the network cannot copy it (inferred).
    inp.GREY_PROB = 0.5
    # Side in pixels of the cells over which the colours to be reconstructed are averaged; divides SIZE.
    inp.COLOR_STRIDE = 8


def _add_solver_config(cfg: CN) -> None:
    # "SGD" (Detectron2's), "ADAM" or "ADAMW".
    cfg.SOLVER.OPTIMIZER = "SGD"
    # LR_SCHEDULER_NAME "WarmupPolyLR", beside Detectron2's: power of the decay (UVC).
    cfg.SOLVER.POLY_POWER = 0.9
    # Decay of the exponential moving average of the weights used for evaluation; 0 is off.
    cfg.SOLVER.EMA_DECAY = 0.0


def _add_adapt_config(cfg: CN) -> None:
    adapt = cfg.ADAPT = CN()
    # Objective of the video head on a user's videos, as MODEL.VIDEO_EMBEDDING.OBJECTIVE. This one needs no detections,
    # of which a detector may have few on videos that are unlike its training pictures.
    adapt.OBJECTIVE = "correspondence"
    # Iterations of training.
    adapt.ITERATIONS = 100
    # Learning rate of the video head (AdamW).
    adapt.BASE_LR = 0.001
    # Clips in a batch.
    adapt.CLIPS_PER_BATCH = 4
    # Frames of a clip; pairs for "correspondence".
    adapt.NUM_FRAMES = 6
    # Smallest and largest distance in frames from one frame of a clip to the next.
    adapt.INTERVAL = [1.0, 8.0]
    # Share of each video, at its end, that is not trained on but measured on.
    adapt.HELD_OUT = 0.2
    # Pairs of frames that are measured on.
    adapt.MEASURED_PAIRS = 32
