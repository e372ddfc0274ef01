"""Contrastive random walks: values by hand, minima, gradients, blocks, dropout, instances."""

import math

import pytest
import torch

from ictrack.losses.random_walk import instance_walk_loss, random_walk_loss


def clip(*sizes, batch=2, dim=4):
    return [torch.randn(batch, size, dim, dtype=torch.float64, requires_grad=True) for size in sizes]


def test_palindrome_by_hand():
    """Orthogonal nodes with odds 3 to 1 a step: the return over two frames is .625, over three .75^4 + ... = .53125."""
    nodes = torch.eye(2)[None]
    temperature = 1 / math.log(3)
    assert random_walk_loss([nodes] * 2, temperature=temperature).item() == pytest.approx(-math.log(0.625))
    expected = -(math.log(0.625) + math.log(0.53125)) / 2
    assert random_walk_loss([nodes] * 3, temperature=temperature).item() == pytest.approx(expected)


def test_unique_nodes_come_home_whatever_their_order():
    nodes = torch.eye(5)[None]
    frames = [nodes[:, torch.randperm(5)] for _ in range(4)]
    assert random_walk_loss(frames, temperature=0.05).item() == pytest.approx(0, abs=1e-6)


def test_equal_nodes_are_lost():
    assert random_walk_loss([torch.ones(1, 6, 3)] * 3, temperature=0.07).item() == pytest.approx(math.log(6))


@pytest.mark.parametrize("sizes", [(4, 4), (3, 5, 2), (4, 4, 4, 4)])
@pytest.mark.parametrize("dropout", [0, 0.3])
@pytest.mark.parametrize("block_size", [None, 2])
def test_gradients_are_the_numeric_ones(sizes, dropout, block_size):
    frames = clip(*sizes, batch=1)

    def loss(*nodes):
        generator = torch.Generator().manual_seed(3)
        options = {"edge_dropout": dropout, "block_size": block_size, "generator": generator}
        return random_walk_loss(nodes, temperature=0.5, **options)

    # By products with random vectors, in which a wrong entry shows as well.
    assert torch.autograd.gradcheck(loss, frames, fast_mode=True)


@pytest.mark.parametrize("sizes", [(7, 7, 7), (5, 8, 3, 6)])
@pytest.mark.parametrize("dropout", [0, 0.4])
@pytest.mark.parametrize("block_size", [1, 3, 7])
def test_blocks_change_nothing(sizes, dropout, block_size):
    frames = clip(*sizes)
    results = []
    for size in (None, block_size):
        generator = torch.Generator().manual_seed(3)
        loss = random_walk_loss(frames, temperature=0.2, edge_dropout=dropout, block_size=size, generator=generator)
        results.append([loss, *torch.autograd.grad(loss, frames)])
    torch.testing.assert_close(results[0], results[1])


def test_blocks_leave_only_gradients_behind():
    """What is kept for the backward pass has the size of the nodes, no matrix of all pairs of them."""
    frames = clip(40, 40, 40)
    loss = random_walk_loss(frames, temperature=0.2, edge_dropout=0.1, block_size=8)
    assert [tuple(x.shape) for x in loss.grad_fn.saved_tensors] == [tuple(x.shape) for x in frames]


def test_blocks_without_gradients():
    frames = clip(7, 6, 7)
    with torch.no_grad():
        loss = random_walk_loss(frames, temperature=0.2, block_size=3)
    torch.testing.assert_close(loss, random_walk_loss(frames, temperature=0.2).detach())
    partly = [frames[0], frames[1].detach(), frames[2]]
    for size in (None, 3):
        loss = random_walk_loss(partly, temperature=0.2, block_size=size)
        gradients = torch.autograd.grad(3 * loss, [partly[0], partly[2]])
        if size is None:
            expected = gradients
    torch.testing.assert_close(gradients, expected)


def test_dropout_changes_the_walk_but_never_strands_it():
    frames = clip(6, 6, 6)
    plain = random_walk_loss(frames, temperature=0.2)
    dropped = random_walk_loss(frames, temperature=0.2, edge_dropout=0.2)
    assert plain != dropped
    single = random_walk_loss(clip(1, 1), temperature=0.2, edge_dropout=0.99)
    assert single == 0
    with pytest.raises(ValueError, match="edge_dropout"):
        random_walk_loss(frames, temperature=0.2, edge_dropout=1.0)


@pytest.mark.parametrize("sizes", [(), (4,), (0, 4), (4, 0, 4)])
def test_nothing_to_walk_on_is_a_connected_zero(sizes):
    frames = clip(*sizes)
    loss = random_walk_loss(frames, temperature=0.1)
    assert loss == 0
    if frames:
        assert all((grad == 0).all() for grad in torch.autograd.grad(loss, frames))


def test_clip_ends_before_a_frame_without_nodes():
    frames = clip(3, 4, 0, 5)
    assert random_walk_loss(frames, temperature=0.1) == random_walk_loss(frames[:2], temperature=0.1)


def test_instance_walk_averages_the_clips_that_can_be_walked():
    first, second, lonely = clip(3, 2, 4), clip(2, 2), clip(1, 3)
    videos = [[x[0] for x in frames] for frames in (first, second, lonely)]
    losses = [random_walk_loss([x[None] for x in video], temperature=0.3) for video in videos[:2]]
    assert instance_walk_loss(videos, temperature=0.3).item() == pytest.approx(sum(losses).item() / 2)
    leaf = lonely[0]
    loss = instance_walk_loss([videos[2]], temperature=0.3)
    assert loss == 0 and (torch.autograd.grad(loss, leaf)[0] == 0).all()
    assert instance_walk_loss([], temperature=0.3) == 0


def test_underflow_is_finite():
    x = torch.eye(2)[None].requires_grad_()
    loss = random_walk_loss([x, torch.tensor([[[1.0, 1e-9], [1.0, 0.0]]]), x], temperature=1e-3)
    loss.backward()
    assert loss.isfinite() and x.grad.isfinite().all()


def test_autocast_does_not_lower_the_precision():
    frames = [torch.randn(1, 5, 8) for _ in range(3)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = random_walk_loss(frames, temperature=0.07)
    torch.testing.assert_close(loss, random_walk_loss(frames, temperature=0.07))


def test_mismatched_nodes_are_refused():
    with pytest.raises(ValueError, match=r"\(B, N_t, D\)"):
        random_walk_loss([torch.randn(3, 4)], temperature=0.1)
