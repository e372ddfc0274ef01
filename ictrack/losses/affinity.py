"""Affinities between two sets of features, computed in blocks where the whole matrix would not fit into memory.

The affinity of P queries and Q keys is A = softmax_Q(X Y^T / tau): each row is a query's distribution over the keys.
Two frames' grids have P = Q = 1600 and more, so every function can work on ``block_size`` rows at a time and recompute
them in the backward pass; the result is the same.

Naming convention:
    B: frame pairs, P: queries, Q: keys, D: embedding dimension, C: channels of the values
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def affinity(queries: Tensor, keys: Tensor, *, temperature: float = 1.0, key_valid: Tensor | None = None) -> Tensor:
    """A = softmax over the keys of X Y^T / ``temperature``.

    Args:
        queries: (B, P, D) features at all locations of a frame, or of a patch of it.
        keys: (B, Q, D) features, usually at all locations of the other frame.
        temperature: Divisor of the dot products.
        key_valid: (B, Q) bool; False takes a key out of the softmax. Without any valid key all count.

    Returns:
        (B, P, Q), rows summing to 1.
    """
    return _logits(queries, keys, temperature, _usable(key_valid)).softmax(dim=2)


def transport(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    *,
    temperature: float = 1.0,
    key_valid: Tensor | None = None,
    block_size: int | None = None,
) -> Tensor:
    """Product A V: the values (B, Q, C) of the keys, carried to the queries. See :func:`affinity`.

    Args:
        block_size: Queries at a time; None: all at once, without recomputation.

    Returns:
        (B, P, C).
    """
    usable = _usable(key_valid)
    return over_blocks(
        lambda rows: _logits(queries[:, rows], keys, temperature, usable).softmax(dim=2) @ values,
        queries.shape[1],
        block_size,
    )


def transport_transposed(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    *,
    temperature: float = 1.0,
    key_valid: Tensor | None = None,
    block_size: int | None = None,
) -> Tensor:
    """Product A^T V: the values (B, P, C) of the queries, carried to the keys by the *same* A, not normalized again.

    Args:
        block_size: Rows or columns at a time; None: all at once, without recomputation.

    Returns:
        (B, Q, C); weighted means of the values only where A is close to a permutation.
    """
    usable = _usable(key_valid)
    normalizer = log_normalizer(
        queries, keys, temperature=temperature, key_valid=key_valid, block_size=block_size
    )  # (B, P)

    def block(columns: slice) -> Tensor:
        logits = _logits(queries, keys[:, columns], temperature, None if usable is None else usable[:, columns])
        return (logits - normalizer[:, :, None]).exp().transpose(1, 2) @ values

    return over_blocks(block, keys.shape[1], block_size)


def log_normalizer(
    queries: Tensor,
    keys: Tensor,
    *,
    temperature: float = 1.0,
    key_valid: Tensor | None = None,
    block_size: int | None = None,
) -> Tensor:
    """Logarithms (B, P) of the softmax's denominators: the log-sum-exp of every row of logits."""
    usable = _usable(key_valid)
    return over_blocks(
        lambda rows: _logits(queries[:, rows], keys, temperature, usable).logsumexp(dim=2),
        queries.shape[1],
        block_size,
    )


def round_trip_log_probability(
    queries: Tensor,
    keys: Tensor,
    *,
    temperature: float = 1.0,
    query_valid: Tensor | None = None,
    key_valid: Tensor | None = None,
    block_size: int | None = None,
) -> Tensor:
    """Log-probability that a walk query -> key -> query returns to its start.

    It is the diagonal of softmax(G) softmax(G^T), G = X Y^T / ``temperature``, each softmax over its own targets.

    Args:
        query_valid: (B, P) bool; False takes a query out of the way back.

    Returns:
        (B, P), at most 0 for valid queries.
    """
    usable = _usable(key_valid)
    back = log_normalizer(
        keys, queries, temperature=temperature, key_valid=query_valid, block_size=block_size
    )  # (B, Q)

    def block(rows: slice) -> Tensor:
        logits = _logits(queries[:, rows], keys, temperature, usable)
        return (logits.log_softmax(dim=2) + logits - back[:, None]).logsumexp(dim=2)

    return over_blocks(block, queries.shape[1], block_size)


def over_blocks(function: Callable[[slice], Tensor], size: int, block_size: int | None, dim: int = 1) -> Tensor:
    """Result of ``function(slice(0, size))``, computed in slices of ``block_size`` and concatenated along ``dim``.

    With more than one block only the results are kept for the backward pass.
    """
    if block_size is None or size <= block_size:
        return function(slice(0, size))
    if block_size < 1:
        raise ValueError(f"block_size must be a positive number of rows, not {block_size}")
    blocks = [
        checkpoint(function, slice(start, start + block_size), use_reentrant=False, preserve_rng_state=False)
        for start in range(0, size, block_size)
    ]
    return torch.cat(blocks, dim=dim)


def _logits(queries: Tensor, keys: Tensor, temperature: float, usable: Tensor | None) -> Tensor:
    logits = queries @ keys.transpose(1, 2) / temperature
    if usable is None:
        return logits
    return logits.masked_fill(~usable[:, None], float("-inf"))


def _usable(valid: Tensor | None) -> Tensor | None:
    """``valid``, with rows that have no valid key set to all True; a softmax over an empty set would be NaN."""
    return None if valid is None else valid | ~valid.any(dim=1, keepdim=True)
