"""The meta-architecture at a small size: training, freezing, the contract with the embedding head, odd batches."""

from __future__ import annotations

import numpy as np
import parity_solo as parity
import pytest
import torch
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone, build_model
from detectron2.structures import BitMasks, Boxes, Instances, PolygonMasks
from torch import nn
from torch.nn import functional as F

from ictrack.modeling.solo import SOLO
from ictrack.modeling.solo.ground_truth_masks import bit_masks


@BACKBONE_REGISTRY.register()
class AveragePyramid(Backbone):
    """Four levels of averaged pixels, each through a 1x1 convolution, and one feature that SOLO does not read."""

    def __init__(self, cfg, input_shape):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3, 32, 1) for _ in range(4))
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x):
        x = self.norm(x)
        features = {f"p{i}": conv(F.avg_pool2d(x, 2**i)) for i, conv in enumerate(self.convs, 2)}
        return {**features, "tap": x}

    def output_shape(self):
        shapes = {f"p{i}": ShapeSpec(channels=32, stride=2**i) for i in range(2, 6)}
        return {**shapes, "tap": ShapeSpec(channels=3, stride=1)}


class RecordingHead(nn.Module):
    """Stands in for an embedding head and remembers what it is called with."""

    def __init__(self, reads="masks"):
        super().__init__()
        self.reads = reads
        self.scale = nn.Parameter(torch.ones(()))

    def losses(self, features, instances, padded_size):
        self.calls = {"features": features, "instances": instances, "padded_size": padded_size}
        return {"loss_embed_center": self.scale * features["p3"].mean()}

    def embed(self, features, instances, padded_size):
        self.calls = {"features": features, "instances": instances}
        return [torch.arange(len(x)).float()[:, None].expand(-1, 5) for x in instances]


def small_cfg():
    cfg = parity.base_cfg()
    cfg.MODEL.BACKBONE.NAME = "AveragePyramid"
    solo = cfg.MODEL.SOLO
    solo.NUM_CLASSES = 4
    solo.IN_FEATURES = ["p2", "p3", "p4", "p5"]
    solo.STRIDES = [8, 8, 16, 32]
    solo.NUM_GRIDS = [20, 16, 12, 8]
    solo.SCALE_RANGES = [[1, 48], [24, 96], [48, 192], [96, 512]]
    solo.NUM_CONVS = 2
    solo.CONV_DIM = 32
    solo.NUM_GROUPS = 8
    return cfg


def build(embedding: bool = False, frozen: tuple = (), **solo_keys) -> SOLO:
    cfg = small_cfg()
    cfg.MODEL.FREEZE = list(frozen)
    for key, value in solo_keys.items():
        cfg.MODEL.SOLO[key] = value
    arguments = SOLO.from_config(cfg)
    if embedding:
        arguments["embedding_head"] = RecordingHead()
    return SOLO(**arguments)


def dataset_dict(count: int, height: int = 90, width: int = 150, seed: int = 0) -> dict:
    generator = np.random.default_rng(seed)
    masks = np.zeros((count, height, width), dtype=bool)
    boxes = np.zeros((count, 4), dtype=np.float32)
    for mask, box in zip(masks, boxes):
        y0, x0 = generator.integers(0, height - 20), generator.integers(0, width - 20)
        y1, x1 = min(y0 + generator.integers(8, 80), height), min(x0 + generator.integers(8, 120), width)
        mask[y0:y1, x0:x1] = True
        box[:] = x0, y0, x1, y1
    return {
        "image": torch.from_numpy(generator.integers(0, 256, (3, height, width), dtype=np.uint8)),
        "height": 2 * height,
        "width": 3 * width,
        "instances": Instances(
            (height, width),
            gt_boxes=Boxes(torch.from_numpy(boxes)),
            gt_classes=torch.from_numpy(generator.integers(0, 4, count)),
            gt_masks=BitMasks(torch.from_numpy(masks)),
        ),
    }


def make_confident(model: SOLO) -> None:
    """Category scores above the threshold and masks that are neither empty nor full."""
    with torch.no_grad():
        model.head.category_output.bias.fill_(0.5)
        model.head.category_output.weight.mul_(30)
        for conv in model.head.mask_outputs:
            conv.bias.zero_()
            conv.weight.mul_(30)


