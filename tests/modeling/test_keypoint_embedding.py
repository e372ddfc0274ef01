"""The keypoint embedding module: what its losses are made of, masking, and what a tracker gets."""

from pathlib import Path

import pytest
import torch
from detectron2.layers import ShapeSpec
from detectron2.structures import Instances, Keypoints

from ictrack.engine.setup import load_config
from ictrack.losses.associative_embedding import associative_embedding_loss
from ictrack.losses.instance_contrastive import instance_contrastive_loss
from ictrack.modeling.embedding import KeypointEmbeddingModule, build_embedding_head
from ictrack.modeling.embedding.keypoint_embedding import _at_most
from ictrack.structures.joints import POSETRACK_18

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "PoseTrack"
SHAPES = {"p3": ShapeSpec(channels=4, stride=8), "heatmap": ShapeSpec(channels=3, stride=4)}
FEATURES = {"p3": torch.rand(2, 4, 4, 6), "heatmap": torch.rand(2, 3, 8, 12)}


def module(**options):
    torch.manual_seed(0)
    options = {"conv_dim": 8, "num_groups": 2, "dim": 5, **options}
    return KeypointEmbeddingModule(feature="p3", input_shape=SHAPES, num_joints=3, **options)


def people(*visibility, seed=0):
    """(N, 3, 3) poses in a frame of 32 x 48."""
    visible = torch.tensor(visibility, dtype=torch.float32).reshape(-1, 3, 1)
    points = torch.rand(len(visible), 3, 2, generator=torch.Generator().manual_seed(seed)) * torch.tensor([47.0, 31.0])
    return torch.cat([points, visible], dim=2)


TRUTH = [people((2, 1, 0), (2, 2, 0)), people((1, 0, 0), seed=1)]
PREDICTED = [people((2, 1, 0), (2, 2, 0), (2, 1, 0), seed=2), people((1, 0, 0), seed=3)]
OWNERS = [torch.tensor([0, 1, 0]), torch.tensor([0])]
IDS = [torch.tensor([7, 8]), torch.tensor([9])]


SIZE = (32, 48)


def losses_of(head, ids=IDS, truth=TRUTH, predicted=PREDICTED, owners=OWNERS, features=FEATURES):
    """As a detector gives them: the predicted poses of each image, then the labeled ones."""
    instances = []
    for image_ids, labels, poses, people_of in zip(ids, truth, predicted, owners):
        index = torch.cat([people_of, torch.arange(len(labels))])
        is_predicted = torch.arange(len(index)) < len(poses)
        fields = {"gt_index": index, "gt_ids": image_ids[index], "is_predicted": is_predicted}
        instances.append(Instances(SIZE, gt_keypoints=torch.cat([poses, labels]), **fields))
    return head.losses(features, instances, SIZE)


def detected(poses, size=SIZE):
    scale = torch.tensor([size[1] / SIZE[1], size[0] / SIZE[0], 1])
    return [Instances(size, pred_keypoints=x * scale) for x in poses]


def test_losses_are_those_of_joints_and_of_people():
    """Written out with the public parts: the mean over joints, and the mean embedding of each pose's valid joints."""
    head = module(loss_weight=2.0, contrastive_weight=3.0, entropy_weight=0.5)
    losses = losses_of(head)
    poses = [torch.cat([p, t]) for p, t in zip(PREDICTED, TRUTH)]
    ids = torch.tensor([7, 8, 7, 7, 8, 9, 9])
    valid = torch.cat(poses)[..., 2] > 0
    read, _ = head._read(head(FEATURES), poses, 0.0)
    terms = [instance_contrastive_loss(read[valid[:, j], j], ids[valid[:, j]]) for j in range(3)]
    means = torch.stack([row[ok].mean(dim=0) for row, ok in zip(read, valid)])
    person = instance_contrastive_loss(means, ids)
    for k, (term, weight) in enumerate((("center", 2.0), ("contrast", 6.0), ("entropy", 1.0))):
        torch.testing.assert_close(losses[f"loss_embed_joint_{term}"], weight * sum(t[k] for t in terms) / 3)
        torch.testing.assert_close(losses[f"loss_embed_person_{term}"], weight * person[k])
    assert len(losses) == 6 and losses["loss_embed_joint_contrast"] > 0


