from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from ictrack.modeling.solo.matrix_nms import matrix_nms, point_nms


def decay_by_definition(masks, classes, scores, kernel, sigma):
    """The formula of the paper, pair by pair."""

    def iou(i, j):
        inter = (masks[i] & masks[j]).sum().item()
        return inter / max((masks[i] | masks[j]).sum().item(), 1)

    def f(x):
        return math.exp(-sigma * x * x) if kernel == "gaussian" else max(1 - x, 1e-6)

    result = []
    for j in range(len(scores)):
        factor = 1.0
        for i in range(j):
            if classes[i] == classes[j]:
                best = max((iou(k, i) for k in range(i) if classes[k] == classes[i]), default=0.0)
                decay = math.exp(-sigma * iou(i, j) ** 2) if kernel == "gaussian" else 1 - iou(i, j)
                factor = min(factor, decay / f(best))
        result.append(scores[j].item() * factor)
    return result


def test_published_example():
    """Three masks of one class whose IoUs are 0.5 (0, 1), 0.2 (0, 2) and 0.6 (1, 2), on a row of 20 pixels."""
    masks = torch.zeros(3, 1, 20, dtype=torch.bool)
    masks[0, 0, :11] = True  # 7 pixels with mask 1 only, 1 with mask 2 only, 3 with both
    masks[1, 0, [*range(7), *range(8, 20)]] = True
    masks[2, 0, 7:20] = True
    scores = torch.tensor([0.9, 0.8, 0.7])
    decayed = matrix_nms(masks, torch.zeros(3, dtype=torch.int64), scores)
    assert decayed.tolist() == pytest.approx([0.9, 0.485225, 0.561763], abs=1e-6)
    assert (decayed / scores).tolist() == pytest.approx([1, 0.606531, 0.802519], abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    count=st.integers(0, 25),
    num_classes=st.integers(1, 4),
    kernel=st.sampled_from(["gaussian", "linear"]),
    sigma=st.floats(0.1, 4),
)
def test_definition(seed, count, num_classes, kernel, sigma):
    generator = torch.Generator().manual_seed(seed)
    masks = torch.rand(count, 4, 5, generator=generator) > 0.4
    classes = torch.randint(num_classes, (count,), generator=generator)
    scores = torch.rand(count, generator=generator).sort(descending=True).values
    decayed = matrix_nms(masks, classes, scores, kernel, sigma)
    assert decayed.tolist() == pytest.approx(decay_by_definition(masks, classes, scores, kernel, sigma), abs=1e-5)


def test_exact_duplicates_with_the_linear_kernel_are_finite():
    masks = torch.ones(4, 3, 3, dtype=torch.bool)
    decayed = matrix_nms(masks, torch.zeros(4, dtype=torch.int64), torch.tensor([0.9, 0.8, 0.7, 0.6]), "linear")
    assert decayed.tolist() == pytest.approx([0.9, 0, 0, 0])


def test_counts_are_exact_under_autocast():
    masks = torch.ones(2, 300, 301, dtype=torch.bool)
    masks[1, 0, 0] = False
    scores = torch.tensor([0.9, 0.8])
    plain = matrix_nms(masks, torch.zeros(2, dtype=torch.int64), scores, "linear")
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(matrix_nms(masks, torch.zeros(2, dtype=torch.int64), scores, "linear"), plain)


def test_unknown_kernel():
    with pytest.raises(ValueError, match='"cubic"'):
        matrix_nms(torch.zeros(0, 1, 1), torch.zeros(0), torch.zeros(0), "cubic")


def test_point_nms_keeps_classes_apart():
    scores = torch.zeros(2, 3, 5, 5)
    scores[0, 1, 2, 2], scores[0, 2, 2, 3], scores[1, 1, 2, 3] = 0.9, 0.8, 0.7
    assert torch.equal(point_nms(scores), scores)


@pytest.mark.parametrize("kind", ["disks", "noise", "mixed"])
def test_tiles_count_what_one_product_counts(kind, monkeypatch):
    """Of many masks, on an image that tiles do not divide: small, whole, empty and ragged ones."""
    generator = torch.Generator().manual_seed(0)
    count, height, width = 150, 37, 75
    ys, xs = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    y, x, radius = (torch.rand(count, 1, 1, generator=generator) * side for side in (height, width, 60))
    disks = (ys - y) ** 2 + (xs - x) ** 2 < radius**2
    noise = torch.rand(count, height, width, generator=generator) > 0.5
    masks = {
        "disks": disks,
        "noise": noise,
        "mixed": torch.where(torch.arange(count)[:, None, None] % 3 > 0, disks, noise),
    }
    masks = masks[kind]
    masks[3], masks[4] = True, False
    classes = torch.zeros(count, dtype=torch.int64)
    scores = torch.rand(count, generator=generator).sort(descending=True).values
    by_tiles = matrix_nms(masks, classes, scores)
    monkeypatch.setitem(matrix_nms.__globals__, "_FEW", count)
    assert torch.equal(by_tiles, matrix_nms(masks, classes, scores))