def assert_gradients(model: SOLO, losses: dict[str, torch.Tensor]) -> None:
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("counts", [(3, 0, 5), (0, 0), (1,)])
def test_every_parameter_has_a_finite_gradient(counts):
    """Also of batches without instances, and on levels without: DistributedDataParallel waits for all gradients."""
    model = build().train()
    losses = model([dataset_dict(n, seed=i) for i, n in enumerate(counts)])
    assert set(losses) == {"loss_category", "loss_mask"}
    assert all(x.isfinite() for x in losses.values())
    assert (losses["loss_mask"] == 0) == (sum(counts) == 0)
    assert_gradients(model, losses)


def test_2000_instances():
    model = build().train()
    losses = model([dataset_dict(2000), dataset_dict(0)])
    assert losses["loss_mask"] > 0
    assert_gradients(model, losses)


def test_training_reduces_the_losses():
    model = build().train()
    batch = [dataset_dict(4), dataset_dict(3, seed=1)]
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    history = []
    for _ in range(25):
        losses = model(batch)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        history.append({name: x.item() for name, x in losses.items()})
    assert history[-1]["loss_category"] < 0.7 * history[0]["loss_category"]
    assert history[-1]["loss_mask"] < 0.8 * history[0]["loss_mask"]


def test_levels_of_one_feature_and_stride_share_their_input():
    model = build(IN_FEATURES=["p3", "p3", "p4", "p5"])
    features = model.backbone(torch.rand(1, 3, 96, 160))
    inputs = model.level_inputs(features, (96, 160))
    assert inputs[0] is inputs[1]
    assert inputs[0] is features["p3"]


def test_features_are_resized_to_the_stride_of_their_level():
    model = build(IN_FEATURES=["p2", "p3", "p3", "p4"])
    features = model.backbone(torch.rand(1, 3, 96, 160))
    inputs = model.level_inputs(features, (96, 160))
    assert [tuple(x.shape[2:]) for x in inputs] == [(12, 20), (12, 20), (6, 10), (3, 5)]
    assert torch.allclose(inputs[0], F.avg_pool2d(features["p2"], 2), atol=1e-6)


def test_two_levels_are_enough():
    model = build(IN_FEATURES=["p3", "p5"], STRIDES=[8, 32], NUM_GRIDS=[9, 5], SCALE_RANGES=[[1, 60], [40, 512]])
    sum(model.train()([dataset_dict(5)]).values()).backward()
    assert all(p.grad is not None for p in model.head.parameters())
    make_confident(model)
    instances = model.eval()([dataset_dict(0)])[0]["instances"]
    assert len(instances) > 0


@torch.no_grad()
def test_output():
    model = build().eval()
    make_confident(model)
    records = [dataset_dict(0), dataset_dict(0, 64, 100, seed=1)]
    del records[1]["height"], records[1]["width"]
    results = [x["instances"] for x in model(records)]
    assert [x.image_size for x in results] == [(180, 450), (64, 100)]
    for x in results:
        assert 0 < len(x) <= 100
        assert x.pred_masks.dtype == torch.bool and x.pred_masks.shape == (len(x), *x.image_size)
        assert x.grid_cells.dtype == torch.int64 and x.grid_cells.shape == (len(x), 3)
        assert (x.grid_cells[:, 1:] < torch.tensor(model.head.num_grids)[x.grid_cells[:, :1]]).all()
        assert (x.scores.diff() <= 0).all() and (x.scores >= 0.05).all()
        assert x.pred_boxes.tensor.shape == (len(x), 4)
        assert not x.has("embeddings")


@torch.no_grad()
def test_no_detection():
    instances = build(embedding=True).eval()([dataset_dict(0)])[0]["instances"]  # initial scores are 0.01
    assert len(instances) == 0
    assert instances.pred_masks.shape == (0, 180, 450)
    assert instances.embeddings.shape == (0, 5)


