"""A small PointSetAnchor with a video head beside its keypoint embedding module, and people that move, for tests."""

import parity_psa as parity
import torch
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone
from detectron2.structures import Boxes, Instances, Keypoints
from tiny_video_model import SIZE, set_video_keys, video_sample
from torch import nn
from torch.nn import functional as F


@BACKBONE_REGISTRY.register()
class TinyPosePyramid(Backbone):
    """Three levels of averaged pixels, each through a 1x1 convolution."""

    def __init__(self, cfg, input_shape):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3, 16, 1) for _ in range(3))

    def forward(self, x):
        return {f"p{i}": conv(F.avg_pool2d(x, 2**i)) for i, conv in enumerate(self.convs, 3)}

    def output_shape(self):
        return {f"p{i}": ShapeSpec(channels=16, stride=2**i) for i in range(3, 6)}


def pose_config(**video_keys):
    cfg = parity.base_cfg()
    cfg.MODEL.BACKBONE.NAME = "TinyPosePyramid"
    psa = cfg.MODEL.POINT_SET_ANCHOR
    psa.CONV_DIM = psa.HEATMAP_CONV_DIM = 16
    psa.NUM_GROUPS, psa.NUM_CONVS, psa.INIT_STD, psa.SCORE_THRESH_TEST = 4, 1, 0.05, 0.0
    emb = cfg.MODEL.EMBEDDING
    emb.NAME, emb.CONV_DIM, emb.NUM_GROUPS, emb.DIM = "KeypointEmbeddingModule", 16, 4, 8
    cfg.MODEL.VIDEO_EMBEDDING.ENABLED = True
    set_video_keys(cfg, video_keys)
    return cfg


def labeled_people():
    instances = Instances(SIZE)
    points = torch.rand(2, 17, 2) * 40 + torch.tensor([[[5.0, 5]], [[40, 15]]])
    instances.gt_boxes = Boxes(torch.cat([points.amin(1), points.amax(1)], dim=1))
    instances.gt_classes = torch.zeros(2, dtype=torch.int64)
    instances.gt_keypoints = Keypoints(torch.cat([points, torch.full((2, 17, 1), 2.0)], dim=2))
    return {"image": torch.randint(256, (3, *SIZE), dtype=torch.uint8), "instances": instances}


def pose_sample(name="video", num_frames=3, ids=(1, 2)):
    """:func:`video_sample` with poses of 17 joints, all of score 0.9, on the squares."""
    sample = video_sample(name, num_frames, ids=ids)
    for t, tracklets in enumerate(sample["tracklets"]):
        x, y = torch.meshgrid(torch.linspace(2, 18, 6), torch.linspace(3, 17, 3), indexing="xy")
        joints = torch.stack([x, y, torch.full_like(x, 0.9)], dim=2).flatten(0, 1)[:17]
        places = torch.tensor([[6.0 + 30 * slot + 2 * t, 10, 0] for slot in range(len(ids))]).reshape(-1, 1, 3)
        tracklets.remove("gt_masks")
        tracklets.gt_keypoints = Keypoints(joints + places)
    return sample