def test_the_sum_of_the_joints_losses():
    """Three joints: three times the mean of each term; people as before. Two joints without the ignored one."""
    for ignored, joints in (((), 3), ((1,), 2)):
        mean = losses_of(module(ignored_joints=ignored))
        total = losses_of(module(ignored_joints=ignored, joint_reduction="sum"))
        for term in ("center", "contrast", "entropy"):
            assert mean[f"loss_embed_joint_{term}"] != 0
            torch.testing.assert_close(
                total[f"loss_embed_joint_{term}"], joints * mean[f"loss_embed_joint_{term}"], msg=term
            )
            assert torch.equal(total[f"loss_embed_person_{term}"], mean[f"loss_embed_person_{term}"])


def test_unlabeled_joints_have_no_part():
    head = module()
    before = losses_of(head)
    moved = [p.clone() for p in PREDICTED]
    for pose in moved:
        pose[pose[..., 2] == 0] = torch.tensor([5.0, 5.0, 0.0])
    assert all(torch.equal(before[name], loss) for name, loss in losses_of(head, predicted=moved).items())
    moved[0][0, 0, 0] += 9
    assert losses_of(head, predicted=moved)["loss_embed_joint_center"] != before["loss_embed_joint_center"]


def test_predictions_outside_the_frame_have_no_part():
    outside = [p.clone() for p in PREDICTED]
    outside[0][0, 0, 0] = 48.5
    unlabeled = [p.clone() for p in PREDICTED]
    unlabeled[0][0, 0, 2] = 0
    head = module()
    first, second = losses_of(head, predicted=outside), losses_of(head, predicted=unlabeled)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_ignored_joints_have_no_part():
    head = module(ignored_joints=[0])
    read, valid = head._read(head(FEATURES), TRUTH, 0.0)
    assert not valid[:, 0].any() and valid[:, 1].tolist() == [True, True, False]
    ids = torch.tensor([7, 8, 7, 7, 8, 9, 9])[[0, 1, 2, 3, 4]]
    poses = [torch.cat([p, t]) for p, t in zip(PREDICTED, TRUTH)]
    read, valid = head._read(head(FEATURES), poses, 0.0)
    joint = instance_contrastive_loss(read[valid[:, 1], 1], ids)
    torch.testing.assert_close(losses_of(head)["loss_embed_joint_contrast"], joint.contrastive / 2)


def test_no_gradient_into_heatmaps_and_places():
    features = {name: x.clone().requires_grad_() for name, x in FEATURES.items()}
    predicted = [p.clone().requires_grad_() for p in PREDICTED]
    head = module()
    sum(losses_of(head, predicted=predicted, features=features).values()).backward()
    assert features["p3"].grad.abs().sum() > 0
    assert features["heatmap"].grad is None and all(p.grad is None for p in predicted)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())
    features["p3"].grad = None
    sum(losses_of(module(backprop_to_features=False), features=features).values()).backward()
    assert features["p3"].grad is None


@pytest.mark.parametrize("objective", ["instance_contrastive", "scalar_tags", "vector_tags"])
def test_nobody_in_the_batch(objective):
    head = module(objective=objective)
    nobody, none = [torch.zeros(0, 3, 3)] * 2, [torch.zeros(0, dtype=torch.int64)] * 2
    losses = losses_of(head, none, nobody, nobody, none)
    assert all(loss == 0 for loss in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in head.parameters())


def test_at_most_so_many_poses_of_a_person():
    owners = torch.tensor([1, 0, 1, 1, 2, 1])
    kept = _at_most(2, owners)
    assert sorted(owners[kept].tolist()) == [0, 1, 1, 2] and len(set(kept.tolist())) == 4
    assert sorted(_at_most(9, owners).tolist()) == list(range(6))
    drawn = {tuple(sorted(_at_most(2, owners)[owners[_at_most(2, owners)] == 1].tolist())) for _ in range(20)}
    assert len(drawn) > 1  # at random
    assert len(_at_most(2, owners[:0])) == 0 and len(_at_most(0, owners)) == 0


