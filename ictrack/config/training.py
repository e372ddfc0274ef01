"""Configuration keys of optimization and of adaptation to footage."""

from detectron2.config import CfgNode as CN


def add_solver_config(cfg: CN) -> None:
    # "SGD" (Detectron2's), "ADAM" or "ADAMW".
    cfg.SOLVER.OPTIMIZER = "SGD"
    # Power of the decay of LR_SCHEDULER_NAME "WarmupPolyLR" (UVC).
    cfg.SOLVER.POLY_POWER = 0.9
    # Decay of the exponential moving average of the weights, used for evaluation; 0 is off.
    cfg.SOLVER.EMA_DECAY = 0.0
    # Batches that a run may skip because a loss or gradient is NaN or infinite; each is logged with its files. One more
    # stops the run and leaves what repeats its step in OUTPUT_DIR/not_finite. Float16 on GPUs skips more by itself.
    cfg.SOLVER.MAX_SKIPPED_BATCHES = 0


def add_adapt_config(cfg: CN) -> None:
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
