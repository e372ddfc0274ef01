"""PointSetAnchor against the reference implementation: the tolerances are a few times its own rounding noise."""

from __future__ import annotations

import dataclasses

import numpy as np
import parity_psa as parity
import pytest
import torch
from parity_gradients import assert_arrays_agree, assert_norms_agree

from ictrack.checkpoint.published.point_set_anchor import POINT_SET_ANCHOR
from ictrack.modeling.point_set_anchor.anchors import PointSetAnchorGenerator
from ictrack.modeling.point_set_anchor.ground_truth import people_of_image
from ictrack.modeling.point_set_anchor.inference import PoseCandidates
from ictrack.modeling.point_set_anchor.targets import anchor_oks
from ictrack.structures.joints import COCO_17

our_name = POINT_SET_ANCHOR.table.ours


@pytest.fixture(scope="module")
def model():
    return parity.tiny_model()


@pytest.fixture(scope="module")
def outputs():
    return parity.arrays("outputs")


@pytest.fixture(scope="module")
def predictions(model):
    """Of image 0 alone."""
    with torch.no_grad():
        batch = model.preprocess_image([parity.image("image0")])
        outputs = model.forward_features(batch.tensor)
        stages, anchors = model.stages(outputs.features, batch.image_sizes, "everything")
        return outputs.features, stages, outputs.heatmaps, outputs.offsets, anchors


def as_maps(anchors, x: torch.Tensor) -> list[torch.Tensor]:
    """(1, A, ...) -> a (1, C, H_l, W_l) map a level."""
    levels = anchors.split(x.flatten(2) if x.ndim > 2 else x[..., None], dim=1)
    return [y.transpose(1, 2).unflatten(2, size) for y, size in zip(levels, anchors.level_sizes)]


def assert_every41(x: torch.Tensor, outputs, name: str, atol: float = 1e-3) -> None:
    assert tuple(outputs[f"{name}_dims"]) == tuple(x.shape), name
    ours = x.contiguous().view(-1)[::41].numpy()
    np.testing.assert_allclose(ours, outputs[f"{name}_every41"], rtol=0, atol=atol, err_msg=name)


def test_anchors_are_equal(model, predictions, outputs):
    generator, anchors = model.anchor_generator, predictions[4]
    for level in range(3):
        assert np.array_equal(generator.base_points[level].flatten().numpy(), outputs[f"base_points_lvl{level}"][0])
        assert np.array_equal(generator.base_boxes[level].numpy(), outputs[f"base_box_lvl{level}"][0])
        points = anchors.split(anchors.points)[level].flatten(1).numpy()
        assert np.array_equal(points[:3], outputs[f"single_grid_points_lvl{level}_first3"])
        assert np.array_equal(points[-2:], outputs[f"single_grid_points_lvl{level}_last2"])
        boxes = anchors.split(anchors.boxes)[level].numpy()
        assert np.array_equal(boxes[-2:], outputs[f"single_grid_box_lvl{level}_last2"])
        assert set(anchors.split(anchors.scales)[level].tolist()) == {float(outputs[f"base_scale_lvl{level}"][0, 0])}


def test_rounded_template_makes_the_same_anchors(model):
    """The bundled template has four decimals; the reference's sixteen give the same whole numbers."""
    raw = parity.arrays("units")["template_raw_17x3"][:, :2]
    exact = PointSetAnchorGenerator(raw - raw[[11, 12]].mean(0), strides=[8, 16, 32], point_scale=16, box_scale=8)
    assert torch.equal(exact.base_points, model.anchor_generator.base_points)
    assert torch.equal(exact.base_boxes, model.anchor_generator.base_boxes)


def test_features(predictions, outputs):
    features = predictions[0]
    for branch in range(4):
        assert_every41(features[f"res{branch + 2}"], outputs, f"feat_stage4_branch{branch}")
    for level in range(3):
        assert_every41(features[f"p{level + 3}"], outputs, f"feat_hrfpn{level}")


