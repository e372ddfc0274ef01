"""Label-free figures: against hand-computed values, and on maps whose answer is known."""

import math

import pytest
import torch
from detectron2.modeling import build_model
from tiny_video_model import solo_config, use_cells, video_sample

from ictrack.engine.embedding_health import (
    cell_centers,
    heads_health,
    matching_cells,
    mean_pairwise_cosine,
    position_readability,
    retrieval_at_1,
)


def test_mean_pairwise_cosine_by_hand():
    """Cosines of (3, 0), (0, 2), (1, 0): 0, 1, 0."""
    assert mean_pairwise_cosine(torch.tensor([[3.0, 0], [0, 2], [1, 0]])) == pytest.approx(1 / 3)
    assert mean_pairwise_cosine(torch.tensor([[2.0, 1], [4, 2]])) == pytest.approx(1)
    assert math.isnan(mean_pairwise_cosine(torch.ones(1, 2)))


def test_retrieval_by_hand():
    """Length does not count; the last query has no correct key and is left out."""
    queries = torch.tensor([[1.0, 0], [0, 5], [1, 1]])
    keys = torch.tensor([[10.0, 0.5], [0.1, 0.1], [-1, 3]])
    correct = torch.tensor([[True, False, False], [True, True, False], [False, False, False]])
    assert retrieval_at_1(queries, keys, correct) == 0.5
    assert math.isnan(retrieval_at_1(queries, keys, torch.zeros(3, 3, dtype=torch.bool)))


def test_position_is_read_where_it_is_written():
    places = torch.rand(400, 2)
    held_out = torch.arange(400) % 2 == 0
    noise = torch.randn(400, 6)
    written = torch.cat([noise, 5 * places[:, :1] + 0.001 * torch.randn(400, 1)], dim=1)
    x, y = position_readability(written, places, held_out)
    assert x > 0.99 and abs(y) < 0.15
    assert all(math.isnan(r2) for r2 in position_readability(noise, places, torch.zeros(400, dtype=torch.bool)))


def test_a_constant_embedding_tells_no_position():
    places = torch.rand(100, 2)
    r2 = position_readability(torch.ones(100, 3), places, torch.arange(100) % 2 == 0)
    assert max(r2) <= 1e-9


def test_matching_cells_under_a_shift_and_a_mirror():
    """2 x 3 cells of 8 pixels. The second view is shifted by one cell, or mirrored."""
    centers = cell_centers((2, 3), (8, 8))
    assert centers.tolist() == [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12]]
    identity = torch.eye(2, 3)
    shifted = torch.tensor([[1.0, 0, 8], [0, 1, 0]])
    found = matching_cells(identity, shifted, centers, (8, 8), centers).nonzero().tolist()
    assert found == [[1, 0], [2, 1], [4, 3], [5, 4]]
    mirrored = torch.tensor([[-1.0, 0, 24], [0, 1, 0]])
    found = matching_cells(identity, mirrored, centers, (8, 8), centers).nonzero().tolist()
    assert found == [[0, 2], [1, 1], [2, 0], [3, 5], [4, 4], [5, 3]]


def test_levels_are_told_apart():
    """A head whose level 1 is the same everywhere: its cosine is 1 there, and the figures without a level are means."""
    model = build_model(use_cells(solo_config())).eval()
    head = model.embedding_head.video_head
    samples = [{**video_sample(name), "frame_indices": [0, 0]} for name in "ab"]
    whole = type(head).forward

    class Collapsed(type(head)):
        def forward(self, features):
            maps = whole(self, features)
            return [torch.ones_like(x) if level == 1 else x for level, x in enumerate(maps)]

    head.__class__ = Collapsed
    figures = heads_health(model, {"video": head}, samples)["video"]
    by_level = [figures[f"mean_cosine_level_{level}"] for level in range(4)]
    assert by_level[1] == pytest.approx(1) and max(by_level[0], *by_level[2:]) < 0.999
    assert figures["mean_cosine"] == pytest.approx(sum(by_level) / 4)
    assert figures["cell_retrieval_level_0"] > figures["cell_retrieval_level_1"]
    one = heads_health(model, {"video": head}, samples, [2])["video"]
    assert one["mean_cosine"] == pytest.approx(by_level[2]) and not any("level" in name for name in one)
