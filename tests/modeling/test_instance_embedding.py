"""Embedding heads: both read-outs against plain loops, weight sharing, losses and degenerate batches."""

import itertools

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.layers import ShapeSpec
from detectron2.structures import Boxes, Instances
from torch.nn import functional as F

from ictrack.config import add_ictrack_config
from ictrack.losses.instance_contrastive import instance_contrastive_loss
from ictrack.modeling.embedding import (
    InstanceEmbeddingHead,
    PooledFeatures,
    build_embedding_head,
    instance_ids,
    pad_instances,
)
from ictrack.modeling.embedding.readout import box_masks, cell_readout, mask_readout

LEVELS = {"p3": ShapeSpec(channels=8, stride=8), "p4": ShapeSpec(channels=8, stride=16)}
TAPS = {"res2": ShapeSpec(channels=3, stride=4), "res3": ShapeSpec(channels=5, stride=8)}
GRIDS = [6, 4]
SIZE = (32, 48)  # of the padded input


def random_features(shapes, batch=2, requires_grad=False):
    return {
        name: torch.randn(batch, s.channels, SIZE[0] // s.stride, SIZE[1] // s.stride, requires_grad=requires_grad)
        for name, s in shapes.items()
    }


def random_masks(counts):
    """Rectangles of at least one pixel."""
    masks = []
    for n in counts:
        image = torch.zeros(n, *SIZE, dtype=torch.bool)
        for mask in image:
            y, x = torch.randint(SIZE[0] - 1, ()), torch.randint(SIZE[1] - 1, ())
            mask[y : y + torch.randint(1, 16, ()), x : x + torch.randint(1, 16, ())] = True
        masks.append(image)
    return masks


def with_masks(masks, ids=None):
    """Instances on the padded input."""
    instances = [Instances(SIZE, gt_masks=m) for m in masks]
    for x, image_ids in zip(instances, ids or []):
        x.gt_ids = image_ids
    return instances


def with_cells(positives, ids):
    """Instances of positives (image, level, row, column, index of the object) with the ids of each image's objects."""
    instances = []
    for image, image_ids in enumerate(ids):
        rows = positives[positives[:, 0] == image]
        instances.append(Instances(SIZE, grid_cells=rows[:, 1:4], gt_ids=image_ids[rows[:, 4]], gt_index=rows[:, 4]))
    return instances


def head(shapes=LEVELS, **options):
    options = {"num_convs": 1, "conv_dim": 8, "num_groups": 2, "dim": 6, "detector_grids": GRIDS, **options}
    return InstanceEmbeddingHead(in_features=list(shapes), input_shape=shapes, **options)


def linear_mask_head(shapes, **options):
    return head(shapes, num_convs=0, readout="mask", **options)


@pytest.mark.parametrize("side", [0, 4, 9])
def test_cell_readout_is_the_cell_that_holds_the_center(side):
    sides = [side or grid for grid in GRIDS]
    maps = [torch.randn(3, 2, s, s) for s in sides]
    cells, expected = [], []
    for b, (level, grid) in itertools.product(range(3), enumerate(GRIDS)):
        for i, j in itertools.product(range(grid), repeat=2):
            row, column = (int((index + 0.5) / grid * sides[level]) for index in (i, j))
            cells.append([b, level, i, j])
            expected.append(maps[level][b, :, row, column])
    torch.testing.assert_close(cell_readout(maps, torch.tensor(cells), GRIDS), torch.stack(expected))


def test_mask_readout_is_the_mean_inside_the_mask():
    """On masks made of whole cells of the coarsest map the soft weights are exactly 0 and 1."""
    fine, coarse = torch.randn(2, 3, 16, 24), torch.randn(2, 5, 8, 12)
    cells = torch.rand(4, 8, 12) < 0.3
    masks = F.interpolate(cells[None].float(), size=SIZE, mode="nearest")[0].bool()
    pooled_fine, pooled_coarse = mask_readout([fine, coarse], [masks[:1], masks[1:]])
    for n, image in enumerate([0, 1, 1, 1]):
        torch.testing.assert_close(pooled_coarse[n], coarse[image][:, cells[n]].mean(dim=1))
        on_fine = cells[n].repeat_interleave(2, 0).repeat_interleave(2, 1)
        torch.testing.assert_close(pooled_fine[n], fine[image][:, on_fine].mean(dim=1))


def test_one_pixel_reads_its_cell_and_an_empty_mask_reads_zero():
    feature = torch.randn(1, 3, 2, 3)
    masks = torch.zeros(2, *SIZE, dtype=torch.bool)
    masks[0, 17, 47] = True
    (pooled,) = mask_readout([feature], [masks])
    torch.testing.assert_close(pooled[0], feature[0, :, 1, 2])
    assert (pooled[1] == 0).all()


def test_mask_readout_is_float32_under_autocast():
    feature = torch.randn(1, 3, 8, 12)
    masks = random_masks([3])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (lower,) = mask_readout([feature], masks)
    assert torch.equal(lower, mask_readout([feature], masks)[0])


def test_many_masks_are_read_in_blocks():
    feature = torch.randn(1, 3, 8, 12)
    masks = random_masks([40])
    (pooled,) = mask_readout([feature], masks)
    one_by_one = torch.cat([mask_readout([feature], [m[None]])[0] for m in masks[0]])
    torch.testing.assert_close(pooled, one_by_one)


def test_box_masks_are_the_covered_shares():
    boxes = torch.tensor([[8.0, 4.0, 24.0, 12.0], [9.0, 9.0, 10.0, 11.0], [5.0, 5.0, 5.0, 9.0]])
    masks = box_masks(boxes, image_size=SIZE, size=(8, 12))  # cells of 4 x 4 pixels
    expected = torch.zeros(3, 8, 12)
    expected[0, 1:3, 2:6] = 1
    expected[1, 2, 2] = 2 / 16
    torch.testing.assert_close(masks, expected)


@pytest.mark.parametrize("shapes", [LEVELS, TAPS])
def test_linear_head_is_linear_in_the_concatenated_means(shapes):
    """Pooling before the projection equals projecting the maps and pooling those."""
    module = linear_mask_head(shapes)
    for branch in module.branches:
        torch.nn.init.normal_(branch[-1].bias)
    features, masks = random_features(shapes), random_masks([3, 2])
    embeddings = torch.cat(module.embed(features, with_masks(masks), SIZE))
    pooled_maps = torch.stack(mask_readout(module(features), masks)).mean(dim=0)
    torch.testing.assert_close(embeddings, pooled_maps)
    assert len(module.branches) == (1 if shapes is LEVELS else 2)


def test_tower_of_the_paper():
    module = InstanceEmbeddingHead(in_features=["p3"], input_shape={"p3": ShapeSpec(channels=256)}, detector_grids=[40])
    (branch,) = module.branches
    assert [type(layer).__name__ for layer in branch] == ["Conv2d", "GroupNorm", "ReLU"] * 4 + ["Conv2d"]
    assert all(c.kernel_size == (3, 3) and c.padding == (1, 1) for c in branch if isinstance(c, torch.nn.Conv2d))
    assert all(g.num_groups == 32 for g in branch if isinstance(g, torch.nn.GroupNorm))
    assert branch[-1].out_channels == 128


@pytest.mark.parametrize("grid_size", [0, 5])
def test_maps_of_the_cell_readout_have_the_grids(grid_size):
    module = head(grid_size=grid_size)
    features = random_features(LEVELS)
    maps = module(features)
    assert [m.shape for m in maps] == [(2, 6, grid_size or grid, grid_size or grid) for grid in GRIDS]
    # The maps are those that a shared branch gives on the resized features.
    resized = F.interpolate(features["p4"], size=maps[1].shape[-2:], mode="bilinear", align_corners=False)
    torch.testing.assert_close(maps[1], module.branches[0](resized))


def test_cell_losses_pool_positives_of_an_identity_over_levels_and_images():
    module = head(loss_weight=2.0, contrastive_weight=3.0, entropy_weight=0.5)
    features = random_features(LEVELS)
    positives = torch.tensor([[0, 0, 1, 2, 1], [0, 1, 0, 3, 1], [0, 0, 5, 5, 0], [1, 0, 2, 2, 0], [1, 1, 3, 3, 2]])
    ids = [torch.tensor([70, 50]), torch.tensor([50, 80, 90])]  # 80 has no positive
    losses = module.losses(features, with_cells(positives, ids), SIZE)
    maps = module(features)
    rows = torch.stack([maps[level][b, :, i, j] for b, level, i, j, _ in positives.tolist()])
    expected = instance_contrastive_loss(rows, torch.tensor([50, 50, 70, 50, 90]))
    torch.testing.assert_close(losses["loss_embed_center"], 2 * expected.center)
    torch.testing.assert_close(losses["loss_embed_contrast"], 6 * expected.contrastive)
    torch.testing.assert_close(losses["loss_embed_entropy"], 1 * expected.entropy)


def test_mask_losses_use_two_views_and_leave_out_empty_masks():
    module = linear_mask_head(TAPS, normalize=True, temperature=0.1)
    features, masks = random_features(TAPS), random_masks([3, 2])
    masks[0][1] = False
    ids = [torch.tensor([4, 5, 6]), torch.tensor([6, 4])]
    losses = module.losses(features, with_masks(masks, ids), SIZE)
    embeddings = torch.cat(module.embed(features, with_masks(masks), SIZE))[[0, 2, 3, 4]]
    expected = instance_contrastive_loss(embeddings, torch.tensor([4, 6, 6, 4]), normalize=True, temperature=0.1)
    torch.testing.assert_close(losses["loss_embed_contrast"], expected.contrastive)
    torch.testing.assert_close(losses["loss_embed_center"], expected.center)
    assert expected.center > 0


@pytest.mark.parametrize("readout", ["cell", "mask"])
@pytest.mark.parametrize("num_convs", [0, 2])
@pytest.mark.parametrize("shapes", [LEVELS, TAPS])
def test_a_batch_without_instances_has_zero_losses_and_gradients_everywhere(readout, num_convs, shapes):
    module = head(shapes, readout=readout, num_convs=num_convs)
    none = [torch.zeros(0, dtype=torch.long)] * 2
    nothing = with_cells(torch.zeros(0, 5, dtype=torch.long), none)
    instances = nothing if readout == "cell" else with_masks(random_masks([0, 0]), none)
    losses = module.losses(random_features(shapes), instances, SIZE)
    total = sum(losses.values())
    assert total == 0
    total.backward()
    assert all(p.grad is not None and (p.grad == 0).all() for p in module.parameters())


@pytest.mark.parametrize("readout", ["cell", "mask"])
@pytest.mark.parametrize("num_convs", [0, 1])
@pytest.mark.parametrize("backprop", [True, False])
def test_gradient_reaches_the_features_only_if_asked(readout, num_convs, backprop):
    module = head(readout=readout, num_convs=num_convs, backprop_to_features=backprop)
    features = random_features(LEVELS, requires_grad=True)
    positives = torch.tensor([[b, level, k, k, k] for b in range(2) for level in range(2) for k in range(3)])
    ids = [torch.arange(3), torch.arange(3)]
    instances = with_cells(positives, ids) if readout == "cell" else with_masks(random_masks([3, 3]), ids)
    losses = module.losses(features, instances, SIZE)
    sum(losses.values()).backward()
    assert all((f.grad is not None) == backprop for f in features.values())
    assert all(p.grad.abs().sum() > 0 for branch in module.branches for p in [branch[-1].weight])


@pytest.mark.parametrize("num_convs", [0, 1])
def test_embed_keeps_images_apart(num_convs):
    features, masks = random_features(LEVELS, batch=3), random_masks([2, 0, 3])
    cells = [torch.tensor([[0, 5, 5], [1, 3, 0]]), torch.zeros(0, 3, dtype=torch.long), torch.tensor([[1, 0, 0]] * 3)]
    for readout in ("cell", "mask"):
        module = head(readout=readout, num_convs=num_convs)
        instances = [Instances(SIZE, pred_masks=m, grid_cells=c) for m, c in zip(masks, cells)]
        embeddings = module.embed(features, instances, SIZE)
        assert [e.shape for e in embeddings] == [(2, 6), (0, 6), (3, 6)]
        for b in range(3):
            alone = module.embed({f: x[b : b + 1] for f, x in features.items()}, instances[b : b + 1], SIZE)
            torch.testing.assert_close(embeddings[b], alone[0])


def test_training_separates_two_look_alikes():
    """Two instances whose features differ in one weak channel under a strong common signal."""
    torch.manual_seed(1)
    features = {"res2": torch.zeros(2, 3, 8, 12), "res3": torch.zeros(2, 5, 4, 6)}
    masks = [torch.zeros(2, *SIZE, dtype=torch.bool) for _ in range(2)]
    for b in range(2):
        masks[b][0, :, :24], masks[b][1, :, 24:] = True, True
        for feature in features.values():
            feature[b] = 3.0
            feature[b, 0, :, feature.shape[-1] // 2 :] = 2.5
    module = linear_mask_head(TAPS, normalize=True, temperature=0.1)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    ids = [torch.tensor([0, 1])] * 2
    instances = with_masks(masks, ids)
    before = F.cosine_similarity(*module.embed(features, instances, SIZE)[0], dim=0)
    for _ in range(200):
        optimizer.zero_grad()
        sum(module.losses(features, instances, SIZE).values()).backward()
        optimizer.step()
    (first, second), (first_view, _) = module.embed(features, instances, SIZE)
    assert before > 0.9
    assert F.cosine_similarity(first, second, dim=0) < 0
    assert F.cosine_similarity(first, first_view, dim=0) > 0.99


@pytest.mark.parametrize("num_instances", [2000])
def test_thousands_of_instances(num_instances):
    features = random_features(LEVELS, batch=1, requires_grad=True)
    positives = torch.zeros(num_instances, 5, dtype=torch.long)
    positives[:, 4] = torch.arange(num_instances)
    losses = head().losses(features, with_cells(positives, [torch.arange(num_instances)]), SIZE)
    sum(losses.values()).backward()
    assert all(v.isfinite() for v in losses.values())


def test_pooled_features_are_concatenated_means_and_learn_nothing():
    module = PooledFeatures(in_features=["res2", "res3"])
    features, masks = random_features(TAPS), random_masks([2, 1])
    embeddings = module.embed(features, with_masks(masks), SIZE)
    assert [e.shape for e in embeddings] == [(2, 8), (1, 8)]
    torch.testing.assert_close(torch.cat(embeddings)[:, :3], mask_readout([features["res2"]], masks)[0])
    assert module.losses(features, with_masks(masks), SIZE) == {}
    assert list(module.parameters()) == []
    read, rows = module.read(features, with_masks(masks), SIZE)
    torch.testing.assert_close(read, torch.cat(embeddings))
    assert rows.tolist() == [[0, 0], [0, 1], [1, 0]]
    fine, coarse = module.dense_maps(features)
    assert fine.shape == (2, 8, *features["res2"].shape[-2:]) and coarse.shape == (2, 8, *features["res3"].shape[-2:])
    torch.testing.assert_close(fine[:, :3], features["res2"])


def test_instance_ids():
    def image(n, ids=None):
        instances = Instances((8, 8), gt_classes=torch.zeros(n, dtype=torch.long))
        if ids is not None:
            instances.gt_ids = torch.tensor(ids)
        return instances

    named, first, empty, second = instance_ids([image(2, [7, 3]), image(2), image(0), image(3)])
    assert named.tolist() == [7, 3]
    assert empty.tolist() == []
    unnamed = first.tolist() + second.tolist()
    assert len(set(unnamed)) == 5
    assert max(unnamed) < 0


def config(**keys):
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.MODEL.EMBEDDING.NAME = "InstanceEmbeddingHead"
    for key, value in keys.items():
        cfg.MODEL.EMBEDDING[key] = value
    return cfg


def test_build_from_config():
    solo_levels = {f"p{i}": ShapeSpec(channels=256, stride=2**i) for i in range(2, 7)}
    cfg = config(BACKPROP_TO_FEATURES=False, GRID_SIZE=40)
    module = build_embedding_head(cfg, {**TAPS, **solo_levels}, cfg.MODEL.SOLO.IN_FEATURES)
    assert module.in_features == cfg.MODEL.SOLO.IN_FEATURES
    assert module.grid_sizes == [40] * 5
    assert not module.backprop_to_features
    assert module.branches[0][-1].out_channels == 128

    cfg = config(READOUT="mask", NUM_CONVS=0, IN_FEATURES=["res2", "res3"], DIM=32)
    module = build_embedding_head(cfg, {**TAPS, **solo_levels})
    assert [branch[0].weight.shape[:2] for branch in module.branches] == [(32, 3), (32, 5)]
    assert build_embedding_head(config(NAME=""), TAPS) is None
    assert build_embedding_head(config(NAME="PooledFeatures"), TAPS).in_features == ["res2", "res3"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"READOUT": "box"}, "READOUT"),
        ({"READOUT": "mask", "IN_FEATURES": ["p9"]}, "p9"),
        ({"READOUT": "cell", "IN_FEATURES": ["res2"]}, "5 grids"),
    ],
)
def test_bad_configurations_name_the_key(keys, message):
    with pytest.raises(ValueError, match=message):
        build_embedding_head(config(**keys), TAPS)