@torch.no_grad()
def test_filters_run_only_for_candidates():
    """The mask tower skips levels and images without a candidate."""
    model = build().eval()
    logits = [torch.full((2, 4, side, side), -9.0) for side in model.head.num_grids]
    logits[2][1, 2, 3, 4] = 2.0
    model.head.category_logits = lambda inputs: logits
    for conv in model.head.mask_outputs:
        conv.bias.fill_(1.0)
    rows = []
    model.head.mask_tower.register_forward_pre_hook(lambda _, args: rows.append(tuple(args[0].shape)))
    first, second = (x["instances"] for x in model([dataset_dict(0), dataset_dict(0)]))
    assert len(first) == 0
    assert second.grid_cells.tolist() == [[2, 3, 4]]
    assert second.pred_classes.tolist() == [2]
    assert rows == [(1, 32, 6, 10)]


def test_embedding_head_in_training():
    model = build(embedding=True).train()
    records = [dataset_dict(3), dataset_dict(0, 64, 160, seed=1), dataset_dict(4, seed=2)]
    records[0]["instances"].gt_ids = torch.tensor([7, 7, 9])
    losses = model(records)
    assert set(losses) == {"loss_category", "loss_mask", "loss_embed_center"}
    assert_gradients(model, losses)

    calls = model.embedding_head.calls
    assert set(calls["features"]) == {"p2", "p3", "p4", "p5", "tap"} and calls["padded_size"] == (96, 160)
    assert calls["features"]["p3"].requires_grad  # whether it flows on is the head's decision
    padded = [x.gt_masks for x in calls["instances"]]
    assert [tuple(m.shape) for m in padded] == [(3, 96, 160), (0, 96, 160), (4, 96, 160)]
    for of_image, record in zip(padded, records):
        masks = bit_masks(record["instances"])
        assert torch.equal(of_image[:, : masks.shape[1], : masks.shape[2]], masks)
        assert of_image.sum() == masks.sum()
    ids = [x.gt_ids for x in calls["instances"]]
    assert ids[0].tolist() == [7, 7, 9]
    assert len(set(torch.cat(ids).tolist())) == 2 + 4  # unnamed instances are their own identities
    assert [x.gt_index.tolist() for x in calls["instances"]] == [[0, 1, 2], [], [0, 1, 2, 3]]


def test_a_head_that_reads_cells_gets_the_positives():
    model = build(embedding=True).train()
    model.embedding_head = RecordingHead("cells")
    records = [dataset_dict(3), dataset_dict(0, 64, 160, seed=1), dataset_dict(4, seed=2)]
    records[0]["instances"].gt_ids = torch.tensor([7, 7, 9])
    model(records)
    places = model.embedding_head.calls["instances"]
    expected = model.assign_targets([x["instances"] for x in records], (96, 160))
    given = [
        torch.cat([torch.full_like(x.gt_index, i)[:, None], x.grid_cells, x.gt_index[:, None]], dim=1)
        for i, x in enumerate(places)
    ]
    assert torch.equal(torch.cat(given), expected.positives)
    assert len(expected.positives) > 0
    assert torch.equal(places[0].gt_ids, torch.tensor([7, 7, 9])[places[0].gt_index])
    again = model.locate_ground_truth(model.embedding_head, [x["instances"] for x in records], (96, 160))
    for x, y in zip(places, again):
        assert torch.equal(x.grid_cells, y.grid_cells) and torch.equal(x.gt_index, y.gt_index)


@pytest.mark.parametrize("is_training", [True, False])
def test_the_embedding_head_reads_the_inputs_of_the_other_heads(is_training):
    """p2 and p5 come at the strides of their levels; what SOLO does not read comes as it is."""
    model = build(embedding=True, STRIDES=[8, 8, 16, 16]).train(is_training)
    record = dataset_dict(2)
    model([record])
    seen = model.embedding_head.calls["features"]
    with torch.set_grad_enabled(is_training):
        raw = model.backbone(model.preprocess_image([record]).tensor)
    for name, x in zip(model.level_inputs.in_features, model.level_inputs(raw, (96, 160))):
        assert torch.equal(seen[name], x), name
    assert [tuple(seen[f"p{level}"].shape[2:]) for level in range(2, 6)] == [(12, 20), (12, 20), (6, 10), (6, 10)]
    assert torch.equal(seen["tap"], raw["tap"])
    again, _ = model.extract_features([record["image"]])
    assert all(torch.equal(again[name], x) for name, x in seen.items())


