"""Video correspondence losses: values by hand, minima, gradients, blocks, degenerate input."""

import math

import pytest
import torch
from torch.nn import functional as F

from ictrack.losses.video_correspondence import (
    color_loss,
    concentration_loss,
    coordinate_cycle_loss,
    crop_patches,
    cycle_loss,
    grid_coordinates,
    video_correspondence_loss,
)

OPTIONS = {"channel_weights": (1, 10, 10), "max_color_loss": None, "window": 2, "cycle": "probability"}


def frame_pair(height=4, width=4, dim=6, patch=None, dtype=torch.float64):
    """Features and colors of a target (or of its top left ``patch``) and a reference."""
    features = [torch.randn(2, dim, height, width, dtype=dtype) for _ in range(2)]
    colors = [torch.rand(2, 3, height, width, dtype=dtype) - 0.5 for _ in range(2)]
    if patch:
        features[0], colors[0] = features[0][..., :patch, :patch].clone(), colors[0][..., :patch, :patch].clone()
    return (*features, *colors)


def test_coordinates_of_a_grid():
    assert grid_coordinates(1, 2).tolist() == [[-0.5, 0], [0.5, 0]]
    x, y = grid_coordinates(4, 3).unbind(1)
    assert x[:3].tolist() == pytest.approx([-2 / 3, 0, 2 / 3])
    assert y[::3].tolist() == [-0.75, -0.25, 0.25, 0.75]


def test_color_loss_by_hand():
    """|.1| + 10 |.02| + 10 |0| = .3 at one of two locations: .15; the second pair is equal."""
    colors = torch.zeros(2, 2, 3)
    seen = colors.clone()
    seen[0, 0] = torch.tensor([0.1, -0.02, 0])
    assert color_loss(seen, colors, (1, 10, 10)).item() == pytest.approx(0.075)
    assert color_loss(colors, colors, (1, 10, 10)).item() == 0
    valid = torch.tensor([[True, False], [True, True]])
    assert color_loss(seen, colors, (1, 10, 10), valid).item() == pytest.approx(0.15)
    assert color_loss(seen, colors, (1, 10, 10), torch.zeros(2, 2, dtype=torch.bool)).item() == 0


def test_pairs_above_the_limit_are_dropped():
    colors = torch.zeros(2, 1, 1)
    seen = torch.tensor([[[3.0]], [[1.0]]], requires_grad=True)
    loss = color_loss(seen, colors, (1,), max_loss=2.5)
    assert loss.item() == 0.5
    (grad,) = torch.autograd.grad(loss, seen)
    assert grad.flatten().tolist() == [0, 0.5]


def test_concentration_by_hand():
    """One window found at x = 0, 0, 0, 4: mean 1, squared distances 1, 1, 1, 9."""
    places = torch.zeros(1, 4, 2)
    places[0, 3, 0] = 4
    assert concentration_loss(places, (2, 2), 2).item() == 3
    assert concentration_loss(places, (2, 2), 1).item() == 0
    assert concentration_loss(places + 7, (2, 2), 2).item() == 3


def test_concentration_of_windows_that_are_cut_off():
    """3 x 3 in windows of 2: a row of windows at the edge; constant within each window is still concentrated."""
    windows = torch.tensor([0, 0, 1, 0, 0, 1, 2, 2, 3])
    places = torch.randn(4, 2)[windows][None]
    assert concentration_loss(places, (3, 3), 2).item() == pytest.approx(0, abs=1e-12)


def test_cycle_is_log_p_without_information_and_zero_with_a_permutation():
    zeros = torch.zeros(1, 5, 4)
    assert cycle_loss(zeros, zeros).item() == pytest.approx(math.log(5))
    nodes = 100 * torch.eye(5)[None]
    assert cycle_loss(nodes, nodes[:, torch.randperm(5)]).item() == pytest.approx(0, abs=1e-6)


