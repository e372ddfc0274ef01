import math

import torch

from ictrack.losses.generalized_focal import distribution_focal_loss, quality_focal_loss


def test_quality_focal_loss_by_hand():
    # sigmoid(0) = 0.5; target 0.9: |0.4|^2 * ln 2; target 0: 0.25 * ln 2.
    loss = quality_focal_loss(torch.zeros(2), torch.tensor([0.9, 0.0]))
    torch.testing.assert_close(loss, torch.tensor([0.16 * math.log(2), 0.25 * math.log(2)]))


def test_quality_focal_loss_is_least_at_the_target():
    quality = torch.tensor([0.3])
    at = torch.logit(quality)
    values = [quality_focal_loss(at + shift, quality).item() for shift in (-0.5, 0.0, 0.5)]
    assert values[1] == min(values) == 0


def test_distribution_focal_loss_by_hand():
    # Uniform over 3 bins: ln 3 whatever the distance; a distance on a bin counts that bin alone.
    uniform = distribution_focal_loss(torch.zeros(2, 3), torch.tensor([0.25, 1.0]))
    torch.testing.assert_close(uniform, torch.full((2,), math.log(3)))
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25]]))
    loss = distribution_focal_loss(logits, torch.tensor([0.25]))
    torch.testing.assert_close(loss, torch.tensor([0.75 * math.log(2) + 0.25 * math.log(4)]))
