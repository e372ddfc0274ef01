"""The video head beside the keypoint embedding module: pixel-level objectives on its map, embeddings of people."""

import parity_psa as parity
import pytest
import torch
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone, build_model
from detectron2.structures import Boxes, Instances, Keypoints
from tiny_video_model import video_sample
from torch import nn
from torch.nn import functional as F

from ictrack.modeling.embedding import KeypointVideoEmbedding


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


def config(**video_keys):
    cfg = parity.base_cfg()
    cfg.MODEL.BACKBONE.NAME = "TinyPosePyramid"
    psa = cfg.MODEL.POINT_SET_ANCHOR
    psa.CONV_DIM = psa.HEATMAP_CONV_DIM = 16
    psa.NUM_GROUPS, psa.NUM_CONVS, psa.INIT_STD, psa.SCORE_THRESH_TEST = 4, 1, 0.05, 0.0
    emb = cfg.MODEL.EMBEDDING
    emb.NAME, emb.CONV_DIM, emb.NUM_GROUPS, emb.DIM = "KeypointEmbeddingModule", 16, 4, 8
    cfg.MODEL.VIDEO_EMBEDDING.ENABLED = True
    cfg.MODEL.VIDEO_EMBEDDING.OBJECTIVE = "random_walk"
    for key, value in video_keys.items():
        cfg.MODEL.VIDEO_EMBEDDING[key] = value
    return cfg


def labelled():
    instances = Instances((64, 96))
    points = torch.rand(2, 17, 2) * 40 + torch.tensor([[[5.0, 5]], [[40, 15]]])
    instances.gt_boxes = Boxes(torch.cat([points.amin(1), points.amax(1)], dim=1))
    instances.gt_classes = torch.zeros(2, dtype=torch.int64)
    instances.gt_keypoints = Keypoints(torch.cat([points, torch.full((2, 17, 1), 2.0)], dim=2))
    return {"image": torch.randint(256, (3, 64, 96), dtype=torch.uint8), "instances": instances}


@pytest.mark.parametrize("objective", ["correspondence", "random_walk"])
def test_the_video_head_alone_learns(objective):
    cfg = config(OBJECTIVE=objective)
    cfg.MODEL.VIDEO_EMBEDDING.CORRESPONDENCE.MAX_COLOR_LOSS = 0.0  # pairs that get better would come in
    cfg.MODEL.VIDEO_EMBEDDING.CORRESPONDENCE.COLOR_WEIGHT = 0.1
    cfg.MODEL.VIDEO_EMBEDDING.RANDOM_WALK.EDGE_DROPOUT = 0.0
    model = build_model(cfg).train()
    frozen = {name: x.clone() for name, x in model.state_dict().items() if "video_head" not in name}
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    batch = [video_sample(name, 2, tracklets=False) for name in "ab"]
    totals = []
    for _ in range(10):
        totals.append(sum(model(batch).values()))
        optimizer.zero_grad()
        totals[-1].backward()
        optimizer.step()
    assert totals[-1] < 0.97 * totals[0]
    after = model.state_dict()
    assert all(torch.equal(after[name], x) for name, x in frozen.items())


def test_joint_batches_give_every_parameter_a_gradient():
    model = build_model(config(FREEZE=[])).train()
    losses = model([labelled(), labelled(), video_sample("a", 3, tracklets=False)])
    assert {"loss_video_walk", "loss_embed_person_contrast", "loss_heatmap"} <= set(losses)
    sum(losses.values()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("similarity", ["person", "joints"])
def test_people_carry_the_fused_embedding(similarity):
    """Part by part: each joint's cosine is the mean of the two heads', and an absent joint stays absent."""
    cfg = config()
    cfg.MODEL.EMBEDDING.KEYPOINT.SIMILARITY = similarity
    head = build_model(cfg).eval().embedding_head
    assert isinstance(head, KeypointVideoEmbedding)
    features = {"p3": torch.randn(1, 16, 8, 12), "heatmap": torch.rand(1, 17, 16, 24)}
    keypoints = torch.rand(1, 2, 17, 3) * torch.tensor([96.0, 64, 1])
    keypoints[0, 0, 3, 2] = 0
    (fused,) = head.embed(features, list(keypoints))
    image, video = (h.embed(features, list(keypoints))[0] for h in (head.image_head, head.video_head))
    cosines = [F.cosine_similarity(x[0], x[1], dim=-1) for x in (fused, image, video)]
    torch.testing.assert_close(cosines[0], (cosines[1] + cosines[2]) / 2, atol=1e-5, rtol=1e-5)
    if similarity == "joints":
        assert fused.shape == (2, 17, 16) and not fused[0, 3].any()


def test_tracklets_have_no_keypoints():
    with pytest.raises(ValueError, match="pixel-level"):
        build_model(config(OBJECTIVE="tracklet"))


def test_scalar_tags_have_no_direction_to_fuse():
    cfg = config()
    cfg.MODEL.EMBEDDING.KEYPOINT.OBJECTIVE = "scalar_tags"
    with pytest.raises(ValueError, match="scalar_tags"):
        build_model(cfg)
