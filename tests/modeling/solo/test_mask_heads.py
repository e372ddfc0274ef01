"""Every kind of mask branch in the whole model: training, embeddings, tracking, wrong configurations."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from detectron2.config import CfgNode
from detectron2.modeling import build_model
from detectron2.structures import BitMasks
from tiny_video_model import SIZE, labeled, solo_config, use_cells

from ictrack.engine.setup import load_config
from ictrack.tracking import EmbeddingTracker

KINDS = ("grid", "decoupled", "decoupled_light", "dynamic")
CONFIGS = Path(__file__).parents[3] / "configs" / "SOLO"


def small_cfg(kind: str) -> CfgNode:
    cfg = solo_config(ENABLED=False)
    cfg.MODEL.SOLO.MASK_HEAD = kind
    cfg.MODEL.SOLO.MASK_FEATURES.CONV_DIM = cfg.MODEL.SOLO.MASK_FEATURES.OUT_CHANNELS = 8
    return cfg


@torch.no_grad()
def make_confident(model: torch.nn.Module) -> None:
    """Candidates everywhere, with masks that are neither empty nor full."""
    model.head.category_output.bias.zero_()
    model.head.category_output.weight.mul_(30)
    for name, parameter in model.head.named_parameters():
        if "mask_outputs" in name or "kernel_output" in name:
            parameter.mul_(0 if name.endswith("bias") else 100)


def nothing() -> dict:
    record = labeled()
    return {**record, "instances": record["instances"][:0]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("records", [[labeled(), nothing()], [nothing()]], ids=["some", "none"])
@pytest.mark.parametrize("read_out", [lambda cfg: cfg, use_cells], ids=["mask", "cell"])
def test_every_parameter_of_the_detector_has_a_finite_gradient(kind, records, read_out):
    torch.manual_seed(0)
    model = build_model(read_out(small_cfg(kind))).train()
    losses = model(records)
    assert {"loss_category", "loss_mask", "loss_embed_center"} <= set(losses)
    sum(losses.values()).backward()
    for name, parameter in model.head.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("kind", KINDS)
def test_training_reduces_the_mask_loss(kind):
    torch.manual_seed(0)
    cfg = small_cfg(kind)
    cfg.MODEL.SOLO.INIT_STD = 0.0
    model = build_model(cfg).train()
    batch = [labeled()]
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    history = []
    for _ in range(15):
        losses = model(batch)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        history.append(losses["loss_mask"].item())
    assert history[-1] < 0.8 * history[0]


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_detections_have_embeddings_and_are_tracked(kind):
    torch.manual_seed(0)
    cfg = small_cfg(kind)
    model = build_model(cfg).eval()
    make_confident(model)
    tracker = EmbeddingTracker(cfg)
    record = {**labeled(), "height": 80, "width": 120}
    ids = []
    for _ in range(2):
        found = model([record])[0]["instances"]
        assert 0 < len(found) <= 100
        assert found.pred_masks.shape == (len(found), 80, 120) and found.pred_masks.any()
        assert found.embeddings.shape == (len(found), 8)
        assert (found.grid_cells[:, 1:] < torch.tensor(model.head.num_grids)[found.grid_cells[:, :1]]).all()
        ids.append(tracker.update(found).ID)
    assert len(ids[0]) == len(ids[1])


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_maps_of_some_images_are_those_of_the_batch(kind):
    """Masks of an image do not depend on which other images and levels have cells."""
    torch.manual_seed(0)
    model = build_model(small_cfg(kind)).eval()
    make_confident(model)
    outputs = model.forward_features(torch.rand(3, 3, *SIZE))
    levels = len(model.head.num_grids)
    everything = model.head.mask_maps(outputs.features, outputs.inputs, [[0, 1, 2]] * levels)
    some = model.head.mask_maps(outputs.features, outputs.inputs, [[], [1], [], [0, 2]])
    assert [len(x) for x in some] == [0, 1, 0, 2]
    assert not any(model.head.mask_maps(outputs.features, outputs.inputs, [[]] * levels))
    cells = torch.tensor([0, 8, 3])
    for level, row, image in ((1, 0, 1), (3, 0, 0), (3, 1, 2)):
        expected = model.head.mask_probabilities(level, [everything[level][image]], [cells])
        actual = model.head.mask_probabilities(level, [some[level][row]], [cells])
        stride = model.head.mask_strides[level]
        assert actual.shape == (3, SIZE[0] // stride, SIZE[1] // stride)
        torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_masks_of_an_image_are_those_of_its_levels(kind):
    """In any order of the cells, also where a level has none."""
    torch.manual_seed(0)
    model = build_model(small_cfg(kind)).eval()
    make_confident(model)
    outputs = model.forward_features(torch.randn(1, 3, *SIZE))
    wanted = [0, 2]
    maps = model.head.mask_maps(
        outputs.features, outputs.inputs, [[0] if i in wanted else [] for i in range(len(outputs.inputs))]
    )
    maps = {level: maps[level][0] for level in wanted}
    level, cells = torch.tensor([2, 0, 2, 0]), torch.tensor([0, 1, 3, 0])
    size = (SIZE[0] // 4, SIZE[1] // 4)
    masks = model.head.image_probabilities(maps, level, cells, size)
    for mask, i, cell in zip(masks, level.tolist(), cells):
        alone = model.head.mask_probabilities(i, [maps[i]], [cell[None]], size)[0]
        torch.testing.assert_close(mask, alone, rtol=0, atol=1e-5)
    assert model.head.image_probabilities({}, level[:0], cells[:0], size).shape == (0, *size)


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_autocast(kind):
    torch.manual_seed(0)
    model = build_model(small_cfg(kind)).train()
    exact = model([labeled()])
    with torch.autocast("cpu", torch.bfloat16):
        losses = model([labeled()])
    assert losses["loss_mask"].dtype == torch.float32
    assert losses["loss_mask"].item() == pytest.approx(exact["loss_mask"].item(), rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_the_entry_points_are_the_forward_pass(kind):
    """On a normalized and padded tensor, with the default and another output size."""
    torch.manual_seed(0)
    model = build_model(small_cfg(kind)).eval()
    make_confident(model)
    record = labeled()
    images = model.preprocess_image([record]).tensor
    outputs = model.forward_features(images)
    for sizes, keys in ((None, {}), ([(100, 90)], {"height": 100, "width": 90})):
        (expected,) = model([{**record, **keys}])
        (found,) = model.inference_from(outputs, [SIZE], sizes)
        for name, field in expected["instances"].get_fields().items():
            assert torch.equal(getattr(found.get(name), "tensor", found.get(name)), getattr(field, "tensor", field))
    losses = model.train().losses_from(model.forward_features(images), [record["instances"]])
    expected = model([record])
    assert set(losses) == {"loss_category", "loss_mask"}
    assert all(loss == pytest.approx(expected[name].item(), rel=1e-6) for name, loss in losses.items())
    with pytest.raises(ValueError, match="multiples of 32"):
        model.forward_features(images[..., :50])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["MASK_HEAD", "dynamics"], "MASK_HEAD is 'dynamics', expected one of"),
        (["MASK_LOSS_NORMALIZER", "mean"], "MASK_LOSS_NORMALIZER is 'mean'"),
        (["MASK_FEATURES.IN_FEATURES", ["p2", "p9"]], r"MASK_FEATURES.IN_FEATURES \['p9'\] are not among"),
        (["MASK_FEATURES.IN_FEATURES", ["p2", "p4"]], r"must double the stride each, have \[4, 16\]"),
        (["MASK_FEATURES.IN_FEATURES", ["p2", "res3"]], "must have the 16 channels"),
    ],
)
def test_wrong_configurations(keys, message):
    cfg = small_cfg("dynamic")
    cfg.merge_from_list([f"MODEL.SOLO.{keys[0]}", keys[1]])
    with pytest.raises(ValueError, match=message):
        build_model(cfg)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_published_configurations(path):
    """A training step and detections of the shrunk model, with an embedding head."""
    small = ["MODEL.FPN.OUT_CHANNELS", "32", "MODEL.SOLO.CONV_DIM", "32"]
    small += ["MODEL.SOLO.MASK_FEATURES.CONV_DIM", "32", "MODEL.SOLO.MASK_FEATURES.OUT_CHANNELS", "32"]
    if load_config(str(path)).MODEL.RESNETS.DEPTH >= 50:  # the others have one width
        small += ["MODEL.RESNETS.STEM_OUT_CHANNELS", "8", "MODEL.RESNETS.RES2_OUT_CHANNELS", "16"]
        small += ["MODEL.RESNETS.WIDTH_PER_GROUP", "4"]
    head = ["MODEL.WEIGHTS", "", "MODEL.DEVICE", "cpu", "MODEL.EMBEDDING.NAME", "InstanceEmbeddingHead"]
    cfg = load_config(str(path), [*head, *small])
    torch.manual_seed(0)
    model = build_model(cfg).train()
    record = labeled()
    record["instances"].gt_masks = BitMasks(record["instances"].gt_masks.tensor)
    sum(model([record]).values()).backward()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    is_trained = "backbone.bottom_up.res3.0.conv1.norm.weight" in trained
    assert is_trained == (not path.stem.startswith("adelaidet"))
    assert not any(name.startswith(("backbone.bottom_up.stem", "backbone.bottom_up.res2")) for name in trained)
    make_confident(model)
    with torch.no_grad():
        found = model.eval()([record])[0]["instances"]
    assert len(found) and found.embeddings.shape[0] == len(found)