def test_heads(predictions, outputs):
    _, stages, heatmaps, offsets, anchors = predictions
    for i, stage in enumerate(stages):
        raw = stage.predictions
        for name, x in ("cls", raw.logits), ("reg", raw.point_deltas), ("box", raw.box_deltas):
            for level, x_map in enumerate(as_maps(anchors, x)):
                if f"single_stage{i}_{name}{level}_dims" in outputs:
                    assert_every41(x_map, outputs, f"single_stage{i}_{name}{level}")
    for level in range(3):
        points, boxes = (anchors.split(x[0])[level] for x in (stages[1].points, stages[1].boxes))
        assert_every41(points.flatten(1), outputs, f"single_stage1_anchor_points{level}", atol=5e-3)
        assert_every41(boxes, outputs, f"single_stage1_anchor_box{level}", atol=5e-3)
    assert_every41(heatmaps, outputs, "single_heat")
    assert_every41(offsets.flatten(1, 2), outputs, "single_heat_offset")


def test_candidates(model, predictions, outputs):
    _, stages, heatmaps, offsets, anchors = predictions
    scores = stages[-1].predictions.logits[0].sigmoid()
    index = model.selector.strongest(scores, anchors)
    # The reference lists a large level by score, and neighbours in that order may be closer than rounding.
    np.testing.assert_allclose(scores[index].numpy(), outputs["single_pre_nms_scores"], atol=1e-3)
    regressed = stages[-1].poses[0, index]
    ours, theirs = regressed.flatten(1).numpy(), outputs["single_pre_nms_poses_regression_only"]
    partner = np.abs(ours[:, None] - theirs).max(2).argmin(1)
    assert len(set(partner.tolist())) == len(theirs) == len(ours)
    np.testing.assert_allclose(ours, theirs[partner], rtol=0, atol=0.05)
    fused = model.selector.candidates(regressed, scores[index], heatmaps[0], offsets[0], (300, 384))
    np.testing.assert_allclose(
        fused.points.flatten(1).numpy(), outputs["single_pre_nms_poses"][partner], rtol=0, atol=0.05
    )
    np.testing.assert_allclose(fused.areas.numpy(), outputs["single_pre_nms_areas"][partner], rtol=1e-4)


def assert_same_people(points: np.ndarray, scores: np.ndarray, expected: np.ndarray) -> None:
    """``expected``: (N, 35) rows of 17 x (x, y) and score, in any order."""
    assert len(points) == len(expected)
    ours = np.concatenate([points.reshape(len(points), -1), scores[:, None]], axis=1)
    partner = np.abs(ours[:, None] - expected).max(2).argmin(1)
    assert sorted(partner.tolist()) == list(range(len(expected)))
    np.testing.assert_allclose(ours[:, :34], expected[partner, :34], rtol=0, atol=0.05)
    np.testing.assert_allclose(ours[:, 34], expected[partner, 34], rtol=0, atol=1e-3)


@torch.no_grad()
def test_inference(model, outputs):
    """What comes out is in continuous coordinates and of the size that is asked for."""
    (result,) = model([{"image": parity.image("image0"), "height": 600, "width": 1152}])
    instances = result["instances"]
    assert instances.image_size == (600, 1152)
    points = instances.pred_keypoints[..., :2] / torch.tensor([3.0, 2.0]) - 0.5
    expected = outputs["single_det_fused"]
    assert_same_people(points.numpy(), instances.scores.numpy(), expected[:, 4:])
    assert (instances.scores.diff() <= 0).all()
    assert torch.equal(instances.pred_boxes.tensor[:, :2], instances.pred_keypoints[..., :2].amin(1))
    assert torch.equal(instances.pred_boxes.tensor[:, 2:], instances.pred_keypoints[..., :2].amax(1))


@torch.no_grad()
def test_two_views(model, outputs):
    """The second view is smaller and mirrored, and one OKS-NMS runs over both."""
    view = parity.image("view1")
    first, second = (
        model.candidates(model.forward_features(batch.tensor), batch.image_sizes)[0]
        for batch in (model.preprocess_image([image]) for image in (parity.image("image0"), view))
    )
    second = second.mirrored(view.shape[2], COCO_17.flip_permutation)
    # The reference divides pixel indices by the scale; PoseCandidates.resized moves pixel areas.
    second = dataclasses.replace(second, points=second.points / 0.8)
    people = model.selector.select(PoseCandidates.cat([first, second]))
    assert_same_people(people.points.numpy(), people.scores.numpy(), outputs["ms_kpts_score"])


