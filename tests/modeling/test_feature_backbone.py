"""A backbone of the embedding head's own beside a detector."""

import pytest
import torch
from detectron2.structures import Boxes, Instances

from ictrack.engine.setup import load_config
from ictrack.model_zoo import get_config_file
from ictrack.modeling.build import build_model

TINY = ["MODEL.WEIGHTS", "", "MODEL.DEVICE", "cpu", "MODEL.TIMM.NAME", "resnet10t", "MODEL.TIMM.WEIGHTS", "",
        "MODEL.TIMM.STATISTICS", ""]  # fmt: skip


def build(task, *overrides):
    return build_model(load_config(str(get_config_file(task)), [*TINY, *overrides]))


def image(size=(64, 96)):
    return torch.randint(0, 256, (3, *size), generator=torch.Generator().manual_seed(0)).float()


def test_features_are_those_of_the_backbone_on_its_own_normalization():
    model = build("boxes").eval()
    features, padded = model.extract_features([image()])
    rgb = (image().flip(0) - 127.5) / 127.5
    expected = model.feature_backbone.backbone(rgb[None])
    assert padded == (64, 96) and features.keys() == expected.keys()
    for name, value in features.items():
        torch.testing.assert_close(value, expected[name])


@pytest.mark.parametrize("task, order", [("boxes", "BGR"), ("pose", "RGB")])
def test_channels_are_reversed_where_the_detector_has_the_other_order(task, order):
    assert build(task).feature_backbone.reverse_channels == (order == "BGR")


def test_detections_are_those_of_the_bare_detector():
    thresholds = ["MODEL.NANODET.SCORE_THRESH_TEST", 0.0, "TEST.DETECTIONS_PER_IMAGE", 5]
    torch.manual_seed(0)
    model = build("boxes", *thresholds).eval()
    bare = build("boxes", *thresholds, "MODEL.META_ARCHITECTURE", "NanoDet").eval()
    bare.load_state_dict(model.detector.state_dict())
    batch = [{"image": image()}]
    with torch.no_grad():
        found, expected = model(batch)[0]["instances"], bare(batch)[0]["instances"]
    assert torch.equal(found.pred_boxes.tensor, expected.pred_boxes.tensor)
    assert torch.equal(found.scores, expected.scores)
    assert found.embeddings.shape == (5, sum(shape.channels for shape in model.backbone.output_shape().values()))


def test_a_head_is_trained_on_a_frozen_detector():
    head = ["MODEL.EMBEDDING.NAME", "InstanceEmbeddingHead", "MODEL.EMBEDDING.NUM_CONVS", 0, "MODEL.EMBEDDING.DIM", 8]
    model = build("boxes", *head, "MODEL.FREEZE", ["detector"]).train()
    truth = Instances((64, 96), gt_boxes=Boxes(torch.tensor([[4.0, 4, 30, 60], [40, 10, 90, 50]])))
    truth.gt_classes = torch.zeros(2, dtype=torch.int64)
    sum(model([{"image": image(), "instances": truth}]).values()).backward()
    trained = {name.split(".")[0] for name, value in model.named_parameters() if value.grad is not None}
    assert trained == {"embedding_head"}


def test_a_trained_detector_gets_its_gradients():
    head = ["MODEL.EMBEDDING.NAME", "InstanceEmbeddingHead", "MODEL.EMBEDDING.NUM_CONVS", 0, "MODEL.EMBEDDING.DIM", 8]
    model = build("boxes", *head).train()
    truth = Instances((64, 96), gt_boxes=Boxes(torch.tensor([[4.0, 4, 30, 60]])), gt_classes=torch.tensor([3]))
    losses = model([{"image": image(), "instances": truth}])
    assert {"loss_quality", "loss_embed_center"} <= losses.keys()
    sum(losses.values()).backward()
    assert all(value.grad is not None for name, value in model.named_parameters() if name.startswith("detector."))