def test_cycle_by_hand():
    """Two nodes with odds 3 to 1 either way: .75^2 + .25^2 = .625."""
    nodes = torch.tensor([[[1.0, 0], [0, 1]]])
    loss = cycle_loss(nodes, nodes, temperature=1 / math.log(3))
    assert loss.item() == pytest.approx(-math.log(0.625))
    # In coordinates -.5, .5: there -.25, .25, back -.125, .125, so .375 off.
    loss = coordinate_cycle_loss(nodes, nodes, (1, 2), temperature=1 / math.log(3))
    assert loss.item() == pytest.approx(0.375)


def test_everything_is_zero_for_a_perfect_match():
    """Unique features, the same colors, windows of one location: nothing is left to learn."""
    features = 50 * torch.eye(16).reshape(1, 16, 4, 4).double()
    colors = torch.rand(1, 3, 4, 4).double()
    for cycle in ("probability", "coordinate"):
        loss = video_correspondence_loss(features, features, colors, colors, **{**OPTIONS, "window": 1, "cycle": cycle})
        assert [term.item() for term in loss] == pytest.approx([0, 0, 0, 0], abs=1e-9)


def test_shifted_frames_are_matched():
    """A frame and its shift by one column, with identity features: right matches beat wrong ones in every term."""
    identity = 50 * torch.eye(16).reshape(1, 16, 4, 4).double()
    colors = torch.rand(1, 3, 4, 4).double()
    right = video_correspondence_loss(identity, identity.roll(1, 3), colors, colors.roll(1, 3), **OPTIONS)
    wrong = video_correspondence_loss(identity, identity, colors, colors.roll(1, 3), **OPTIONS)
    assert right.color < 1e-9 < 0.1 < wrong.color
    assert right.reverse_color < 1e-9 < 0.1 < wrong.reverse_color


@pytest.mark.parametrize("patch", [None, 2])
@pytest.mark.parametrize("cycle", ["probability", "coordinate"])
@pytest.mark.parametrize("term", range(4))
@pytest.mark.parametrize("normalize", [False, True])
def test_gradients_are_the_numeric_ones(patch, cycle, term, normalize):
    target, reference, target_colors, reference_colors = frame_pair(patch=patch)
    valid = torch.rand(2, 4, 4) > 0.2

    def loss(x, y):
        options = {**OPTIONS, "cycle": cycle, "normalize": normalize, "temperature": 0.7, "reference_valid": valid}
        return video_correspondence_loss(x, y, target_colors, reference_colors, **options)[term]

    # By products with random vectors, in which a wrong entry shows as well.
    inputs = (target.requires_grad_(), reference.requires_grad_())
    assert torch.autograd.gradcheck(loss, inputs, fast_mode=True)


@pytest.mark.parametrize("patch", [None, 3])
@pytest.mark.parametrize("cycle", ["probability", "coordinate"])
@pytest.mark.parametrize("block_size", [1, 5, 15])
def test_blocks_change_nothing(patch, cycle, block_size):
    target, reference, *colors = frame_pair(patch=patch)
    valid = torch.rand(2, 4, 4) > 0.2
    target_valid = valid[:, :patch, :patch]
    inputs = (target.requires_grad_(), reference.requires_grad_())
    results = []
    for size in (None, block_size):
        loss = video_correspondence_loss(
            *inputs,
            *colors,
            **{**OPTIONS, "cycle": cycle},
            target_valid=target_valid,
            reference_valid=valid,
            block_size=size,
        )
        results.append([*loss, *torch.autograd.grad(sum(loss), inputs)])
    torch.testing.assert_close(results[0], results[1])


def test_a_patch_has_no_reverse_term():
    loss = video_correspondence_loss(*frame_pair(patch=2), **OPTIONS)
    assert loss.reverse_color == 0
    assert min(loss.color, loss.concentration, loss.cycle) > 0


def test_invalid_locations_have_no_influence():
    target, reference, target_colors, reference_colors = frame_pair()
    valid = torch.ones(2, 4, 4, dtype=torch.bool)
    valid[:, :, -1] = False
    options = {**OPTIONS, "target_valid": valid, "reference_valid": valid, "window": 2}
    before = video_correspondence_loss(target, reference, target_colors, reference_colors, **options)
    for x in (target_colors, reference_colors, target, reference):
        x[..., -1] += 5
    after = video_correspondence_loss(target, reference, target_colors, reference_colors, **options)
    torch.testing.assert_close(after, before)


