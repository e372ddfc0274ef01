"""Affinities: by hand, against the dense matrices, in blocks, with invalid keys."""

import pytest
import torch

from ictrack.losses.affinity import (
    affinity,
    log_normalizer,
    over_blocks,
    round_trip_log_probability,
    transport,
    transport_transposed,
)

BLOCK_SIZES = [None, 1, 3, 5, 100]


def features(batch=2, queries=5, keys=7, dim=3):
    return torch.randn(batch, queries, dim).double(), torch.randn(batch, keys, dim).double()


def test_affinity_by_hand():
    """Dot products 2 ln 3 and 0 at temperature 2: odds 3 to 1."""
    x = torch.tensor([[[1.0]]])
    y = 2 * torch.tensor([[[3.0], [1.0]]]).log()
    torch.testing.assert_close(affinity(x, y, temperature=2.0), torch.tensor([[[0.75, 0.25]]]))
    carried = transport(x, y, torch.tensor([[[8.0], [4.0]]]), temperature=2.0)
    torch.testing.assert_close(carried, torch.tensor([[[7.0]]]))


def test_invalid_keys_are_never_a_match():
    x, y = features()
    valid = torch.tensor([[True] * 7, [False, True, True, False, True, True, False]])
    matrix = affinity(x, y, key_valid=valid)
    assert (matrix[1][:, ~valid[1]] == 0).all()
    torch.testing.assert_close(matrix.sum(2), torch.ones(2, 5).double())
    torch.testing.assert_close(matrix[1][:, valid[1]], affinity(x[1:], y[1:, valid[1]])[0])


def test_without_any_valid_key_all_count():
    x, y = features()
    torch.testing.assert_close(affinity(x, y, key_valid=torch.zeros(2, 7, dtype=torch.bool)), affinity(x, y))


@pytest.mark.parametrize("block_size", BLOCK_SIZES)
@pytest.mark.parametrize("masked", [False, True])
def test_blocks_equal_the_dense_matrices(block_size, masked):
    x, y = features()
    query_valid = torch.rand(2, 5) > 0.3 if masked else None
    key_valid = torch.rand(2, 7) > 0.3 if masked else None
    options = {"temperature": 0.5, "block_size": block_size}
    a = affinity(x, y, temperature=0.5, key_valid=key_valid)
    b = affinity(y, x, temperature=0.5, key_valid=query_valid)
    values = torch.randn(2, 7, 4).double()
    torch.testing.assert_close(transport(x, y, values, key_valid=key_valid, **options), a @ values)
    values = torch.randn(2, 5, 4).double()
    torch.testing.assert_close(
        transport_transposed(x, y, values, key_valid=key_valid, **options), a.transpose(1, 2) @ values
    )
    round_trip = round_trip_log_probability(x, y, query_valid=query_valid, key_valid=key_valid, **options)
    expected = (a @ b).diagonal(dim1=1, dim2=2)
    inside = torch.ones(2, 5, dtype=torch.bool) if query_valid is None else query_valid
    torch.testing.assert_close(round_trip.exp()[inside], expected[inside])
    assert (round_trip[inside] <= 1e-12).all()


def test_blocks_keep_no_matrix_for_the_backward_pass():
    """Everything that autograd stores, counted: blocks need O(P) of it, one block O(P Q)."""
    x, y = (torch.randn(1, 64, 2, requires_grad=True) for _ in range(2))
    stored = {}
    for block_size in (None, 4):
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, sizes=sizes: sizes.append(t.numel()) or t, lambda t: t):
            log_normalizer(x, y, block_size=block_size).sum()
        stored[block_size] = max(sizes, default=0)
    assert stored[None] >= 64 * 64
    assert stored[4] <= 4 * 64


def test_block_size_is_positive():
    with pytest.raises(ValueError, match="block_size"):
        over_blocks(lambda rows: torch.zeros(1, 4)[:, rows], 4, 0)
