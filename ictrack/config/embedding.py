"""Configuration keys of embedding heads, and of what is frozen beside them."""

from detectron2.config import CfgNode as CN

from .video_embedding import add_video_embedding_config


def add_embedding_config(cfg: CN) -> None:
    """Add only the keys of embedding heads to ``cfg`` in place: ``MODEL.EMBEDDING``, ``MODEL.VIDEO_EMBEDDING`` and
    ``MODEL.FREEZE``.

    They are all that a meta-architecture of your own with :func:`ictrack.modeling.build_embedding_head` needs;
    :func:`add_ictrack_config` includes them.
    """
    _add_freeze_config(cfg)
    _add_image_embedding_config(cfg)
    add_video_embedding_config(cfg)


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
    # Compare with the instances of all processes, as one process with the whole batch would; False: with those of the
    # process alone.
    emb.GATHER_INSTANCES = True
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
