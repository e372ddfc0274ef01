"""Contrastive random walk: over a palindrome of frames, a walker should return to the node where it started.

Jabri, Owens, Efros, "Space-Time Correspondence as a Contrastive Random Walk", NeurIPS 2020 (facts from
github.com/ajabri/videowalk). Nodes are the locations of a grid, or detected instances.

Naming convention:
    B: clips, T: frames, N_t: nodes of frame t, D: embedding dimension
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .affinity import over_blocks


class _Step(NamedTuple):
    """Dropped edges between the nodes of two consecutive frames; None: no edge is dropped."""

    dropped: Tensor | None  # (B, N_t, N_t+1) bool, on the way there
    dropped_back: Tensor | None  # (B, N_t+1, N_t) bool, on the way back


def random_walk_loss(
    nodes: Sequence[Tensor],
    *,
    temperature: float,
    edge_dropout: float = 0.0,
    block_size: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Mean over k = 1 .. T-1 of the cross-entropy of the walk 0 -> 1 .. k .. 1 -> 0 against the identity.

    A step from s to t has the probabilities A_st = softmax(X_s X_t^T / ``temperature``) of L2-normalized nodes; with
    ``edge_dropout`` some edges are dropped, which makes nodes of one object stand in for each other. The walk's
    transition is the product of its steps, and the loss is -1/N_0 sum_i log (A_01 .. A_10)_ii.

    Everything runs in at least float32, also under autocast.

    Args:
        nodes: T tensors (B, N_t, D), in the frames' order.
        temperature: Divisor of the cosines (videowalk: 0.05 to 0.07).
        edge_dropout: Probability that an edge is dropped (videowalk: 0.1); a node never loses its last edge.
        block_size: Nodes at a time; memory is then ``block_size`` N_t instead of N_t^2 numbers (and with edge dropout
            one byte an edge), and transitions are recomputed for each block. The gradient is taken in the forward
            pass, so it cannot be differentiated again. None: all at once.
        generator: Source of the dropout, on the nodes' device.

    Returns:
        Scalar, at least 0; log N_0 if all nodes look alike. A zero that is connected to the nodes if there are fewer
        than two frames with nodes.

    Raises:
        ValueError: ``edge_dropout`` is no probability below 1, or nodes are not (B, N_t, D).
    """
    if not 0 <= edge_dropout < 1:
        raise ValueError(f"edge_dropout must be a probability below 1, not {edge_dropout}")
    if any(x.dim() != 3 for x in nodes):
        raise ValueError(f"expected (B, N_t, D) nodes a frame, got {[tuple(x.shape) for x in nodes]}")
    # No walker passes a frame without nodes: the clip ends before it.
    count = next((t for t, x in enumerate(nodes) if x.shape[1] == 0), len(nodes))
    if count < 2 or len(nodes[0]) == 0:
        return sum((0 * x.sum() for x in nodes), torch.zeros(()))
    with torch.autocast(device_type=nodes[0].device.type, enabled=False):
        frames = [F.normalize(x.to(torch.promote_types(x.dtype, torch.float32)), dim=2) for x in nodes[:count]]
        steps = [
            _Step(_dropped_edges(x, y, edge_dropout, generator), _dropped_edges(y, x, edge_dropout, generator))
            for x, y in zip(frames, frames[1:])
        ]
        num_nodes = frames[0].shape[1]

        def loss(rows: slice, *tensors: Tensor) -> Tensor:
            probabilities = _return_probabilities(rows, tensors, steps, temperature, block_size)
            tiny = torch.finfo(probabilities.dtype).tiny  # a return that underflowed costs 87, not infinity
            return -probabilities.clamp(min=tiny).log().sum() / (len(frames[0]) * num_nodes * len(steps))

        if block_size is None or block_size >= num_nodes:
            return loss(slice(0, num_nodes), *frames)
        blocks = [slice(start, start + block_size) for start in range(0, num_nodes, block_size)]
        return _SumOfBlocks.apply(loss, blocks, *frames)


def instance_walk_loss(
    videos: Sequence[Sequence[Tensor]],
    *,
    temperature: float,
    edge_dropout: float = 0.0,
    generator: torch.Generator | None = None,
    num_clips: float | None = None,
) -> Tensor:
    """Random walk loss over the instances predicted in each frame, whose number differs from frame to frame.

    Args:
        videos: T tensors (N_t, D) for each clip.
        temperature, edge_dropout, generator: See :func:`random_walk_loss`.
        num_clips: Divisor of the sum over the clips that :func:`can_walk`; None: their number.

    Returns:
        Scalar: the mean over the clips that :func:`can_walk`; a zero that is connected to the embeddings if there is
        none.
    """
    losses = [
        random_walk_loss(
            [x[None] for x in frames], temperature=temperature, edge_dropout=edge_dropout, generator=generator
        )
        for frames in videos
        if can_walk(frames)
    ]
    if losses:
        return torch.stack(losses).sum() / (num_clips or len(losses))
    return sum((0 * x.sum() for frames in videos for x in frames), torch.zeros(()))


