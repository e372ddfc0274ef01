"""A small Mask R-CNN with an embedding head: training, inference, one backbone pass, weights, other detectors."""

import copy

import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.modeling import build_model
from detectron2.structures import BitMasks, Boxes, Instances, Keypoints, PolygonMasks
from detectron2.utils.events import EventStorage
from torch import nn

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.config import add_ictrack_config
from ictrack.modeling import EmbeddedDetector, InstanceEmbeddingHead
from ictrack.modeling.embedding.readout import instance_masks, mask_readout


def mask_rcnn_config(masks=True):
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.META_ARCHITECTURE = "EmbeddedDetector"
    cfg.MODEL.MASK_ON = masks
    cfg.MODEL.BACKBONE.NAME = "build_timm_fpn_backbone"
    cfg.MODEL.TIMM.NAME = "resnet10t"
    cfg.MODEL.FPN.OUT_CHANNELS = 16
    cfg.MODEL.ANCHOR_GENERATOR.SIZES = [[16], [32], [64], [128], [256]]
    cfg.MODEL.RPN.IN_FEATURES = ["p2", "p3", "p4", "p5", "p6"]
    cfg.MODEL.RPN.PRE_NMS_TOPK_TRAIN = cfg.MODEL.RPN.POST_NMS_TOPK_TRAIN = 60
    cfg.MODEL.RPN.PRE_NMS_TOPK_TEST = cfg.MODEL.RPN.POST_NMS_TOPK_TEST = 60
    cfg.MODEL.ROI_HEADS.NAME = "StandardROIHeads"
    cfg.MODEL.ROI_HEADS.IN_FEATURES = ["p2", "p3", "p4", "p5"]
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = 3
    cfg.MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE = 16
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = 0.0
    cfg.MODEL.ROI_BOX_HEAD.NAME = "FastRCNNConvFCHead"
    cfg.MODEL.ROI_BOX_HEAD.NUM_FC = 1
    cfg.MODEL.ROI_BOX_HEAD.FC_DIM = 32
    cfg.MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION = 7
    cfg.MODEL.ROI_MASK_HEAD.NAME = "MaskRCNNConvUpsampleHead"
    cfg.MODEL.ROI_MASK_HEAD.NUM_CONV = 1
    cfg.MODEL.ROI_MASK_HEAD.CONV_DIM = 16
    cfg.TEST.DETECTIONS_PER_IMAGE = 7
    cfg.MODEL.EMBEDDING.NAME = "InstanceEmbeddingHead"
    cfg.MODEL.EMBEDDING.READOUT = "mask"
    cfg.MODEL.EMBEDDING.IN_FEATURES = ["res2", "res3", "res4", "res5"]
    cfg.MODEL.EMBEDDING.NUM_CONVS = 0
    cfg.MODEL.EMBEDDING.DIM = 24
    return cfg


SQUARES = np.array([[4, 6, 30, 40], [40, 20, 70, 60]], dtype=np.float32)


def training_input(size=(70, 90), masks="bitmask", ids=None):
    instances = Instances(size, gt_boxes=Boxes(torch.from_numpy(SQUARES)), gt_classes=torch.tensor([0, 2]))
    if masks == "bitmask":
        bits = torch.zeros(2, *size, dtype=torch.bool)
        for bit, (x0, y0, x1, y1) in zip(bits, SQUARES.astype(int)):
            bit[y0:y1, x0:x1] = True
        instances.gt_masks = BitMasks(bits)
    elif masks == "polygon":
        instances.gt_masks = PolygonMasks(
            [[np.array([x0, y0, x1, y0, x1, y1, x0, y1], dtype=np.float64)] for x0, y0, x1, y1 in SQUARES]
        )
    if ids is not None:
        instances.gt_ids = torch.tensor(ids)
    return {"image": torch.randint(256, (3, *size), dtype=torch.uint8), "instances": instances}


@pytest.fixture(autouse=True)
def event_storage():
    """Detectron2's heads log to the current storage while they train."""
    with EventStorage():
        yield


@pytest.fixture(scope="module")
def mask_rcnn():
    torch.manual_seed(0)
    return build_model(mask_rcnn_config())


@pytest.fixture
def backbone_passes(mask_rcnn):
    passes = []
    handle = mask_rcnn.detector.backbone.register_forward_hook(lambda m, i, o: passes.append((i[0], o)))
    yield passes
    handle.remove()


