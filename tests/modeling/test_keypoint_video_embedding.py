"""The video head beside the keypoint embedding module: pixel-level objectives on its map, embeddings of people."""

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.structures import Instances
from tiny_pose_model import labeled_people, pose_config, pose_sample
from tiny_video_model import video_sample
from torch.nn import functional as F

from ictrack.losses.tracklet_contrastive import tracklet_contrastive_loss
from ictrack.modeling.embedding import VideoEmbedding
from ictrack.modeling.embedding.video_objectives import OBJECTIVES

SIZE = (64, 96)


def people(poses):
    return [Instances(SIZE, pred_keypoints=x) for x in poses]


def config(**video_keys):
    return pose_config(**{"OBJECTIVE": "random_walk", **video_keys})


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_the_video_head_alone_learns(objective):
    cfg = config(OBJECTIVE=objective)
    cfg.MODEL.VIDEO_EMBEDDING.CORRESPONDENCE.MAX_COLOR_LOSS = 0.0  # pairs that get better would come in
    cfg.MODEL.VIDEO_EMBEDDING.CORRESPONDENCE.COLOR_WEIGHT = 0.1
    cfg.MODEL.VIDEO_EMBEDDING.RANDOM_WALK.EDGE_DROPOUT = 0.0
    model = build_model(cfg).train()
    frozen = {name: x.clone() for name, x in model.state_dict().items() if "video_head" not in name}
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    batch = [pose_sample("a", num_frames := 2 if objective == "correspondence" else 3), pose_sample("b", num_frames)]
    totals = []
    for _ in range(10):
        totals.append(sum(model(batch).values()))
        optimizer.zero_grad()
        totals[-1].backward()
        optimizer.step()
    assert totals[-1] < 0.97 * totals[0]
    after = model.state_dict()
    assert all(torch.equal(after[name], x) for name, x in frozen.items())


def test_keypoints_have_one_level():
    batch = [pose_sample("a", 2), pose_sample("b", 2)]
    losses = []
    for levels in ([], [0]):
        torch.manual_seed(0)
        losses.append(build_model(config(OBJECTIVE="correspondence", LEVELS=levels)).train()(batch))
    assert losses[0] == losses[1]
    with pytest.raises(ValueError, match=r"LEVELS is \[0, 1\], expected different levels from 0 to 0"):
        build_model(config(LEVELS=[0, 1]))