def can_walk(frames: Sequence[Tensor]) -> bool:
    """Whether a clip of T tensors (N_t, D) has at least two instances in its first frame and one in its second."""
    return len(frames) > 1 and len(frames[0]) > 1 and len(frames[1]) > 0


def _dropped_edges(start: Tensor, end: Tensor, dropout: float, generator: torch.Generator | None) -> Tensor | None:
    """Mask (B, N, M) of dropped edges, leaving each of the N nodes at least one; None without dropout."""
    if dropout == 0:
        return None
    shape = (len(start), start.shape[1], end.shape[1])
    dropped = torch.rand(shape, generator=generator, device=start.device) < dropout
    return dropped & ~dropped.all(dim=2, keepdim=True)


def _return_probabilities(
    rows: slice, frames: Sequence[Tensor], steps: Sequence[_Step], temperature: float, block_size: int | None
) -> Tensor:
    """Probabilities (B, n, T-1) that walkers from the nodes ``rows`` of the first frame return to their own node.

    The walk 0 .. k .. 0 returns to i with probability sum_m (A_01 .. )_im ( .. A_10)_mi: row i of the way there, and
    column i of the way back, both of which grow by one factor a frame.
    """
    start = torch.eye(frames[0].shape[1], dtype=frames[0].dtype, device=frames[0].device)[rows]
    there = back = start.expand(len(frames[0]), -1, -1)  # (B, n, N_t)
    returned = []
    for x, y, step in zip(frames, frames[1:], steps):
        there = _walk(there, x, y, step.dropped, temperature, block_size)
        back = _walk_back(back, y, x, step.dropped_back, temperature, block_size)
        returned.append((there * back).sum(dim=2))
    return torch.stack(returned, dim=2)


def _walk(
    walkers: Tensor, start: Tensor, end: Tensor, dropped: Tensor | None, temperature: float, block_size: int | None
) -> Tensor:
    """Walkers (B, n, N) at the nodes ``start`` times the transition to ``end``: (B, n, M)."""
    everything = slice(None)
    normalizer = over_blocks(
        lambda rows: _logits(start, end, dropped, temperature, rows, everything).logsumexp(dim=2),
        start.shape[1],
        block_size,
    )

    def block(columns: slice) -> Tensor:
        logits = _logits(start, end, dropped, temperature, everything, columns)
        return walkers @ (logits - normalizer[:, :, None]).exp()

    return over_blocks(block, end.shape[1], block_size, dim=2)


def _walk_back(
    walkers: Tensor, start: Tensor, end: Tensor, dropped: Tensor | None, temperature: float, block_size: int | None
) -> Tensor:
    """Walkers (B, n, M) at the nodes ``end`` times the transposed transition from ``start``: (B, n, N)."""

    def block(rows: slice) -> Tensor:
        transition = _logits(start, end, dropped, temperature, rows, slice(None)).softmax(dim=2)
        return walkers @ transition.transpose(1, 2)

    return over_blocks(block, start.shape[1], block_size, dim=2)


def _logits(
    start: Tensor, end: Tensor, dropped: Tensor | None, temperature: float, rows: slice, columns: slice
) -> Tensor:
    logits = start[:, rows] @ end[:, columns].transpose(1, 2) / temperature
    return logits if dropped is None else logits.masked_fill(dropped[:, rows, columns], float("-inf"))


class _SumOfBlocks(torch.autograd.Function):
    """Sum over blocks of a scalar function of all tensors. Each block's gradient is taken in the forward pass, so that
    nothing of a block outlives it; nested checkpoints would keep everything that they recompute."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., Tensor], blocks: Sequence[slice], *tensors: Tensor) -> Tensor:
        needed = ctx.needs_input_grad[2:]
        inputs = [x.detach().requires_grad_(need) for x, need in zip(tensors, needed)]
        differentiated = [x for x, need in zip(inputs, needed) if need]
        gradients = [torch.zeros_like(x) for x in differentiated]
        total = tensors[0].new_zeros(())
        for block in blocks:
            with torch.set_grad_enabled(bool(differentiated)):
                value = function(block, *inputs)
            if differentiated:
                for gradient, part in zip(gradients, torch.autograd.grad(value, differentiated)):
                    gradient += part
            total += value.detach()
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved = iter(ctx.saved_tensors)
        return tuple(gradient * next(saved) if need else None for need in ctx.needs_input_grad)