def test_training_adds_the_losses_of_the_head(mask_rcnn, backbone_passes):
    mask_rcnn.train()
    losses = mask_rcnn([training_input(ids=[5, 6]), training_input((64, 96), "polygon", ids=[6, 5])])
    assert len(backbone_passes) == 1
    embedding_losses = {k: v for k, v in losses.items() if k.startswith("loss_embed")}
    assert set(embedding_losses) == {"loss_embed_center", "loss_embed_contrast", "loss_embed_entropy"}
    assert {"loss_cls", "loss_mask", "loss_rpn_cls"} <= set(losses)
    assert all(v.isfinite() for v in losses.values())
    assert losses["loss_embed_center"] > 0  # two views of two instances
    mask_rcnn.zero_grad()
    sum(embedding_losses.values()).backward()
    assert mask_rcnn.embedding_head.branches[0][0].weight.grad.abs().sum() > 0
    assert next(mask_rcnn.detector.backbone.parameters()).grad.abs().sum() > 0


@pytest.mark.parametrize("masks", ["bitmask", "polygon", None])
def test_ground_truth_is_read_in_the_padded_frame(mask_rcnn, masks):
    """70 x 90 pixels are padded to 96 x 96: every form of the same squares has the same shares of the p2 cells."""
    instances = training_input(masks=masks)["instances"]
    cell_column = torch.arange(24.0).expand(1, 24, 24)
    maps = torch.stack([cell_column, cell_column.mT], dim=1)
    (places,) = mask_rcnn.locate_ground_truth(mask_rcnn.embedding_head, [instances], (96, 96))
    assert places.gt_index.tolist() == [0, 1] and len(places.gt_ids.unique()) == 2
    (centers,) = mask_readout([maps], [instance_masks(places, (24, 24))])
    expected = torch.from_numpy(SQUARES).view(2, 2, 2).mean(dim=1) / 4 - 0.5  # x, y in cells
    torch.testing.assert_close(centers, expected, atol=0.02 if masks != "polygon" else 0.2, rtol=0)


def test_inference_adds_embeddings_read_at_the_predicted_masks(mask_rcnn, backbone_passes):
    mask_rcnn.eval()
    image = torch.randint(256, (3, 70, 90), dtype=torch.uint8)
    with torch.no_grad():
        (first, second) = mask_rcnn(
            [{"image": image, "height": 140, "width": 180}, {"image": image[:, :60], "height": 60, "width": 90}]
        )
    assert len(backbone_passes) == 1
    for output, size in ((first, (140, 180)), (second, (60, 90))):
        detections = output["instances"]
        assert len(detections) > 0
        assert detections.pred_masks.shape[1:] == size
        assert detections.embeddings.shape == (len(detections), 24)
        assert detections.embeddings.dtype == torch.float32
    # At twice the resolution of the input, the padded frame of 96 x 96 is 192 x 192.
    ((_, features),) = backbone_passes
    padded = torch.zeros(len(first["instances"]), 192, 192, dtype=torch.bool)
    padded[:, :140, :180] = first["instances"].pred_masks
    one_image = {f: x[:1] for f, x in features.items()}
    expected = mask_rcnn.embedding_head.embed(one_image, [Instances((192, 192), pred_masks=padded)], (96, 96))[0]
    torch.testing.assert_close(first["instances"].embeddings, expected)
    # Nothing is left behind on the wrapped detector, whose own result is the same.
    assert len(mask_rcnn.detector.backbone._forward_hooks) == 1  # the fixture's
    with torch.no_grad():
        alone = mask_rcnn.detector([{"image": image, "height": 140, "width": 180}])[0]["instances"]
    torch.testing.assert_close(alone.pred_boxes.tensor, first["instances"].pred_boxes.tensor, atol=0.5, rtol=0)


def test_detector_without_masks_is_read_by_its_boxes():
    model = build_model(mask_rcnn_config(masks=False))
    model.train()
    losses = model([training_input(masks=None)])
    assert losses["loss_embed_contrast"].isfinite()
    assert "loss_mask" not in losses
    model.eval()
    with torch.no_grad():
        detections = model([{"image": torch.zeros(3, 64, 64, dtype=torch.uint8)}])[0]["instances"]
    assert not detections.has("pred_masks")
    assert detections.embeddings.shape == (len(detections), 24)


def keypoint_rcnn_config():
    cfg = mask_rcnn_config(masks=False)
    cfg.MODEL.KEYPOINT_ON = True
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = 1
    cfg.MODEL.ROI_KEYPOINT_HEAD.CONV_DIMS = [16, 16]
    cfg.MODEL.ROI_KEYPOINT_HEAD.POOLER_RESOLUTION = 7
    emb = cfg.MODEL.EMBEDDING
    emb.NAME, emb.IN_FEATURES, emb.CONV_DIM, emb.NUM_GROUPS = "KeypointEmbeddingModule", ["p3"], 16, 4
    return cfg


def people_input(ids):
    x = training_input(masks=None, ids=ids)
    points = torch.rand(2, 17, 2) * torch.tensor([26.0, 30.0]) + torch.from_numpy(SQUARES[:, None, :2])
    x["instances"].gt_keypoints = Keypoints(torch.cat([points, torch.full((2, 17, 1), 2.0)], dim=2))
    x["instances"].gt_classes[:] = 0
    return x


