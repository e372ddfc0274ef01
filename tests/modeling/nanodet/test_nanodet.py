from pathlib import Path

import numpy as np
import pytest
import torch
from detectron2.structures import Boxes, Instances

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.engine.setup import load_config
from ictrack.model_zoo import get_config_file
from ictrack.modeling.build import build_model
from ictrack.modeling.frozen_features import cache_frozen_features
from ictrack.modeling.nanodet.targets import assign_cells

GOLDEN = Path(__file__).parents[2] / "data" / "golden_tfjs" / "nanodet.npz"


def build(*overrides):
    return build_model(
        load_config(
            str(get_config_file("boxes")), ["MODEL.META_ARCHITECTURE", "NanoDet", "MODEL.DEVICE", "cpu", *overrides]
        )
    )


@pytest.fixture(scope="module")
def published():
    model = build().eval()
    SafeCheckpointer(model).load("ictrack://nanodet_g.safetensors")
    return model


def image_of_golden(golden):
    image = np.repeat(np.repeat(golden["image"], 2, axis=0), 2, axis=1)
    return torch.from_numpy(image).permute(2, 0, 1)


def test_outputs_equal_those_of_the_published_graph(published):
    # Outputs of TensorFlow.js 4 on this picture, at every 23rd cell and at the 60 best.
    golden = np.load(GOLDEN)
    with torch.no_grad():
        images = published.preprocess_image([{"image": image_of_golden(golden)}])
        features = published.backbone(images.tensor)
        logits, sides = published.head([features[name] for name in published.in_features])
    rows = golden["rows"]
    np.testing.assert_allclose(logits[0, rows].sigmoid(), golden["scores"], atol=1e-5)
    np.testing.assert_allclose(sides[0, rows].flatten(1), golden["sides"], atol=2e-4)


def test_it_finds_the_people_of_a_street(published):
    with torch.no_grad():
        image = image_of_golden(np.load(GOLDEN))
        found = published([{"image": image, "height": 208, "width": 208}])[0]["instances"]
    best = found[found.scores > 0.4]
    assert found.image_size == (208, 208)
    assert best.pred_classes.tolist().count(0) >= 2
    assert (found.pred_boxes.tensor <= 208).all()


def test_suppression_across_classes():
    model = build()
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 11], [50, 50, 60, 60]])
    scores = torch.zeros(3, 80)
    scores[0, 16], scores[1, 21], scores[2, 16] = 0.6, 0.5, 0.3
    assert model.select(scores, boxes, (64, 64)).pred_classes.tolist() == [16, 16]
    model.nms_class_agnostic = False
    assert model.select(scores, boxes, (64, 64)).pred_classes.tolist() == [16, 21, 16]


def test_assignment_by_hand():
    # A 32 x 32 box around the center of cell 1 of three cells of stride 8: the anchors are 64 x 64.
    centers, strides = torch.tensor([[-60.0, 32], [32, 32], [200, 32]]), torch.full((3,), 8.0)
    boxes = torch.tensor([[0.0, 0, 64, 64]])
    assert assign_cells(boxes, centers, strides, top_k=3).tolist() == [-1, 0, -1]
    assert assign_cells(torch.zeros(0, 4), centers, strides, top_k=3).tolist() == [-1, -1, -1]


def test_a_contested_cell_takes_the_box_of_the_larger_iou():
    centers, strides = torch.tensor([[-200.0, 32], [32, 32], [300, 300]]), torch.full((3,), 8.0)
    boxes = torch.tensor([[10.0, 10, 50, 50], [1, 1, 64, 64]])
    assert assign_cells(boxes, centers, strides, top_k=3).tolist() == [-1, 1, -1]


def test_it_learns_two_boxes():
    torch.manual_seed(0)
    model = build("MODEL.NANODET.NUM_CLASSES", 2, "MODEL.NANODET.WIDTHS", [4, 8, 16, 32], "MODEL.NANODET.CONV_DIM", 16)
    model.train()
    boxes = torch.tensor([[8.0, 8, 40, 56], [60, 20, 120, 90]])
    truth = Instances((96, 128), gt_boxes=Boxes(boxes), gt_classes=torch.tensor([0, 1]))
    image = torch.full((3, 96, 128), 120.0)
    for number, (x0, y0, x1, y1) in enumerate(boxes.int().tolist()):
        image[number, y0:y1, x0:x1] = 250
    empty = {"image": image * 0, "instances": truth[:0]}
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    totals = []
    for _ in range(250):
        losses = model([{"image": image, "instances": truth}, empty])
        assert losses.keys() == {"loss_quality", "loss_box", "loss_distribution"}
        total = sum(losses.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < 0.4 * totals[0]
    with torch.no_grad():
        found = model.eval()([{"image": image}])[0]["instances"][:2]
    order = found.pred_classes.argsort()
    assert found.pred_classes[order].tolist() == [0, 1]
    torch.testing.assert_close(found.pred_boxes.tensor[order], boxes, atol=5, rtol=0)


def test_published_weights_for_other_classes_keep_the_outputs_of_box_sides(published):
    model = build("MODEL.NANODET.NUM_CLASSES", 2)
    SafeCheckpointer(model).load("ictrack://nanodet_g.safetensors")
    x = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        (logits, sides), (_, expected) = (
            one.head([one.backbone(x)[name] for name in one.in_features]) for one in (model, published)
        )
    assert logits.shape[-1] == 2 and torch.equal(sides, expected)
    assert logits.sigmoid().max() < 0.1


def test_images_without_objects_have_finite_losses():
    model = build("MODEL.NANODET.NUM_CLASSES", 2)
    nothing = Instances((64, 64), gt_boxes=Boxes(torch.zeros(0, 4)), gt_classes=torch.zeros(0, dtype=torch.int64))
    losses = model([{"image": torch.zeros(3, 64, 64), "instances": nothing}])
    assert all(torch.isfinite(loss) for loss in losses.values())
    sum(losses.values()).backward()


def test_wrong_widths_are_refused():
    with pytest.raises(ValueError, match="each twice the one before"):
        build("MODEL.NANODET.WIDTHS", "[8, 8, 8, 8]")


def test_both_backbones_are_frozen_and_their_features_cached():
    options = [
        "MODEL.FREEZE",
        '["backbone"]',
        "MODEL.DEVICE",
        "cpu",
        "MODEL.TIMM.WEIGHTS",
        "",
        "MODEL.BOX_MASK.ENABLED",
    ]
    model = build_model(load_config(str(get_config_file("boxes")), [*options, "True"])).train()
    trained = {name.rsplit(".", 3)[0] for name, x in model.named_parameters() if x.requires_grad}
    assert trained and all(name.startswith(("detector.head", "box_mask_head")) for name in trained)
    assert [cache_frozen_features(model, backbone, 2) for backbone in model.backbones()] == [1, 1]
