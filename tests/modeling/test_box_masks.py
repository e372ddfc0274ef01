"""The mask head for detectors of boxes."""

import numpy as np
import pytest
import torch
from detectron2.layers import ShapeSpec
from detectron2.structures import BitMasks, Boxes, Instances

from ictrack.engine.setup import load_config
from ictrack.model_zoo import get_config_file
from ictrack.modeling.box_masks import BoxMaskHead
from ictrack.modeling.build import build_model

SIZE = (96, 128)


def head(**changes):
    options = {"in_features": ["a", "b"], "num_convs": 2, "conv_dim": 16, "resolution": 8, "box_jitter": 0.1,
               "loss_weight": 1.0, "threshold": 0.5}  # fmt: skip
    shapes = {"a": ShapeSpec(channels=2, stride=4), "b": ShapeSpec(channels=3, stride=8)}
    return BoxMaskHead(input_shape=shapes, **{**options, **changes})


def disks(seed):
    """Two images with two bright disks each: features, and ground truth with boxes that are looser than the disks."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    images, truth = [], []
    for _ in range(2):
        masks, boxes = [], []
        for left in (0, 64):
            radius = rng.integers(12, 22)
            x, y = left + rng.integers(24, 40), rng.integers(26, 70)
            masks.append((columns - x) ** 2 + (rows - y) ** 2 <= radius**2)
            boxes.append([x - radius - 6, y - radius - 2, x + radius + 1, y + radius + 5])
        masks = torch.from_numpy(np.stack(masks))
        images.append(masks.any(dim=0).float())
        truth.append(Instances(SIZE, gt_boxes=Boxes(torch.tensor(boxes).float()), gt_masks=BitMasks(masks)))
    image = torch.stack(images)[:, None]
    maps = {"a": torch.nn.functional.avg_pool2d(image, 4).repeat(1, 2, 1, 1)}
    maps["b"] = torch.nn.functional.avg_pool2d(image, 8).repeat(1, 3, 1, 1)
    return maps, truth


def mean_iou(found, masks):
    both, either = (found & masks).flatten(1).sum(1), (found | masks).flatten(1).sum(1)
    return (both / either).mean().item()


def test_it_learns_to_cut_objects_out_of_their_boxes():
    torch.manual_seed(0)
    module = head()
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
    for seed in range(60):
        losses = module.losses(*disks(seed))
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    maps, truth = disks(1000)
    found = [Instances(SIZE, pred_boxes=x.gt_boxes) for x in truth]
    with torch.no_grad():
        masks = module.paste(maps, found, [SIZE, SIZE])
    whole = [torch.zeros(2, *SIZE, dtype=torch.bool) for _ in truth]
    for filled, x in zip(whole, truth):
        for row, (x0, y0, x1, y1) in zip(filled, x.gt_boxes.tensor.int().tolist()):
            row[y0:y1, x0:x1] = True
    ours, boxes = (np.mean([mean_iou(m, x.gt_masks.tensor) for m, x in zip(kind, truth)]) for kind in (masks, whole))
    assert ours > 0.9 > boxes


def test_masks_are_pasted_at_the_size_of_the_detections():
    module, (maps, truth) = head(), disks(0)
    doubled = Instances((192, 256), pred_boxes=Boxes(2 * truth[0].gt_boxes.tensor))
    small = Instances(SIZE, pred_boxes=truth[0].gt_boxes)
    one = {name: value[:1] for name, value in maps.items()}
    large, same = (module.paste(one, [x], [SIZE])[0] for x in (doubled, small))
    assert large.shape == (2, 192, 256) and large.dtype == torch.bool and same.shape == (2, *SIZE)
    assert mean_iou(large[:, ::2, ::2], same) > 0.9 or not same.any()


def test_images_without_objects():
    module, (maps, truth) = head(), disks(0)
    losses = module.losses(maps, [x[:0] for x in truth])
    assert [loss.item() for loss in losses.values()] == [0, 0]
    found = [Instances(SIZE, pred_boxes=Boxes(torch.zeros(0, 4)))] * 2
    assert [tuple(masks.shape) for masks in module.paste(maps, found, [SIZE, SIZE])] == [(0, *SIZE)] * 2


def test_unknown_features_are_refused():
    with pytest.raises(ValueError, match=r"MODEL\.BOX_MASK\.IN_FEATURES \['c'\]"):
        head(in_features=["c"])


@pytest.fixture(scope="module")
def detector():
    overrides = ["MODEL.WEIGHTS", "", "MODEL.DEVICE", "cpu", "MODEL.TIMM.NAME", "resnet10t", "MODEL.TIMM.WEIGHTS", "",
                 "MODEL.TIMM.STATISTICS", "", "MODEL.NANODET.SCORE_THRESH_TEST", 0.0, "TEST.DETECTIONS_PER_IMAGE", 5,
                 "MODEL.BOX_MASK.ENABLED", True, "MODEL.FREEZE", ["detector"]]  # fmt: skip
    return build_model(load_config(str(get_config_file("boxes")), overrides))


def test_boxes_of_a_detector_get_masks_and_embeddings_inside_them(detector):
    with torch.no_grad():
        batch = [{"image": torch.rand(3, 64, 96) * 255, "height": 128, "width": 192}]
        found = detector.eval()(batch)[0]["instances"]
    assert found.pred_masks.shape == (5, 128, 192) and found.pred_masks.dtype == torch.bool
    assert len(found.embeddings) == 5


def test_only_the_mask_head_is_trained(detector):
    truth = Instances((64, 96), gt_boxes=Boxes(torch.tensor([[4.0, 4, 30, 60]])), gt_classes=torch.tensor([3]))
    truth.gt_masks = BitMasks(torch.ones(1, 64, 96, dtype=torch.bool))
    losses = detector.train()([{"image": torch.rand(3, 64, 96) * 255, "instances": truth}])
    assert losses.keys() == {"loss_box_mask", "loss_box_mask_dice"}
    sum(losses.values()).backward()
    trained = {name.split(".")[0] for name, value in detector.named_parameters() if value.grad is not None}
    assert trained == {"box_mask_head"}