def test_a_keypoint_rcnn_takes_the_keypoint_embedding_module():
    """Trained on the labels, read at the predicted joints in the network's pixels."""
    torch.manual_seed(0)
    model = build_model(keypoint_rcnn_config()).train()
    nobody = {"image": torch.zeros(3, 64, 64, dtype=torch.uint8), "instances": Instances((64, 64))}
    nobody["instances"].gt_boxes = Boxes(torch.zeros(0, 4))
    nobody["instances"].gt_classes = torch.zeros(0, dtype=torch.int64)
    losses = model([people_input([5, 6]), people_input([6, 5])])
    embedding_losses = [loss for name, loss in losses.items() if name.startswith("loss_embed")]
    assert {"loss_keypoint", "loss_embed_joint_contrast", "loss_embed_person_contrast"} <= set(losses)
    assert losses["loss_embed_person_contrast"] > 0
    sum(embedding_losses).backward()
    assert all(p.grad is not None for p in model.embedding_head.parameters())
    places = model.locate_ground_truth(model.embedding_head, [nobody["instances"]], (96, 96))
    assert all(
        loss == 0 for loss in model.embedding_head.losses({"p3": torch.rand(1, 16, 12, 12)}, places, (96, 96)).values()
    )

    model.eval()
    image = torch.randint(256, (3, 70, 90), dtype=torch.uint8)
    with torch.no_grad():
        large, small = (model([{"image": image, "height": h, "width": w}])[0]["instances"] for h, w in SIZES_OUT)
        features, padded_size = model.extract_features([image])
    assert len(large) > 0 and large.embeddings.shape == (len(large), 24)
    in_pixels = Instances(padded_size, pred_keypoints=small.pred_keypoints)
    torch.testing.assert_close(small.embeddings, model.embedding_head.embed(features, [in_pixels], padded_size)[0])
    torch.testing.assert_close(large.embeddings, small.embeddings, atol=0.05, rtol=0.05)


SIZES_OUT = [(140, 180), (70, 90)]


def test_image_without_detections(mask_rcnn):
    mask_rcnn.eval()
    predictor = mask_rcnn.detector.roi_heads.box_predictor
    threshold, predictor.test_score_thresh = predictor.test_score_thresh, 2.0
    try:
        with torch.no_grad():
            detections = mask_rcnn([{"image": torch.zeros(3, 64, 64, dtype=torch.uint8)}])[0]["instances"]
    finally:
        predictor.test_score_thresh = threshold
    assert detections.embeddings.shape == (0, 24)


def test_weights_of_the_bare_detector_load(mask_rcnn):
    bare = {k: torch.randn_like(v) if v.is_floating_point() else v for k, v in mask_rcnn.detector.state_dict().items()}
    model = copy.deepcopy(mask_rcnn)
    result = model.load_state_dict(bare, strict=False)
    assert result.unexpected_keys == []
    assert all(name.startswith("embedding_head.") for name in result.missing_keys)
    assert all(torch.equal(v, bare[k]) for k, v in model.detector.state_dict().items())
    # Its own weights, too.
    model.load_state_dict(mask_rcnn.state_dict())
    assert all(torch.equal(v, mask_rcnn.state_dict()[k]) for k, v in model.state_dict().items())


def test_other_meta_architecture_by_name():
    cfg = mask_rcnn_config(masks=False)
    cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE = "RetinaNet"
    cfg.MODEL.RETINANET.IN_FEATURES = ["p3", "p4", "p5", "p6", "p7"]
    cfg.MODEL.RETINANET.NUM_CONVS = 1
    cfg.MODEL.RETINANET.NUM_CLASSES = 3
    cfg.MODEL.RETINANET.SCORE_THRESH_TEST = 0.0
    cfg.MODEL.TIMM.NUM_EXTRA_LEVELS = 2
    cfg.MODEL.ANCHOR_GENERATOR.SIZES = [[16], [32], [64], [128], [256]]
    model = build_model(cfg).eval()
    with torch.no_grad():
        detections = model([{"image": torch.zeros(3, 64, 64, dtype=torch.uint8), "height": 128, "width": 128}])
    assert detections[0]["instances"].embeddings.shape == (7, 24)


class Wrapper(nn.Module):
    """A detector whose only part has the name that an EmbeddedDetector gives its own, and which has nothing else."""

    def __init__(self, detector):
        super().__init__()
        self.detector, self.backbone, self.device = detector, detector.backbone, detector.device

    def forward(self, batched_inputs):
        return self.detector(batched_inputs)


