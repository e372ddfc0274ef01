from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch.nn import functional as F

from ictrack.modeling.solo.inference import SOLOSelector
from ictrack.modeling.solo.paste import paste_masks

SELECTOR = SOLOSelector(
    score_thresh=0.1,
    mask_thresh=0.5,
    nms_pre_topk=500,
    nms_kernel="gaussian",
    nms_sigma=2.0,
    nms_class_agnostic=False,
    update_thresh=0.05,
    max_detections=100,
)


def blobs(generator: torch.Generator, count: int, height: int, width: int) -> torch.Tensor:
    """Smooth probability maps."""
    noise = torch.randn(count, 1, height // 3 + 1, width // 3 + 1, generator=generator)
    return F.interpolate(noise, size=(height, width), mode="bicubic")[:, 0].sub(0.5).mul(2).sigmoid()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    crop=st.tuples(st.integers(40, 64), st.integers(50, 96)),
    output=st.tuples(st.integers(5, 150), st.integers(5, 150)),
)
def test_pasting_is_two_resizes_with_a_crop_between(seed, crop, output):
    probabilities = blobs(torch.Generator().manual_seed(seed), 5, 16, 24)
    probabilities[0] = 0.2
    up = F.interpolate(probabilities[None], size=(64, 96), mode="bilinear", align_corners=False)
    expected = F.interpolate(up[..., : crop[0], : crop[1]], size=output, mode="bilinear", align_corners=False)[0]
    pasted, boxes = paste_masks(probabilities, (64, 96), crop, output, 0.5)
    unclear = (expected - 0.5).abs() < 1e-5
    assert torch.equal(pasted | unclear, (expected > 0.5) | unclear)
    for mask, box in zip(pasted, boxes.tolist()):
        ys, xs = mask.nonzero().unbind(1)
        assert box == ([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1] if len(ys) else [0, 0, 0, 0])


def test_no_candidate():
    cells, classes, scores, masks = SELECTOR(
        torch.zeros(50, 3), torch.full((50,), 8), lambda c: torch.rand(len(c), 16, 24), (16, 24)
    )
    assert cells.shape == classes.shape == scores.shape == (0,)
    assert masks.shape == (0, 16, 24)
    pasted, boxes = paste_masks(torch.zeros(0, 16, 24), (64, 96), (60, 90), (30, 45), 0.5)
    assert pasted.shape == (0, 30, 45)
    assert boxes.shape == (0, 4)


def test_thresholds_are_exact():
    """Scores and probabilities equal to a threshold are out, an area equal to the stride is out."""
    scores = torch.tensor([[0.1], [0.100001], [0.9], [0.9]])
    maps = torch.zeros(4, 8, 8)
    maps[0] = maps[1] = 1.0
    maps[2, 0, :] = 1.0  # 8 pixels
    maps[3, 0, :] = 1.0
    maps[3, 1, 0] = 0.5  # not inside
    asked = []

    def probabilities(cells: torch.Tensor) -> torch.Tensor:
        asked.extend(cells.tolist())
        return maps[cells]

    cells, *_ = SELECTOR(scores, torch.tensor([8, 8, 8, 7]), probabilities, (8, 8))
    assert sorted(cells.tolist()) == [1, 3]
    assert asked == [1, 2, 3]


def test_a_cell_of_two_classes_is_two_detections_with_one_mask():
    maps = torch.zeros(2, 8, 8)
    maps[1, 2:6, 2:6] = 0.8
    calls = []

    def probabilities(cells: torch.Tensor) -> torch.Tensor:
        calls.append(cells.tolist())
        return maps[cells]

    cells, classes, scores, masks = SELECTOR(
        torch.tensor([[0, 0, 0], [0.5, 0, 0.6]]), torch.tensor([8, 8]), probabilities, (8, 8)
    )
    assert calls == [[1]]
    assert cells.tolist() == [1, 1]
    assert classes.tolist() == [2, 0]
    assert scores.tolist() == pytest.approx([0.48, 0.4])  # times maskness 0.8
    assert torch.equal(masks[0], masks[1])


def test_limits_on_numbers():
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(300, 1, generator=generator)
    maps = torch.zeros(300, 20, 20)
    maps.flatten(1)[torch.arange(300), torch.arange(300)] = 1.0  # disjoint masks of one pixel
    strides = torch.zeros(300, dtype=torch.int64)
    selector = SOLOSelector(0.1, 0.5, 40, "gaussian", 2.0, False, 0.05, 30)
    cells, _, kept, _ = selector(scores, strides, lambda c: maps[c], (20, 20))
    best = scores[:, 0].sort(descending=True)
    assert cells.tolist() == best.indices[:30].tolist()
    assert torch.equal(kept, best.values[:30])