def test_missing_cells_are_refused():
    module, features = head(), random_features(LEVELS)
    instances = with_masks(random_masks([1, 1]), [torch.arange(1)] * 2)
    with pytest.raises(ValueError, match="a detector with a grid"):
        module.embed(features, instances, SIZE)
    with pytest.raises(ValueError, match="a detector with a grid"):
        module.losses(features, instances, SIZE)


def test_averaged_features_embed_as_masks_do():
    features, masks = random_features(TAPS), random_masks([3, 1])
    ids = [torch.tensor([1, 2, 3]), torch.tensor([3])]
    pooled = torch.cat(mask_readout(list(features.values()), masks), dim=1).split([3, 1])
    averaged = [Instances((1, 1), pooled_features=x, gt_ids=i) for x, i in zip(pooled, ids)]
    module = linear_mask_head(TAPS, normalize=True)
    for actual, expected in zip(module.embed({}, averaged, (1, 1)), module.embed(features, with_masks(masks), SIZE)):
        torch.testing.assert_close(actual, expected)
    losses, expected = module.losses({}, averaged, (1, 1)), module.losses(features, with_masks(masks, ids), SIZE)
    torch.testing.assert_close(losses, expected)
    with pytest.raises(ValueError, match="linear"):
        head(TAPS, readout="mask").embed({}, averaged, (1, 1))


def test_padding_changes_masks_alone():
    """30 x 44 pixels of 60 x 88 on a padded input of 64 x 96 pixels."""
    masks = torch.ones(2, 30, 44, dtype=torch.bool)
    boxes = Boxes(torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]]))
    padded = pad_instances(Instances((30, 44), pred_masks=masks, pred_boxes=boxes), (64, 96), (60, 88))
    assert padded.image_size == (32, 48) and padded.pred_boxes is boxes
    assert padded.pred_masks[:, :30, :44].all() and padded.pred_masks.sum() == masks.sum()
