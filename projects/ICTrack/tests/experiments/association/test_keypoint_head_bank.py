"""Several heads in the place of one: what each of them would give alone."""

import pytest
import torch
from detectron2.layers import ShapeSpec

from experiments.association.keypoint_head_bank import KeypointHeadBank
from ictrack.modeling.embedding import KeypointEmbeddingModule

SHAPES = {"p3": ShapeSpec(channels=4, stride=8), "heatmap": ShapeSpec(channels=3, stride=4)}
POSES = [
    torch.tensor([[[5.0, 5, 2], [20, 9, 2], [30, 20, 1]], [[40, 5, 2], [9, 9, 1], [3, 20, 1]]]),
    torch.zeros(0, 3, 3),
]


def heads():
    options = {"feature": "p3", "input_shape": SHAPES, "conv_dim": 8, "num_groups": 2, "dim": 5}
    return {
        "plain": KeypointEmbeddingModule(**options),
        "by_joint": KeypointEmbeddingModule(**options, similarity="joints"),
        "tags": KeypointEmbeddingModule(**options, objective="scalar_tags"),
    }


@pytest.fixture
def features():
    torch.manual_seed(0)
    return {"p3": torch.rand(2, 4, 4, 6), "heatmap": torch.rand(2, 3, 8, 12)}


def test_embeddings_come_apart_again(features):
    bank = KeypointHeadBank(heads())
    first, second = bank.embed(features, POSES)
    parts = bank.split(first)
    assert parts["by_joint"].shape == (2, 3, 5) and parts["tags"].shape == (2, 1) and len(second) == 0
    for name in bank.heads:
        torch.testing.assert_close(parts[name], bank[name].embed(features, POSES)[0])


def test_only_what_is_named_trains(features):
    bank = KeypointHeadBank(heads(), ["plain", "tags"])
    ids, owners = (
        [torch.tensor([1, 2]), torch.zeros(0, dtype=torch.int64)],
        [torch.tensor([0, 1]), torch.zeros(0).long()],
    )
    losses = bank.losses(features, POSES, POSES, owners, ids)
    assert {name.rsplit("_", 1)[1] for name in losses} == {"plain", "tags"}
    alone = bank["plain"].losses(features, POSES, POSES, owners, ids)
    for name, loss in alone.items():
        torch.testing.assert_close(losses[f"{name}_plain"], loss)
    sum(losses.values()).backward()
    trained = {name for name in bank.heads if any(p.grad is not None for p in bank[name].parameters())}
    assert trained == {"plain", "tags"}