def test_joint_batches_give_every_parameter_a_gradient():
    model = build_model(config(FREEZE=[])).train()
    losses = model([labeled_people(), labeled_people(), video_sample("a", 3, tracklets=False)])
    assert {"loss_video_walk", "loss_embed_person_contrast", "loss_heatmap"} <= set(losses)
    sum(losses.values()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("similarity", ["person", "joints"])
def test_people_carry_the_fused_embedding(similarity):
    """Part by part: each joint's cosine is the mean of the two heads', and an absent joint stays absent."""
    cfg = config()
    cfg.MODEL.EMBEDDING.KEYPOINT.SIMILARITY = similarity
    head = build_model(cfg).eval().embedding_head
    assert isinstance(head, VideoEmbedding)
    features = {"p3": torch.randn(1, 16, 8, 12), "heatmap": torch.rand(1, 17, 16, 24)}
    keypoints = torch.rand(1, 2, 17, 3) * torch.tensor([96.0, 64, 1])
    keypoints[0, 0, 3, 2] = 0
    (fused,) = head.embed(features, people(keypoints), SIZE)
    image, video = (h.embed(features, people(keypoints), SIZE)[0] for h in (head.image_head, head.video_head))
    cosines = [F.cosine_similarity(x[0], x[1], dim=-1) for x in (fused, image, video)]
    torch.testing.assert_close(cosines[0], (cosines[1] + cosines[2]) / 2, atol=1e-5, rtol=1e-5)
    if similarity == "joints":
        assert fused.shape == (2, 17, 16) and not fused[0, 3].any()


def keypoint_head(**keypoint_keys):
    """The video head on its own, features of two frames of 64 x 96, and (2, 2, 17, 3) poses in them."""
    cfg = config(OBJECTIVE="tracklet")
    for key, value in keypoint_keys.items():
        cfg.MODEL.EMBEDDING.KEYPOINT[key] = value
    torch.manual_seed(0)
    head = build_model(cfg).embedding_head.video_head
    features = {"p3": torch.randn(2, 16, 8, 12), "heatmap": torch.rand(2, 17, 16, 24)}
    poses = torch.rand(2, 2, 17, 3) * torch.tensor([96.0, 64, 0]) + torch.tensor([0, 0, 0.5])
    return head, features, poses


def test_people_are_read_at_their_valid_joints():
    """Joint 0 is ignored, 1 scores too little, 2 is outside the frame; the second person has no joint left."""
    head, features, poses = keypoint_head(IGNORED_JOINTS=["nose"], MIN_JOINT_SCORE=0.3)
    poses[0, 0, 1, 2] = 0.3
    poses[0, 0, 2, 0] = 96.5
    poses[0, 1, :, 2] = 0.1
    embeddings, rows = head.read(features, people([poses[0], poses[1, :1]]), SIZE)
    assert rows.tolist() == [[0, 0], [1, 0]]
    pixels = poses[0, 0, 3:, :2] / torch.tensor([96.0, 64]) * 2 - 1
    at_joints = F.grid_sample(head(features)[:1], pixels[None, None], "bilinear", "border", False)
    torch.testing.assert_close(embeddings[0], at_joints[0, :, 0].mean(dim=1))


@pytest.mark.parametrize("levels", [["joint"], ["person"], ["joint", "person"]])
def test_the_levels_of_a_head(levels):
    head, features, poses = keypoint_head(LEVELS=levels, IGNORED_JOINTS=["nose"])
    poses[0, 1, 3, 2] = 0
    found = dict(zip(levels, head.read_levels(features, people(poses), SIZE)))
    assert set(found) == set(levels)
    if "joint" in levels:
        assert len(found["joint"]) == 16
        assert [rows.tolist() for _, rows in found["joint"][2:4]] == [
            [[0, 0], [1, 0], [1, 1]],
            [[0, 0], [0, 1], [1, 0], [1, 1]],
        ]
    if "person" in levels:
        ((embeddings, rows),) = found["person"]
        expected = head.read(features, people(poses), SIZE)
        assert torch.equal(embeddings, expected[0]) and torch.equal(rows, expected[1])


@pytest.mark.parametrize("similarity", ["person", "joints"])
def test_both_heads_read_people_together(similarity):
    """Fused as the tracker gets it, whatever the parts are that a tracker compares."""
    cfg = config()
    cfg.MODEL.EMBEDDING.KEYPOINT.SIMILARITY = similarity
    head = build_model(cfg).embedding_head
    _, features, poses = keypoint_head()
    fused, rows = head.read(features, people(poses), SIZE)
    parts = [F.normalize(h.read(features, people(poses), SIZE)[0]) for h in (head.image_head, head.video_head)]
    assert rows.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    torch.testing.assert_close(fused, torch.cat(parts, dim=1))
    head.video_head.min_joint_score = 0.6
    with pytest.raises(ValueError, match="HEAD_OPTIONS"):
        head.read(features, people(poses), SIZE)


def test_the_tracklet_loss_is_that_of_joints_and_people():
    """Without a joint left in one frame, that person has no part in it."""
    cfg = config(OBJECTIVE="tracklet", LOSS_WEIGHT=2.0)
    cfg.MODEL.VIDEO_EMBEDDING.TRACKLET.TEMPERATURE = 0.2
    model = build_model(cfg).train()
    sample = pose_sample("a", 3)
    sample["tracklets"][1].gt_keypoints.tensor[1, :, 2] = 0
    loss = model([sample])["loss_video_tracklet"]
    features, _ = model.extract_features(list(sample["clip"]))
    head = model.embedding_head.video_head
    poses = [x.gt_keypoints.tensor for x in sample["tracklets"]]
    read = head._read(head(features), poses, 0.2)[0][[0, 1, 2, 4, 5]]
    ids, frames, videos = torch.tensor([1, 2, 1, 1, 2]), torch.tensor([0, 0, 3, 6, 6]), torch.zeros(5)
    terms = [tracklet_contrastive_loss(x, ids, frames, videos, temperature=0.2) for x in read.unbind(1)]
    person = tracklet_contrastive_loss(read.mean(1), ids, frames, videos, temperature=0.2)
    torch.testing.assert_close(loss, 2 * (torch.stack(terms).mean() + person))


def test_masks_cannot_be_read_by_a_pose_detector():
    model = build_model(config(OBJECTIVE="tracklet")).train()
    with pytest.raises(ValueError, match="which the instances do not have"):
        model([video_sample("a", 3)])


@pytest.mark.parametrize("objective", ["tracklet", "instance_walk"])
def test_frames_without_people_give_a_zero(objective):
    model = build_model(config(OBJECTIVE=objective)).train()
    (loss,) = model([pose_sample("a", 3, ids=())]).values()
    assert loss == 0
    loss.backward()


def tags_and_vectors(**video_keys):
    cfg = config(**video_keys)
    cfg.MODEL.EMBEDDING.KEYPOINT.OBJECTIVE = "scalar_tags"
    cfg.MODEL.EMBEDDING.KEYPOINT.SIMILARITY = "joints"
    return cfg


def test_scalar_tags_have_no_direction_to_fuse():
    with pytest.raises(ValueError, match=r"scalar_tags gives no vectors.*HEAD_OPTIONS"):
        build_model(tags_and_vectors())
    with pytest.raises(ValueError, match=r"FUSION_WEIGHT is 0\.5, must be 0, 1 or \.inf with scalar tags"):
        build_model(tags_and_vectors(HEAD_OPTIONS=["KEYPOINT.OBJECTIVE", "instance_contrastive"], FUSION_WEIGHT=0.5))


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_a_video_head_beside_scalar_tags(objective):
    """A tag as it is, then a unit vector, part by part; the video head learns, the tags stay."""
    options = {"HEAD_OPTIONS": ["KEYPOINT.OBJECTIVE", "instance_contrastive"], "OBJECTIVE": objective}
    model = build_model(tags_and_vectors(**options))
    head = model.embedding_head
    features = {"p3": torch.randn(1, 16, 8, 12), "heatmap": torch.rand(1, 17, 16, 24)}
    keypoints = torch.rand(1, 2, 17, 3) * torch.tensor([96.0, 64, 0]) + torch.tensor([0, 0, 0.9])
    keypoints[0, 0, 3, 2] = 0
    (fused,) = head.embed(features, people(keypoints), SIZE)
    (tags,), (vectors,) = (h.embed(features, people(keypoints), SIZE) for h in (head.image_head, head.video_head))
    assert fused.shape == (2, 17, 9) and not fused[0, 3].any()
    torch.testing.assert_close(fused, torch.cat([tags[..., :1], F.normalize(vectors, dim=2)], dim=2))
    alone = build_model(tags_and_vectors(**options, FUSION_WEIGHT=0.0)).embedding_head
    alone.load_state_dict(head.state_dict())
    torch.testing.assert_close(alone.embed(features, people(keypoints), SIZE)[0], tags)
    model.train()
    num_frames = 2 if objective == "correspondence" else 3
    sum(model([pose_sample("a", num_frames), pose_sample("b", num_frames)]).values()).backward()
    assert any(p.grad.any() for p in head.video_head.parameters())
    assert all(p.grad is None for p in head.image_head.parameters())
