from __future__ import annotations

import math

import numpy as np
import parity_psa as parity
import pytest
import torch

from ictrack.modeling.point_set_anchor.heatmap import (
    HeatmapHead,
    HeatmapPeaks,
    find_peaks,
    heatmap_targets,
    offset_loss,
    sample_heatmaps,
    snap_to_peaks,
)
from ictrack.modeling.point_set_anchor.losses import heatmap_loss


def person(*joints: tuple[int, float, float, float], num_joints: int = 2) -> torch.Tensor:
    """(1, num_joints, 3) of (joint, x, y, visibility)."""
    keypoints = torch.zeros(1, num_joints, 3)
    for joint, *row in joints:
        keypoints[0, joint] = torch.tensor(row)
    return keypoints


def test_published_gaussians():
    units = parity.arrays("units")
    people = torch.cat([person((0, 4.0 * x, 4.0 * y, 2), num_joints=1) for x, y in units["gauss_points_cells"]])
    targets = heatmap_targets([people], (12, 14), stride=4, radius=3)
    np.testing.assert_allclose(targets.heatmaps[0, 0].numpy(), units["gauss_map_12x14"], atol=1e-6)


def test_published_targets_of_a_batch():
    z, inputs = parity.arrays("targets"), parity.arrays("inputs")
    shape = tuple(z["heat_target_shape"].tolist())
    keypoints = [torch.from_numpy(inputs[f"gt{i}_keypoints"]) for i in range(2)]
    targets = heatmap_targets(keypoints, shape[2:], stride=4, radius=3)
    expected = torch.zeros(shape)
    expected[tuple(torch.from_numpy(z["heat_target_nonzero_idx"].astype(np.int64)).T)] = torch.from_numpy(
        z["heat_target_nonzero_val"]
    )
    torch.testing.assert_close(targets.heatmaps, expected)
    image, joint, row, column = targets.cells.T
    offsets = torch.zeros(shape[0], 2 * shape[1], *shape[2:])
    for axis in range(2):
        offsets[image, 2 * joint + axis, row, column] = targets.offsets[:, axis]
    index = tuple(torch.from_numpy(z["heat_offset_weight_idx"].astype(np.int64)).T)
    assert 2 * len(targets.cells) == len(index[0])
    torch.testing.assert_close(offsets[index], torch.from_numpy(z["heat_offset_target_val"]))


def test_last_person_of_a_shared_cell_has_the_offset():
    people = torch.cat([person((0, 9, 6, 2)), person((0, 11, 7, 2)), person((0, 8, 5, 2))])
    targets = heatmap_targets([people], (8, 8), stride=4, radius=1)
    assert targets.cells.tolist() == [[0, 0, 1, 2]]
    assert targets.offsets.tolist() == [[0, 0.25]]


def test_joints_outside_or_unlabeled_are_left_out():
    people = person((0, 32, 4, 2), (1, 4, 4, 0))
    targets = heatmap_targets([people, torch.zeros(0, 2, 3)], (8, 8), stride=4, radius=3)
    assert targets.heatmaps.abs().sum() == 0
    assert targets.cells.shape == (0, 4)
    offsets = torch.rand(2, 2, 2, 8, 8, requires_grad=True)
    loss = offset_loss(offsets, targets)
    loss.backward()
    assert loss == 0
    assert offsets.grad.abs().sum() == 0


def test_losses_by_hand():
    targets = heatmap_targets([person((1, 5, 4, 1))], (4, 4), stride=4, radius=0)
    heatmaps = torch.full((1, 2, 4, 4), 0.5)
    assert heatmap_loss(heatmaps, targets.heatmaps, 0.1).item() == pytest.approx(0.25 + 0.1 * 31 * 0.25)
    offsets = torch.zeros(1, 2, 2, 4, 4)
    assert offset_loss(offsets, targets).item() == pytest.approx(0.125)  # (|0.25| + |0|) / 2


def test_head():
    head = HeatmapHead(in_channels=6, num_joints=3, conv_dim=8, norm="BN", init_std=10.0, min_probability=0.01)
    heatmaps, offsets = head(torch.randn(2, 6, 5, 7))
    assert heatmaps.shape == (2, 3, 10, 14)
    assert offsets.shape == (2, 3, 2, 10, 14)
    assert heatmaps.min().item() == pytest.approx(0.01)
    assert heatmaps.max().item() == pytest.approx(0.99)
    assert offsets.min() >= 0
    assert offsets.max() <= 1


def test_peaks():
    heatmaps = torch.zeros(1, 8, 10)
    heatmaps[0, 2, 3] = 0.9
    heatmaps[0, 2, 5] = 0.8  # two cells from a higher one
    heatmaps[0, 2, 8] = 0.7
    heatmaps[0, 7, 0] = 0.6
    offsets = torch.zeros(1, 2, 8, 10)
    offsets[0, :, 2, 3] = torch.tensor([0.25, 0.5])
    peaks = find_peaks(heatmaps, offsets, stride=4, kernel_size=5, max_peaks=5)
    assert peaks.scores[0, :3].tolist() == pytest.approx([0.9, 0.7, 0.6])
    assert peaks.points[0, :3].tolist() == [[13, 10], [32, 8], [0, 28]]
    assert peaks.scores[0, 3:].tolist() == [0, 0]
    assert find_peaks(heatmaps, offsets, 4, 5, max_peaks=1000).points.shape == (1, 80, 2)


def test_snapping():
    peaks = HeatmapPeaks(
        points=torch.tensor([[[0.0, 0], [10, 0]], [[0, 40], [0, 20]]]), scores=torch.tensor([[0.9, 0.8], [0.7, 0.0]])
    )
    poses = torch.tensor([[[6.0, 0], [1, 21]]])  # the second joint is next to a filler, which is no peak
    moved, scores = snap_to_peaks(poses, peaks, gate=0)
    assert moved.tolist() == [[[10, 0], [0, 40]]]
    assert scores[0].tolist() == pytest.approx([0.8, 0.7])
    # area 5 * 21 = 105: within 4.1 pixels with this gate
    moved, scores = snap_to_peaks(poses, peaks, gate=0.4)
    assert moved.tolist() == [[[10, 0], [1, 21]]]
    assert scores[0].tolist() == pytest.approx([0.8, 0])
    assert math.sqrt(105) * 0.4 == pytest.approx(4.1, abs=0.01)


def test_heatmap_values_at_joints():
    heatmaps = torch.arange(12.0).view(1, 3, 4)
    points = torch.tensor([[[3.9, 4.0]], [[-5, 100]], [[15, 11]]])
    assert sample_heatmaps(heatmaps, points, stride=4)[:, 0].tolist() == [4, 8, 11]
