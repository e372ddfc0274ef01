"""Several heads in the place of one: what each of them would give alone."""

import pytest
import torch
from detectron2.layers import ShapeSpec
from detectron2.structures import Instances

from experiments.association.head_bank import HeadBank
from ictrack.modeling.embedding import KeypointEmbeddingModule

SHAPES = {"p3": ShapeSpec(channels=4, stride=8), "heatmap": ShapeSpec(channels=3, stride=4)}
SIZE = (32, 48)
POSES = [
    torch.tensor([[[5.0, 5, 2], [20, 9, 2], [30, 20, 1]], [[40, 5, 2], [9, 9, 1], [3, 20, 1]]]),
    torch.zeros(0, 3, 3),
]


def heads():
    options = {"feature": "p3", "input_shape": SHAPES, "num_joints": 3, "conv_dim": 8, "num_groups": 2, "dim": 5}
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
    bank = HeadBank(heads())
    instances = [Instances(SIZE, pred_keypoints=x) for x in POSES]
    first, second = bank.embed(features, instances, SIZE)
    parts = bank.split(first)
    assert parts["by_joint"].shape == (2, 3, 5) and parts["tags"].shape == (2, 1) and len(second) == 0
    for name in bank.heads:
        torch.testing.assert_close(parts[name], bank[name].embed(features, instances, SIZE)[0])


def test_only_what_is_named_trains(features):
    bank = HeadBank(heads(), ["plain", "tags"])
    ids = [torch.tensor([1, 2]), torch.zeros(0, dtype=torch.int64)]
    instances = [Instances(SIZE, gt_keypoints=x, gt_ids=i, gt_index=torch.arange(len(x))) for x, i in zip(POSES, ids)]
    losses = bank.losses(features, instances, SIZE)
    assert {name.rsplit("_", 1)[1] for name in losses} == {"plain", "tags"}
    alone = bank["plain"].losses(features, instances, SIZE)
    for name, loss in alone.items():
        torch.testing.assert_close(losses[f"{name}_plain"], loss)
    sum(losses.values()).backward()
    trained = {name for name in bank.heads if any(p.grad is not None for p in bank[name].parameters())}
    assert trained == {"plain", "tags"}
