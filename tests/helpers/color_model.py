"""The detector of ``color_detector.py`` as a registered meta-architecture with a backbone, for tests of whole runs."""

from pathlib import Path

import cv2
import torch
from color_detector import ColorDetector, scene
from detectron2.config import get_cfg
from detectron2.layers import ShapeSpec
from detectron2.modeling import META_ARCH_REGISTRY, Backbone
from detectron2.structures import ImageList
from torch import nn

from ictrack import add_ictrack_config


class ColorBackbone(Backbone):
    """Mean colors of 4 x 4 pixels through a 1 x 1 convolution."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 1)

    def forward(self, x):
        return {"colors": self.conv(nn.functional.avg_pool2d(x, 4))}

    def output_shape(self):
        return {"colors": ShapeSpec(channels=8, stride=4)}


@META_ARCH_REGISTRY.register()
class ColorSquares(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.backbone = ColorBackbone()
        self.detector = ColorDetector()

    @property
    def device(self):
        return self.detector.anchor.device

    def preprocess_image(self, batched_inputs):
        return ImageList.from_tensors([x["image"].float() / 128 - 1 for x in batched_inputs], 16)

    def forward(self, batched_inputs):
        self.backbone(self.preprocess_image(batched_inputs).tensor)
        return self.detector(batched_inputs)


def color_config(**video_keys):
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.META_ARCHITECTURE = "EmbeddedDetector"
    cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE = "ColorSquares"
    emb = cfg.MODEL.EMBEDDING
    emb.NAME, emb.READOUT, emb.NUM_CONVS, emb.DIM = "InstanceEmbeddingHead", "mask", 0, 8
    emb.NORMALIZE, emb.TEMPERATURE = True, 0.1
    cfg.INPUT.MIN_SIZE_TEST = 0
    cfg.INPUT.FORMAT = "BGR"
    cfg.INPUT.UNLABELED.SIZE = [64, 96]
    cfg.DATALOADER.NUM_WORKERS = 0
    cfg.TRACKER_HEADS.EMBEDDING.SCALE = 30.0
    for key, value in video_keys.items():
        cfg.MODEL.VIDEO_EMBEDDING[key] = value
    return cfg


def write_scenes(root: Path, names, num_frames=16):
    """Folders of frames of ``scene``."""
    for name in names:
        (root / name).mkdir(parents=True)
        for index in range(num_frames):
            cv2.imwrite(str(root / name / f"{index:05d}.png"), scene(index))
    return root


def save_weights(cfg, path: Path):
    """A checkpoint of an untrained model without a video head: the convolution keeps colors apart as it is."""
    from detectron2.modeling import build_model

    torch.manual_seed(3)
    torch.save({"model": build_model(cfg).state_dict()}, path)
    return path