def test_a_feature_of_two_strides_is_embedded_at_the_finer():
    model = build(embedding=True, IN_FEATURES=["p2", "p2", "p4", "p5"], STRIDES=[8, 16, 16, 32]).train()
    model([dataset_dict(2)])
    assert model.embedding_head.calls["features"]["p2"].shape[2:] == (12, 20)


@torch.no_grad()
def test_embedding_head_at_test_time():
    model = build(embedding=True).eval()
    make_confident(model)
    results = [x["instances"] for x in model([dataset_dict(0), dataset_dict(0, 64, 100, seed=1)])]
    calls = model.embedding_head.calls
    for instances, read in zip(results, calls["instances"]):
        masks = read.pred_masks
        assert masks.dtype == torch.bool and masks.shape == (len(instances), 24, 40) and read.image_size == (96, 160)
        assert torch.equal(read.grid_cells, instances.grid_cells)
        assert instances.embeddings[:, 0].tolist() == list(range(len(instances)))
    # The first image fills the frame but for the padding: its masks at stride 4 are those of the output.
    instances, masks = results[0], calls["instances"][0].pred_masks
    small = F.interpolate(instances.pred_masks[:, None].float(), size=(22, 37), mode="area")[:, 0] > 0.5
    agreement = (small == masks[:, :22, :37]).float().mean()
    assert agreement > 0.95


def test_frozen_detector():
    model = build(embedding=True, frozen=["detector"]).train()
    before = {name: x.clone() for name, x in model.state_dict().items()}
    losses = model([dataset_dict(3)])
    assert set(losses) == {"loss_embed_center"}
    sum(losses.values()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is not None] == ["embedding_head.scale"]
    assert not model.embedding_head.calls["features"]["p3"].requires_grad
    assert len(model.embedding_head.calls["instances"][0]) == 3
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["embedding_head.scale"]
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())  # BatchNorm's statistics, too
    assert model.embedding_head.training


def test_bfloat16_autocast():
    model = build().train()
    batch = [dataset_dict(4), dataset_dict(0, seed=1)]
    exact = model(batch)
    with torch.autocast("cpu", torch.bfloat16):
        losses = model(batch)
    for name, loss in losses.items():
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(exact[name].item(), rel=0.02)
    assert_gradients(model, losses)

    make_confident(model)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        instances = model.eval()(batch)[0]["instances"]
    assert len(instances) > 0
    assert instances.scores.dtype == torch.float32


def test_polygons_train_like_their_bitmasks():
    record = dataset_dict(3)
    instances = record["instances"]
    polygons = [
        [np.array([x0, y0, x1, y0, x1, y1, x0, y1], dtype=np.float64)]
        for x0, y0, x1, y1 in instances.gt_boxes.tensor.tolist()
    ]
    model = build().train()
    expected = model([record])
    instances.gt_masks = PolygonMasks(polygons)
    for name, loss in model([record]).items():
        assert loss.item() == pytest.approx(expected[name].item(), rel=0.02)


def test_built_from_the_registry():
    cfg = small_cfg()
    model = build_model(cfg)
    assert isinstance(model, SOLO)
    assert model.embedding_head is None
    assert model.size_divisibility == 32
    assert not any("embedding" in name for name in model.state_dict())


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"STRIDES": [8, 8, 16]}, "3 STRIDES"),
        ({"STRIDES": [8, 16, 8, 32]}, "from fine to coarse"),
        ({"STRIDES": [3, 8, 16, 32]}, "even STRIDES"),
        ({"IN_FEATURES": ["p2", "p3", "p4", "p9"]}, "p9"),
        ({"IN_FEATURES": ["p2", "p3", "p4", "tap"]}, "number of channels"),
        ({"frozen": ["detector"]}, "nothing to train"),
    ],
)
def test_wrong_configurations(keys, message):
    with pytest.raises(ValueError, match=message):
        build(**keys)


def test_training_without_annotations():
    record = dataset_dict(1)
    del record["instances"]
    with pytest.raises(ValueError, match="instances"):
        build().train()([record])
