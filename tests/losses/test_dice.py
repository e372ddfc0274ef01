from __future__ import annotations

import pytest
import torch

from ictrack.losses.dice import dice_loss


def test_value():
    p, q = torch.tensor([[1.0, 0.5, 0.0]]), torch.tensor([[True, True, False]])
    assert dice_loss(p, q).item() == pytest.approx(0.0774908, abs=1e-7)


def test_each_mask_by_itself():
    p, q = torch.rand(4, 6, 7), torch.rand(4, 6, 7) > 0.5
    together = dice_loss(p, q, eps=0.01)
    assert together.shape == (4,)
    for i in range(4):
        assert together[i] == dice_loss(p[i : i + 1], q[i : i + 1], eps=0.01)[0]


def test_limits():
    mask = torch.zeros(1, 8, 8)
    mask[:, 2:6, 2:6] = 1
    assert dice_loss(mask, mask).item() == pytest.approx(0, abs=1e-3)
    assert dice_loss(mask, 1 - mask).item() == 1
    assert dice_loss(torch.zeros(1, 4), torch.zeros(1, 4)).item() == 1  # finite without any foreground
    assert dice_loss(torch.zeros(0, 4, 4), torch.zeros(0, 4, 4)).shape == (0,)


def test_half_precision_does_not_overflow():
    """800 x 800 pixels: a float16 sum ends at 65,504."""
    p = torch.ones(1, 800, 800, dtype=torch.float16)
    assert dice_loss(p, torch.ones(1, 800, 800, dtype=torch.bool)).item() == pytest.approx(0, abs=1e-6)


def test_gradient():
    p = torch.rand(3, 5, dtype=torch.float64).requires_grad_()
    q = torch.rand(3, 5) > 0.5
    dice_loss(p, q).sum().backward()
    n, d = (p * q).sum(1, keepdim=True), (p**2).sum(1, keepdim=True) + q.sum(1, keepdim=True) + 0.002
    expected = -2 * (q * d - n * 2 * p) / d**2
    assert torch.allclose(p.grad, expected.detach(), atol=1e-6)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"\(2, 4\) probabilities, \(2, 5\) targets"):
        dice_loss(torch.rand(2, 4), torch.rand(2, 5))
