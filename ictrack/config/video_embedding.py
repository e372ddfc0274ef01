"""Configuration keys of embedding heads that learn from unlabeled video."""

from detectron2.config import CfgNode as CN


def add_video_embedding_config(cfg: CN) -> None:
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
