"""SOLO, Decoupled SOLO, its light form and SOLOv2 against mmdetection's heads, without preprocessing."""

from __future__ import annotations

import numpy as np
import parity_solo_family as parity
import pytest
import torch
from parity_gradients import assert_norms_agree
from parity_solo import compare_instances


@pytest.mark.parametrize("kind", parity.KINDS)
@torch.no_grad()
def test_category_logits(kind):
    z = parity.arrays(kind)
    outputs = parity.family_model(kind).forward_features(parity.images())
    for level, logits in enumerate(outputs.category_logits):
        np.testing.assert_allclose(logits.numpy(), z[f"category_logits{level}"], atol=1e-4)


@pytest.mark.parametrize("kind", parity.KINDS)
@torch.no_grad()
def test_detections(kind):
    z = parity.arrays(kind)
    model = parity.family_model(kind)
    detections = model.inference_from(model.forward_features(parity.images()), parity.SIZES, parity.ORIGINAL_SIZES)
    for i, (found, size) in enumerate(zip(detections, parity.ORIGINAL_SIZES)):
        assert found.image_size == size
        worst_score, worst_iou = compare_instances(
            found.scores.numpy(), found.pred_classes.numpy(), found.pred_masks.numpy(), z, f"image{i}"
        )
        # A pixel of a small random mask whose probability is the threshold up to rounding moves a score by 1e-4.
        assert worst_score < 1e-3
        assert worst_iou > 0.995


@pytest.mark.parametrize("kind", parity.KINDS)
def test_losses(kind):
    z = parity.arrays(kind)
    model = parity.family_model(kind)
    losses = model.losses_from(model.forward_features(parity.images()), parity.instances())
    assert losses["loss_mask"].item() == pytest.approx(float(z["loss_mask"]), rel=1e-5)
    assert losses["loss_category"].item() == pytest.approx(float(z["loss_cls"]), rel=1e-5)


@pytest.mark.parametrize("kind", parity.KINDS)
def test_gradients(kind):
    """Both sides are in float64, so that next to no rounding is left."""
    model = parity.family_model(kind).double()
    sum(model.losses_from(model.forward_features(parity.images().double()), parity.instances()).values()).backward()
    norms = {name: float(x) for name, x in parity.recorded(kind, "gradient_norm/").items()}
    gradients = {f"head.{name}": p.grad for name, p in model.head.named_parameters()}
    assert set(gradients) == set(norms)
    assert_norms_agree(gradients, norms, {"": 1e-4})


def test_the_normalizer_of_the_mask_loss():
    """Instances share cells here: there are more pairs than cells, by which the loss is less."""
    model = parity.family_model("dynamic")
    targets = model.assign_targets(parity.instances(), (160, 224))
    assert len(targets.mask_cells) > len(targets.positives)
    cfg = parity.family_cfg("dynamic")
    cfg.MODEL.SOLO.MASK_LOSS_NORMALIZER = "pairs"
    by_pairs = type(model)(cfg).eval()
    by_pairs.load_state_dict(model.state_dict())
    losses = [
        m.losses_from(m.forward_features(parity.images()), parity.instances())["loss_mask"].item()
        for m in (model, by_pairs)
    ]
    assert losses[1] / losses[0] == pytest.approx(len(targets.positives) / len(targets.mask_cells), rel=1e-5)
