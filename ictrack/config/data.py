"""Configuration keys of data sets, loading and augmentation."""

from detectron2.config import CfgNode as CN

from .unlabeled import add_unlabeled_config


def add_data_config(cfg: CN) -> None:
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
            f"DATASETS.{old}", "DATASETS.REGISTER", message="its rows are [name, format, ...]; see ictrack/config"
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
    add_unlabeled_config(cfg)
