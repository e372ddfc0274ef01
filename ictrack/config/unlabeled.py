"""Configuration keys of unlabeled video."""

from detectron2.config import CfgNode as CN


def add_unlabeled_config(cfg: CN) -> None:
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
