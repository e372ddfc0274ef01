"""Detectron2's Mask R-CNN, with an embedding head that is trained on your own labeled images, tracks a video.

python examples/track_any_detector.py --annotations my.json --images folder --input street.mp4 --output tracks.mp4
"""

import argparse

from detectron2 import model_zoo

from ictrack import VideoTracker, add_ictrack_config
from ictrack.data.datasets import register_configured_datasets
from ictrack.engine import ICTrackTrainer, track_video

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--annotations", required=True, help="COCO format, with masks")
parser.add_argument("--images", required=True, help="their folder")
parser.add_argument("--input", required=True, help="video to track")
parser.add_argument("--output", required=True, help="mp4 to write")
parser.add_argument("opts", nargs="*", help="KEY VALUE pairs of the configuration")
args = parser.parse_args()

# Any configuration of Detectron2, with the weights of its detector.
cfg = model_zoo.get_config("COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml", trained=True)
add_ictrack_config(cfg)

# The head reads the detector's own feature pyramid; an instance's embedding is the mean inside its mask.
cfg.MODEL.META_ARCHITECTURE = "EmbeddedDetector"
cfg.MODEL.EMBEDDING.NAME = "InstanceEmbeddingHead"
cfg.MODEL.EMBEDDING.READOUT = "mask"
cfg.MODEL.EMBEDDING.IN_FEATURES = ["p2", "p3", "p4", "p5"]

# It learns from two views of each image to tell instances apart.
cfg.DATASETS.REGISTER = [["my_images", "coco", args.annotations, args.images]]
cfg.DATASETS.TRAIN, cfg.DATASETS.TEST = ("my_images",), ()
cfg.INPUT.NUM_VIEWS, cfg.INPUT.SCALE_JITTER, cfg.INPUT.CROP_SIZE = 2, [0.8, 1.25], [512, 896]
cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.BASE_LR, cfg.SOLVER.MAX_ITER, cfg.SOLVER.STEPS = 8, 0.0025, 1000, []
cfg.merge_from_list(args.opts)

if __name__ == "__main__":
    register_configured_datasets(cfg)
    trainer = ICTrackTrainer(cfg)
    trainer.resume_or_load(resume=False)
    trainer.train()

    cfg.MODEL.WEIGHTS = f"{cfg.OUTPUT_DIR}/model_final.pth"
    summary = track_video(VideoTracker.from_config(cfg), args.input, args.output)
    print(f"{summary} -> {args.output}")