def test_weights_of_a_detector_that_wraps_another_load(mask_rcnn):
    model = EmbeddedDetector(
        detector=Wrapper(copy.deepcopy(mask_rcnn.detector)), embedding_head=mask_rcnn.embedding_head
    )
    bare = Wrapper(mask_rcnn.detector).state_dict()
    full = {name: x + 1 for name, x in model.state_dict().items()}
    for weights, prefix in ((full, ""), (bare, "detector.")):
        result = model.load_state_dict(dict(weights), strict=False)
        assert result.unexpected_keys == []
        assert all(name.startswith("embedding_head.") for name in result.missing_keys)
        loaded = model.state_dict()
        assert all(torch.equal(loaded[prefix + name], x) for name, x in weights.items())


def test_a_detector_without_preprocessing_is_told_where_it_is_needed(mask_rcnn):
    model = EmbeddedDetector(detector=Wrapper(mask_rcnn.detector), embedding_head=mask_rcnn.embedding_head)
    with torch.no_grad():
        (output,) = model.eval()([{"image": torch.zeros(3, 64, 64, dtype=torch.uint8)}])
    assert output["instances"].has("embeddings")
    with pytest.raises(ValueError, match=r"Wrapper has no preprocess_image\(batched_inputs\)"):
        model.extract_features([torch.zeros(3, 64, 64)])


class Fieldless(nn.Module):
    """A detector that finds nothing, and says no more."""

    def __init__(self, detector):
        super().__init__()
        self.backbone, self.device, self.preprocess_image = (
            detector.backbone,
            detector.device,
            detector.preprocess_image,
        )

    def forward(self, batched_inputs):
        self.backbone(self.preprocess_image(batched_inputs).tensor)
        return [{"instances": Instances((x["height"], x["width"]))} for x in batched_inputs]


def test_instances_without_fields_are_none(mask_rcnn):
    model = EmbeddedDetector(detector=Fieldless(mask_rcnn.detector), embedding_head=mask_rcnn.embedding_head).eval()
    with torch.no_grad():
        (output,) = model([{"image": torch.zeros(3, 64, 64, dtype=torch.uint8), "height": 32, "width": 32}])
    assert output["instances"].embeddings.shape == (0, 24)


def test_instances_without_boxes_and_masks_are_told():
    with pytest.raises(ValueError, match=r"reads masks or boxes, instances have only \['scores'\]"):
        instance_masks(Instances((8, 8), scores=torch.ones(1)), (4, 4))


class TwoPassDetector(nn.Module):
    """A detector that runs its backbone twice, as test-time augmentation does."""

    def __init__(self, detector):
        super().__init__()
        self.detector, self.backbone, self.device = detector, detector.backbone, detector.device

    def forward(self, batched_inputs):
        self.detector(batched_inputs)
        return self.detector(batched_inputs)


def test_library_form_and_a_detector_of_two_passes(mask_rcnn):
    features = mask_rcnn.detector.backbone.output_shape()
    head = InstanceEmbeddingHead(in_features=["p2", "p3"], input_shape=features, conv_dim=32, readout="mask")
    image = {"image": torch.zeros(3, 64, 64, dtype=torch.uint8)}
    with torch.no_grad():
        model = EmbeddedDetector(detector=mask_rcnn.detector, embedding_head=head).eval()
        assert model([image])[0]["instances"].embeddings.shape[1] == 128
        model = EmbeddedDetector(detector=TwoPassDetector(mask_rcnn.detector), embedding_head=head).eval()
        with pytest.raises(RuntimeError, match="2 times"):
            model([image])


@pytest.mark.parametrize(("key", "value"), [("NAME", ""), ("READOUT", "cell")])
def test_configurations_that_cannot_work_are_refused(key, value):
    cfg = mask_rcnn_config()
    cfg.MODEL.EMBEDDING[key] = value
    with pytest.raises(ValueError, match=r"MODEL\.EMBEDDING"):
        build_model(cfg)


@pytest.mark.parametrize("masks", [True, False], ids=["masks", "boxes"])
def test_weights_of_a_bare_detector_with_other_classes_load_but_for_the_class_layers(masks, tmp_path, caplog):
    cfg = mask_rcnn_config(masks)
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = 5
    zoo = build_model(cfg).detector.state_dict()
    torch.save({"model": zoo, "__author__": "Detectron2 Model Zoo"}, tmp_path / "zoo.pth")
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = 3
    model = build_model(cfg)
    SafeCheckpointer(model).load(str(tmp_path / "zoo.pth"))
    skipped = {name for name, x in model.detector.state_dict().items() if not torch.equal(x, zoo[name])}
    layers = ["cls_score", "bbox_pred", "mask_head.predictor"] if masks else ["cls_score", "bbox_pred"]
    assert skipped and all(any(layer in name for layer in layers) for name in skipped)
    assert "cls_score.weight" in caplog.text and "incompatible shape" in caplog.text