def test_nothing_valid_gives_finite_gradients():
    target, reference, *colors = frame_pair()
    nothing = torch.zeros(2, 4, 4, dtype=torch.bool)
    loss = video_correspondence_loss(
        target.requires_grad_(), reference, *colors, **OPTIONS, target_valid=nothing, reference_valid=nothing
    )
    assert (loss.color, loss.reverse_color, loss.cycle) == (0, 0, 0)
    (grad,) = torch.autograd.grad(sum(loss), target)
    assert grad.isfinite().all()


def test_autocast_does_not_lower_the_precision():
    inputs = frame_pair(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = video_correspondence_loss(*inputs, **OPTIONS)
    torch.testing.assert_close(loss, video_correspondence_loss(*inputs, **OPTIONS))
    half = video_correspondence_loss(*(x.bfloat16() for x in inputs), **OPTIONS)
    assert all(term.dtype == torch.float32 for term in half)


def test_descent_finds_the_shift():
    """Features that are free to change come to match where the colors do."""
    colors = torch.rand(1, 3, 3, 3)
    features = torch.randn(2, 1, 8, 3, 3, requires_grad=True)
    optimizer = torch.optim.Adam([features], lr=0.1)

    def loss():
        options = {**OPTIONS, "normalize": True, "temperature": 0.1}
        return video_correspondence_loss(*features, colors, colors.roll(1, 2), **options)

    first = loss()
    for _ in range(100):
        optimizer.zero_grad()
        terms = loss()
        (terms.color + terms.cycle).backward()
        optimizer.step()
    assert loss().color < 0.4 * first.color


def test_crops_are_the_same_window_of_each_map():
    ramp = torch.arange(2 * 6 * 8).reshape(2, 1, 6, 8)
    features, valid = crop_patches([ramp, ramp[:, 0] % 2 == 0], (2, 3), torch.Generator().manual_seed(1))
    assert features.shape == (2, 1, 2, 3)
    assert torch.equal(valid, features[:, 0] % 2 == 0)
    origins = (features[:, 0, 0, 0] - torch.tensor([0, 48])).tolist()
    assert len(set(origins)) == 2 and all(torch.equal(f[0], f[0, 0, 0] + ramp[0, 0, :2, :3]) for f in features)
    with pytest.raises(ValueError, match="7 x 3"):
        crop_patches([ramp], (7, 3))


def test_mismatched_shapes_are_named():
    target, reference, target_colors, reference_colors = frame_pair()
    with pytest.raises(ValueError, match="target"):
        video_correspondence_loss(target, reference, target_colors[..., 1:], reference_colors, **OPTIONS)
    with pytest.raises(ValueError, match="reference"):
        valid = torch.ones(2, 3, 3, dtype=torch.bool)
        video_correspondence_loss(*frame_pair(), **OPTIONS, reference_valid=valid)
    with pytest.raises(ValueError, match="do not fit"):
        video_correspondence_loss(target[:, 1:], reference, target_colors, reference_colors, **OPTIONS)
    with pytest.raises(ValueError, match="cycle"):
        video_correspondence_loss(*frame_pair(), **{**OPTIONS, "cycle": "none"})
    with pytest.raises(ValueError, match="2 channel weights"):
        video_correspondence_loss(*frame_pair(), **{**OPTIONS, "channel_weights": (1, 10)})


def test_full_grid_in_blocks():
    """Two 40 x 40 grids: 1600 rows in blocks of 400."""
    pair = frame_pair(40, 40, dim=4, dtype=torch.float32)
    target = F.normalize(pair[0], dim=1).requires_grad_()
    loss = video_correspondence_loss(target, *pair[1:], **{**OPTIONS, "window": 8}, block_size=400)
    sum(loss).backward()
    assert target.grad.isfinite().all()