@pytest.fixture
def training_model():
    """BatchNorm's statistics change in training, so every test has its own."""
    return parity.tiny_model().train()


def test_targets(training_model):
    z = parity.arrays("targets")
    model, dicts = training_model, parity.dataset_dicts()
    truth = [people_of_image(x, len(model.sigmas), model.device) for x in dicts]
    keypoints = [x for x, _ in truth]
    batch = model.preprocess_image([x["image"] for x in dicts])
    stages, anchors = model.stages(model.backbone(batch.tensor), batch.image_sizes, "everything")
    targets = model.losses.targets(stages, anchors, truth, model.sigmas)
    for i, (stage, target) in enumerate(zip(stages, targets)):
        for image in range(2):
            points = stage.points[image % len(stage.points)]
            similarity = anchor_oks(keypoints[image], points, model.sigmas)
            np.testing.assert_allclose(
                similarity[:, ::7].numpy(), z[f"batch_assign{2 * i + image}_oks_every7"], rtol=0, atol=1e-5
            )
            prefix = f"batch_stage{i}_img{image}"
            here = target.images == image
            matches = torch.where(target.weights[image], 0, -1)
            matches[target.anchors[here]] = target.people[here] + 1
            np.testing.assert_array_equal(matches.numpy(), z[f"batch_assign{2 * i + image}_gt_inds"])
            np.testing.assert_array_equal(target.weights[image].numpy(), z[f"{prefix}_label_weights"] > 0)
            np.testing.assert_array_equal(target.anchors[here].numpy(), z[f"{prefix}_pos_inds"])
            for name, ours in ("reg", target.point_deltas.flatten(1)), ("box", target.box_deltas):
                np.testing.assert_allclose(
                    ours[here].numpy(), z[f"{prefix}_{name}_targets_pos"], rtol=0, atol=1e-4, err_msg=prefix
                )
            weights = target.point_weights[here].repeat_interleave(2, dim=1)
            np.testing.assert_array_equal(weights.numpy(), z[f"{prefix}_reg_weights_pos"] > 0)


TERMS = {"loss_class": "loss_cls", "loss_keypoint": "loss_reg", "loss_box": "loss_bbx"}


@pytest.mark.parametrize(("tag", "images"), [("batch", [0, 1]), ("img0", [0]), ("img1", [1])])
def test_losses(training_model, tag, images):
    dicts = parity.dataset_dicts()
    losses = training_model([dicts[i] for i in images])
    expected = parity.losses()[tag]
    for ours, theirs in TERMS.items():
        for stage, suffix in enumerate(("", "_stage0")):
            reference = sum(expected[f"{theirs}{suffix}"])
            assert losses.pop(f"{ours}_stage{stage}").item() == pytest.approx(reference, rel=1e-4), (ours, stage)
    assert losses.pop("loss_heatmap").item() == pytest.approx(expected["heat_loss"][0], rel=1e-4)
    assert losses.pop("loss_offset").item() == pytest.approx(expected["offset_loss"][0], rel=1e-4)
    assert losses == {}


# Rounding of the reference by part, with room of a factor of two.
GRADIENT_LIMITS = {"backbone.bottom_up.": 1.5e-2, "backbone.": 1e-2, "heads.": 4e-3, "heatmap_head.": 1e-5}


def test_gradients(monkeypatch):
    # The model leaves mixed precision by `.float()`; here it must stay in float64.
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    model = parity.tiny_model().train().double()
    sum(model(parity.dataset_dicts()).values()).backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    norms = {our_name(name): norm for name, norm in parity.losses()["batch"]["grad_l2"].items()}
    assert norms.keys() == gradients.keys()
    assert_norms_agree(gradients, norms, GRADIENT_LIMITS)
    arrays = {our_name(name[6:]): x for name, x in parity.arrays("targets").items() if name.startswith("grad__")}
    assert len(arrays) == 7
    assert_arrays_agree(gradients, arrays, GRADIENT_LIMITS)
