"""SOLO against the reference implementations: the tolerances are a few times their own rounding noise."""

from __future__ import annotations

import numpy as np
import parity_solo as parity
import pytest
import torch
from detectron2.structures import ImageList
from parity_gradients import assert_arrays_agree, assert_norms_agree

from ictrack.checkpoint.published.mmdetection import MMDETECTION
from ictrack.modeling.solo.ground_truth_masks import mask_windows, shrink_masks
from ictrack.modeling.solo.matrix_nms import matrix_nms, point_nms
from ictrack.modeling.solo.outputs import masks_of_cells
from ictrack.modeling.solo.paste import paste_masks

our_name = MMDETECTION.table.ours


@pytest.fixture(scope="module")
def model():
    return parity.tiny_model()


@pytest.fixture(scope="module")
def outputs():
    return parity.arrays("outputs")


def every41(x: torch.Tensor) -> np.ndarray:
    return x.detach().contiguous().view(-1)[::41].numpy()


@torch.no_grad()
def test_raw_outputs(model, outputs):
    images = model.preprocess_image(parity.dataset_dicts(instances=False)[:1])
    assert images.tensor.shape[-2:] == (224, 320)
    features = model.backbone(images.tensor)
    for name, x in features.items():
        assert tuple(outputs[f"single_{name}_dims"]) == tuple(x.shape)
        np.testing.assert_allclose(every41(x), outputs[f"single_{name}_every41"], atol=1e-3)

    inputs = model.level_inputs(features, (224, 320))
    maps = model.head.mask_maps(features, inputs, [[0]] * 5)
    for level, logits in enumerate(model.head.category_logits(inputs)):
        np.testing.assert_allclose(logits.numpy(), outputs[f"single_cls_logits{level}"], atol=1e-3)
        masks = model.head.mask_logits(level, maps[level], [torch.arange(model.head.num_grids[level] ** 2)])
        assert tuple(outputs[f"single_mask_logits{level}_dims"]) == (1, *masks.shape)
        np.testing.assert_allclose(every41(masks), outputs[f"single_mask_logits{level}_every41"], atol=1e-3)