def test_predictions_or_labels_alone():
    alone = losses_of(module(max_poses=0))
    moved = [p + 1 for p in PREDICTED]
    assert all(torch.equal(alone[k], v) for k, v in losses_of(module(max_poses=0), predicted=moved).items())
    head = module(use_ground_truth=False)
    before, after = losses_of(head), losses_of(head, truth=[t + torch.tensor([1.0, 0, 0]) for t in TRUTH])
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_scalar_tags_come_from_each_joints_own_channel():
    head = module(objective="scalar_tags", max_poses=0)
    maps = head(FEATURES)
    assert maps.shape == (2, 3, 8, 12)
    with torch.no_grad():
        for channel in range(3):
            head.map.decoder[-1].weight[channel] = 0
            head.map.decoder[-1].bias[channel] = 10.0 * channel + 1
    read, _ = head._read(head(FEATURES), TRUTH, 0.0)
    torch.testing.assert_close(read[..., 0], torch.tensor([[1.0, 11.0, 21.0]] * 3))
    # Image 0: tags {1, 11} of both people, pull 25 each, equal means; image 1: one tag.
    losses = losses_of(head)
    assert losses["loss_embed_pull"].item() == pytest.approx(1e-3 * 25 / 2)
    assert losses["loss_embed_push"].item() == pytest.approx(1e-3 * 0.5 / 2)


def test_vector_tags():
    head = module(objective="vector_tags", pull_weight=1.0, push_weight=2.0)
    poses = [torch.cat([p, t]) for p, t in zip(PREDICTED, TRUTH)]
    read, valid = head._read(head(FEATURES), poses, 0.0)
    row = valid.nonzero()[:, 0]
    person, image = torch.tensor([0, 1, 0, 0, 1, 2, 2])[row], torch.tensor([0, 0, 0, 0, 0, 1, 1])[row]
    terms = associative_embedding_loss(read[valid], person, image, 2)
    losses = losses_of(head)
    torch.testing.assert_close(losses["loss_embed_pull"], terms.pull)
    torch.testing.assert_close(losses["loss_embed_push"], 2 * terms.push)
    assert terms.push > 0


DETECTED = [people((0.9, 0.1, 0.5), (0.1, 0.1, 0.1)), people((0.3, 0.3, 0.3), seed=1)]


def test_a_person_is_the_mean_of_the_joints_of_enough_score():
    head = module(min_joint_score=0.2)
    read, _ = head._read(head(FEATURES), DETECTED, 0.0)
    first, second = head.embed(FEATURES, detected(DETECTED), SIZE)
    torch.testing.assert_close(first[0], read[0, [0, 2]].mean(dim=0))
    torch.testing.assert_close(first[1], read[1].mean(dim=0))  # none is good enough: all
    torch.testing.assert_close(second[0], read[2].mean(dim=0))
    assert first.shape == (2, 5) and first.dtype == torch.float32


def test_joints_are_unit_vectors_or_absent():
    head = module(similarity="joints", ignored_joints=[2])
    first, _ = head.embed(FEATURES, detected(DETECTED), SIZE)
    assert first.shape == (2, 3, 5)
    torch.testing.assert_close(first.norm(dim=2), torch.tensor([[1.0, 0, 0], [1, 1, 0]]))
    tags, _ = module(similarity="joints", objective="scalar_tags").embed(FEATURES, detected(DETECTED), SIZE)
    assert tags.shape == (2, 3, 2) and tags[0, :, 1].tolist() == [1, 0, 1] and tags[0, 1, 0] == 0
    assert module(objective="scalar_tags").embed(FEATURES, detected(DETECTED), SIZE)[0].shape == (2, 1)


def test_frames_with_and_without_people():
    first, second = module().embed(FEATURES, detected([torch.zeros(0, 3, 3), DETECTED[1]]), SIZE)
    assert first.shape == (0, 5) and second.shape == (1, 5)
    first, second = module().embed(FEATURES, [Instances(SIZE, gt_ids=torch.zeros(0)), *detected(DETECTED[1:])], SIZE)
    assert first.shape == (0, 5) and second.shape == (1, 5)  # Detectron2 gives an image without people no keypoints


