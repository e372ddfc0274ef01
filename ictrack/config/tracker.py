"""Configuration keys of trackers."""

from detectron2.config import CfgNode as CN


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
    # Largest IoU of a detection that starts a track with one that continues a track, or starts one with a better score;
    # 1: no limit.
    trk.NEW_TRACK_MAX_OVERLAP = 1.0
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