@pytest.mark.parametrize(("tag", "count"), [("single", 1), ("batch", 2)])
@torch.no_grad()
def test_inference(model, outputs, tag, count):
    dicts = parity.dataset_dicts(instances=False)[:count]
    images = model.preprocess_image(dicts)
    size = tuple(images.tensor.shape[-2:])
    outputs_of_network = model.forward_features(images.tensor)
    scores = outputs_of_network.category_scores()
    np.testing.assert_allclose(scores.numpy(), outputs[f"{tag}_cls_prob_pointnms"], atol=1e-3)
    mask_size, every_cell = (size[0] // 4, size[1] // 4), torch.ones(scores.shape[:2], dtype=torch.bool)
    masks_of = masks_of_cells(model.head, model.grid_cells, outputs_of_network, every_cell, mask_size)

    for i, result in enumerate(model(dicts)):
        prefix = f"{tag}_img{i}"
        cells, classes = (scores[i] > 0.1).nonzero().unbind(1)
        np.testing.assert_array_equal(cells, outputs[f"{prefix}_cand_cell"])
        np.testing.assert_array_equal(classes, outputs[f"{prefix}_cand_label"])

        sampled = torch.from_numpy(outputs[f"{prefix}_maskprob_sample_cells"])
        probabilities = masks_of[i](sampled)
        np.testing.assert_allclose(every41(probabilities), outputs[f"{prefix}_maskprob_sample_every41"], atol=1e-3)

        instances = result["instances"]
        assert instances.image_size == parity.ORIGINAL_SIZES[i]
        masks = instances.pred_masks.numpy()
        worst_score, worst_iou = parity.compare_instances(
            instances.scores.numpy(), instances.pred_classes.numpy(), masks, outputs, prefix
        )
        assert worst_score < 1e-3
        assert worst_iou > 0.995
        for mask, box in zip(masks, instances.pred_boxes.tensor.tolist()):
            ys, xs = mask.nonzero()
            assert box == ([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1] if len(ys) else [0, 0, 0, 0])


@torch.no_grad()
def test_grid_cells_name_the_cell_of_each_detection(model):
    record = parity.dataset_dicts(instances=False)[0]
    instances = model([record])[0]["instances"]
    images = model.preprocess_image([record])
    inputs = model.level_inputs(model.backbone(images.tensor), (224, 320))
    logits = model.head.category_logits(inputs)
    for (level, row, col), category, score in zip(
        instances.grid_cells.tolist(), instances.pred_classes, instances.scores
    ):
        # Maskness and decay only lower a score.
        assert logits[level][0, category, row, col].sigmoid() >= score > 0.05
    assert len(instances.grid_cells.unique(dim=0)) > 50


@pytest.mark.parametrize("kernel", ["gaussian", "linear"])
def test_matrix_nms(outputs, kernel):
    labels = torch.from_numpy(outputs["single_img0_nms_in_label"])
    scores = torch.from_numpy(outputs["single_img0_nms_in_score"])
    masks = torch.from_numpy(parity.unpack(outputs, "single_img0_nms_in_masks"))
    scores, order = scores.sort(descending=True, stable=True)
    decayed = matrix_nms(masks[order], labels[order], scores, kernel)
    if kernel == "gaussian":
        expected = outputs["single_img0_nms_all_scores_sorted"]
        by_input = torch.empty_like(decayed)
        by_input[order] = decayed
        np.testing.assert_allclose(by_input[outputs["single_img0_nms_all_keep"]].numpy(), expected, atol=1e-6)
    else:
        expected = outputs["single_img0_nms_linear_scores"]
        kept = decayed[decayed >= 0.05].sort(descending=True).values
        np.testing.assert_allclose(kept.numpy(), expected, atol=1e-6)


def test_targets(model):
    dicts = parity.dataset_dicts()
    instances = [x["instances"] for x in dicts]
    targets = model.assign_targets(instances, parity.PADDED)
    z = parity.arrays("targets")
    for image in range(2):
        for level, side in enumerate(model.head.num_grids):
            prefix = f"img{image}_lvl{level}"
            np.testing.assert_array_equal(targets.categories[level][image].numpy(), z[f"{prefix}_labels"])
            on_level = targets.positives[targets.positives[:, 1] == level]
            here = on_level[:, 0] == image
            cells = on_level[here, 2] * side + on_level[here, 3]
            np.testing.assert_array_equal(cells.numpy(), z[f"{prefix}_pos_cells"])
            masks = targets.instance_masks[level][targets.mask_index[level][here]]
            np.testing.assert_array_equal(masks.numpy(), parity.unpack(z, f"{prefix}_mask_targets"))


def losses_of(model, images: list[int], without_instances: tuple[int, ...] = ()) -> dict[str, torch.Tensor]:
    """Losses of some of the images, all padded to the frame of the batch."""
    dicts = parity.dataset_dicts()
    tensor = model.preprocess_image(dicts).tensor[images]
    instances = [dicts[i]["instances"][:0] if i in without_instances else dicts[i]["instances"] for i in images]
    return model.losses_from(model.forward_features(tensor), instances)


@pytest.mark.parametrize(
    ("tag", "images", "without"),
    [
        ("batch", [0, 1], ()),
        ("only_img0_of_batch", [0], ()),
        ("only_img1_of_batch", [1], ()),
        ("img0_without_instances", [0], (0,)),
    ],
)
def test_losses(model, tag, images, without):
    expected = parity.load_json("losses")[tag]
    losses = losses_of(model, images, without)
    assert losses["loss_mask"].item() == pytest.approx(expected["loss_mask"], rel=1e-4)
    assert losses["loss_category"].item() == pytest.approx(expected["loss_cls"], rel=1e-4)


def test_training_forward_is_the_loss_of_the_batch(model):
    expected = parity.load_json("losses")["batch"]
    model.train()
    try:
        losses = model(parity.dataset_dicts())
    finally:
        model.eval()
    assert set(losses) == {"loss_category", "loss_mask"}
    assert losses["loss_mask"].item() == pytest.approx(expected["loss_mask"], rel=1e-4)
    assert losses["loss_category"].item() == pytest.approx(expected["loss_cls"], rel=1e-4)


# Rounding of the reference by part, with room of a factor of two. What reaches the category tower passes no ReLU whose
# sign the reference has otherwise.
GRADIENT_LIMITS = {"backbone.bottom_up.": 3e-3, "backbone.": 3e-4, "head.": 1e-4, "head.mask_tower.": 3e-3}


def test_gradients():
    """Of all that the reference trains, also the backbone's normalizations from the second stage on."""
    model = parity.tiny_model(train_norm=True).double()
    sum(losses_of(model, [0, 1]).values()).backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    recorded = {our_name(name): norm for name, norm in parity.load_json("losses")["batch"]["grad_l2"].items()}
    norms = {name: norm for name, norm in recorded.items() if norm is not None}
    assert set(norms) == set(gradients) and len(norms) > 160
    assert_norms_agree(gradients, norms, GRADIENT_LIMITS)
    z = parity.arrays("targets")
    names = ("mask_head.conv_cls.bias", "neck.lateral_convs.0.conv.bias", "mask_head.cls_convs.0.gn.weight")
    assert_arrays_agree(gradients, {our_name(name): z[f"grad__{name}"] for name in names}, GRADIENT_LIMITS)


def test_post_processing_unit(model):
    """Mask areas close to the stride limits and values exactly at the thresholds."""
    z = parity.arrays("units")
    probabilities = torch.from_numpy(z["post_mask_prob"]).float()
    cells, classes, scores, _ = model.selector(
        torch.from_numpy(z["post_cls_prob"]), model.cell_strides, lambda c: probabilities[c], (20, 24)
    )
    pasted, _ = paste_masks(probabilities[cells], (80, 96), (76, 92), (150, 190), 0.5)
    worst_score, worst_iou = parity.compare_instances(scores.numpy(), classes.numpy(), pasted.numpy(), z, "post")
    assert worst_score < 1e-5
    assert worst_iou > 0.999


@pytest.mark.parametrize("stride", [4, 8, 16])
def test_shrink_unit(stride):
    z = parity.arrays("units")
    masks = z["shrink_in"].astype(bool)
    boxes = np.zeros((len(masks), 4), dtype=np.float32)  # useless boxes: windows fall back to the frame
    expected = z[f"shrink_{stride}"]
    shrunk = shrink_masks(masks, mask_windows(masks, boxes), stride, expected.shape[1:])
    np.testing.assert_array_equal(shrunk, expected.astype(bool))


def test_point_nms_unit():
    """A cell survives iff it is not below its upper, left and upper-left neighbours; others do not count."""
    scores = torch.tensor([[0.5, 0.4, 0.9], [0.5, 0.6, 0.1], [0.2, 0.3, 0.6]])
    expected = torch.tensor([[0.5, 0.0, 0.9], [0.5, 0.6, 0.0], [0.0, 0.0, 0.6]])
    assert torch.equal(point_nms(scores[None, None])[0, 0], expected)


def test_padding_is_zero_after_normalisation(model):
    images: ImageList = model.preprocess_image(parity.dataset_dicts(instances=False))
    assert images.tensor.shape[-2:] == parity.PADDED
    assert images.tensor[0, :, 224:].abs().max() == 0
    assert images.tensor[0, :, :, 300:].abs().max() == 0