def test_poses_of_another_resolution():
    head = module()
    expected = head.embed(FEATURES, detected(DETECTED), SIZE)
    torch.testing.assert_close(head.embed(FEATURES, detected(DETECTED, (64, 144)), SIZE), expected)


def test_without_heatmaps_and_predicted_poses():
    """As beside a Keypoint R-CNN: the labels alone are read, off the feature alone."""
    head = KeypointEmbeddingModule(
        feature="p3", input_shape={"p3": SHAPES["p3"]}, num_joints=3, conv_dim=8, num_groups=2, dim=5, max_poses=2
    )
    features = {"p3": FEATURES["p3"]}
    instances = [
        Instances(SIZE, gt_keypoints=Keypoints(x), gt_ids=i, gt_index=torch.arange(len(x))) for x, i in zip(TRUTH, IDS)
    ]
    losses = head.losses(features, instances, SIZE)
    read, valid = head._read(head(features), TRUTH, 0.0)
    means = torch.stack([row[ok].mean(dim=0) for row, ok in zip(read, valid)])
    expected = instance_contrastive_loss(means, torch.tensor([7, 8, 9]))
    torch.testing.assert_close(losses["loss_embed_person_contrast"], expected.contrastive)
    with pytest.raises(ValueError, match="which the instances do not have"):
        head.losses(features, [Instances(SIZE, gt_ids=i, gt_index=i) for i in IDS], SIZE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "ic"}, "OBJECTIVE is 'ic'"),
        ({"joint_reduction": "max"}, "JOINT_REDUCTION is 'max'"),
        ({"similarity": "mean"}, "SIMILARITY is 'mean'"),
        ({"max_poses": 0, "use_ground_truth": False}, "nothing to train on"),
        ({"max_poses": -1}, "MAX_POSES is -1"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        module(**options)


SHAPES_17 = {"p3": ShapeSpec(channels=4, stride=8), "heatmap": ShapeSpec(channels=17, stride=4)}


def test_from_configuration():
    cfg = load_config(f"{CONFIGS}/stage2_mpii.yaml", ["MODEL.EMBEDDING.KEYPOINT.JOINT_REDUCTION", "sum"])
    head = build_embedding_head(cfg, SHAPES_17)
    assert head.joint_reduction == "sum"
    assert isinstance(head, KeypointEmbeddingModule)
    assert head.in_features == ["p3", "heatmap"] and head.stride == 4
    assert set(range(17)) - set(head.joints) == {POSETRACK_18.index("left_ear"), POSETRACK_18.index("right_ear")}
    assert head({"p3": torch.rand(1, 4, 2, 2), "heatmap": torch.rand(1, 17, 4, 4)}).shape == (1, 128, 4, 4)


def test_configurations_that_do_not_fit():
    cfg = load_config(f"{CONFIGS}/stage1_coco_hrnet_w48.yaml", ["MODEL.EMBEDDING.IN_FEATURES", "['p9']"])
    with pytest.raises(ValueError, match="'p9'"):
        build_embedding_head(cfg, SHAPES_17)
    cfg.MODEL.EMBEDDING.IN_FEATURES = ["p3", "p4"]
    with pytest.raises(ValueError, match="one feature"):
        build_embedding_head(cfg, SHAPES_17)


@pytest.mark.parametrize("level", ["joint", "person"])
def test_a_level_can_be_left_out(level):
    """The other level's losses are what they are beside it."""
    both, one = losses_of(module()), losses_of(module(levels=[level]))
    assert {name.split("_")[2] for name in one} == {level}
    for name, loss in one.items():
        torch.testing.assert_close(loss, both[name])


@pytest.mark.parametrize("levels", [[], ["limb"]])
def test_unknown_levels_are_refused(levels):
    with pytest.raises(ValueError, match=r"KEYPOINT\.LEVELS"):
        module(levels=levels)
