from __future__ import annotations

import numpy as np
import parity_psa as parity
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ictrack.modeling.point_set_anchor.oks_nms import oks, oks_nms
from ictrack.structures.joints import COCO_17

SIGMAS = torch.tensor(COCO_17.sigmas)


@pytest.mark.parametrize("threshold", [0.5, 0.9])
def test_published_nms(threshold):
    z = parity.arrays("units")
    points, scores, areas = (torch.from_numpy(z[f"nms_{name}"]) for name in ("poses", "scores", "areas"))
    kept = oks_nms(points.view(-1, 17, 2), scores, areas, SIGMAS, threshold, max_detections=1000)
    np.testing.assert_array_equal(np.sort(kept.numpy()), z[f"nms_keep_thr{threshold}"])
    assert (scores[kept].diff() <= 0).all()
    few = oks_nms(points.view(-1, 17, 2), scores, areas, SIGMAS, threshold, max_detections=10)
    assert torch.equal(few, kept[:10])


def test_similarity_by_hand():
    value = oks(torch.tensor([[8.0, 0.0]]), torch.tensor([0.5, 0.5]), torch.tensor([4.0]))
    torch.testing.assert_close(value, torch.tensor([[np.exp(-1.0), 1.0]], dtype=torch.float32))
    assert oks(torch.tensor([[1.0, 0.0]]), torch.tensor([0.5, 0.5]), torch.tensor([0.0])).tolist() == [[0, 1]]


def test_nothing_and_equal_scores():
    none = torch.zeros(0)
    assert len(oks_nms(torch.zeros(0, 17, 2), none, none, SIGMAS, 0.5, 10)) == 0
    same = torch.rand(1, 17, 2).expand(3, -1, -1) * 50
    kept = oks_nms(same, torch.tensor([0.5, 0.7, 0.7]), torch.full((3,), 100.0), SIGMAS, 0.5, 10)
    assert kept.tolist() == [1]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.floats(0.05, 0.95))
def test_kept_are_dissimilar_and_dropped_are_similar_to_a_better_one(seed, count, threshold):
    generator = torch.Generator().manual_seed(seed)
    base = torch.rand(3, 17, 2, generator=generator) * 100
    which = torch.randint(0, 3, (count,), generator=generator)
    points = base[which] + torch.randn(count, 17, 2, generator=generator) * 5
    scores = torch.rand(count, generator=generator)
    areas = (points.amax(1) - points.amin(1)).prod(1)
    kept = oks_nms(points, scores, areas, SIGMAS, threshold, count).tolist()

    def similarity(i: int, j: int) -> float:
        return oks((points[i] - points[j]).square().sum(-1), SIGMAS, (areas[i] + areas[j]) / 2).mean().item()

    for i in range(count):
        better = [j for j in kept if scores[j] > scores[i]]
        most = max((similarity(i, j) for j in better), default=0.0)
        assert most <= threshold + 1e-6 if i in kept else most > threshold - 1e-6
    for few in range(count):  # of which the first are looked at before the others
        assert oks_nms(points, scores, areas, SIGMAS, threshold, few).tolist() == kept[:few]
