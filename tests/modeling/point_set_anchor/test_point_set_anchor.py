"""The meta-architecture at a small size: odd batches, freezing, the embedding head's contract, test-time views."""

from __future__ import annotations

import parity_psa as parity
import pytest
import torch
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone, build_model
from detectron2.structures import Boxes, Instances, Keypoints
from torch import nn
from torch.nn import functional as F

from ictrack.modeling.embedding import EMBEDDING_HEADS, EmbeddingHead
from ictrack.modeling.point_set_anchor import PointSetAnchor


@BACKBONE_REGISTRY.register()
class AveragePosePyramid(Backbone):
    """Three levels of averaged pixels, each through a 1x1 convolution."""

    def __init__(self, cfg, input_shape):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3, 16, 1) for _ in range(3))
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x):
        x = self.norm(x)
        return {f"p{i}": conv(F.avg_pool2d(x, 2**i)) for i, conv in enumerate(self.convs, 3)}

    def output_shape(self):
        return {f"p{i}": ShapeSpec(channels=16, stride=2**i) for i in range(3, 6)}


@EMBEDDING_HEADS.register()
class RecordingKeypointHead(EmbeddingHead):
    """Stands in for a keypoint embedding head and remembers what it is called with."""

    def __init__(self, cfg, input_shape):
        super().__init__()
        self.input_shape = input_shape
        self.scale = nn.Parameter(torch.ones(()))

    reads = "keypoints"

    def losses(self, features, instances, padded_size):
        predicted, labels = ([x[x.is_predicted == which] for x in instances] for which in (True, False))
        self.calls = {
            "features": features,
            "keypoints": [x.gt_keypoints for x in labels],
            "predicted": [x.gt_keypoints for x in predicted],
            "people": [x.gt_index for x in predicted],
            "ids": [x.gt_ids for x in labels],
        }
        assert all(x.gt_index.tolist() == list(range(len(x))) for x in labels)
        assert all(torch.equal(y.gt_ids[x.gt_index], x.gt_ids) for x, y in zip(predicted, labels))
        return {"loss_embed_center": self.scale * features["p3"].mean()}

    def embed(self, features, instances, padded_size):
        self.calls = {"features": features, "keypoints": [x.pred_keypoints for x in instances]}
        assert all(x.image_size == padded_size for x in instances)
        return [x.pred_keypoints.mean(1) for x in instances]


def small_cfg(**keys):
    cfg = parity.base_cfg()
    cfg.MODEL.BACKBONE.NAME = "AveragePosePyramid"
    psa = cfg.MODEL.POINT_SET_ANCHOR
    psa.CONV_DIM = psa.HEATMAP_CONV_DIM = 16
    psa.NUM_GROUPS = 4
    psa.NUM_CONVS = 1
    psa.INIT_STD = 0.05
    psa.SCORE_THRESH_TEST = 0.0
    for key, value in keys.items():
        psa[key] = value
    return cfg


def build(embedding: bool = False, frozen: tuple = (), **keys) -> PointSetAnchor:
    cfg = small_cfg(**keys)
    cfg.MODEL.FREEZE = list(frozen)
    cfg.MODEL.EMBEDDING.NAME = "RecordingKeypointHead" if embedding else ""
    torch.manual_seed(0)
    return build_model(cfg)


def dataset_dict(count: int, height: int = 90, width: int = 150, seed: int = 0) -> dict:
    generator = torch.Generator().manual_seed(seed)
    instances = Instances((height, width))
    size = torch.rand(count, 1, 2, generator=generator) * 60 + 10
    points = torch.rand(count, 17, 2, generator=generator) * size + torch.rand(count, 1, 2, generator=generator) * 30
    visibility = torch.randint(0, 3, (count, 17, 1), generator=generator).float()
    instances.gt_boxes = Boxes(torch.cat([points.amin(1), points.amax(1)], dim=1))
    instances.gt_classes = torch.zeros(count, dtype=torch.int64)
    if count:  # as Detectron2's mapper
        instances.gt_keypoints = Keypoints(torch.cat([points, visibility], dim=2))
    image = torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8)
    return {"image": image, "height": 2 * height, "width": 3 * width, "instances": instances}


@pytest.mark.parametrize("counts", [(3, 0, 60), (0, 0), (1,)])
def test_training_step(counts):
    model = build().train()
    losses = model([dataset_dict(n, seed=i, width=150 + 10 * i) for i, n in enumerate(counts)])
    assert set(losses) == {
        *(f"loss_{name}_stage{i}" for name in ("class", "keypoint", "box") for i in range(2)),
        "loss_heatmap",
        "loss_offset",
    }
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    if not any(counts):
        assert losses["loss_keypoint_stage0"] == losses["loss_box_stage1"] == losses["loss_offset"] == 0
    assert losses["loss_class_stage0"] > 0


def test_a_person_without_labeled_joints_is_background():
    with_person, without = dataset_dict(1), dataset_dict(0)
    without["image"] = with_person["image"]
    with_person["instances"].gt_keypoints.tensor[..., 2] = 0
    model = build().train()
    first, second = model([with_person]), model([without])
    for name, loss in second.items():
        assert loss.item() == pytest.approx(first[name].item()), name


def test_one_stage_and_three():
    for thresholds in ([0.5], [0.5, 0.7, 0.99]):
        negative = [t - 0.1 for t in thresholds]
        model = build(POSITIVE_OKS=thresholds, NEGATIVE_OKS=negative).train()
        losses = model([dataset_dict(2)])
        assert len(losses) == 3 * len(thresholds) + 2


def test_a_short_training_finds_the_person():
    """The sign and unit of every branch: an overfitted model puts a pose on the one person."""
    record = dataset_dict(1)
    record["instances"].gt_keypoints.tensor[..., 2] = 2
    del record["height"], record["width"]
    model = build(SNAP_TO_PEAKS=False).train()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(100):
        optimizer.zero_grad()
        sum(model([record]).values()).backward()
        optimizer.step()
    best = model.eval()([record])[0]["instances"][0]
    error = (best.pred_keypoints[0, :, :2] - record["instances"].gt_keypoints.tensor[0, :, :2]).abs()
    assert error.mean() < 2.5


def test_detections():
    model = build().eval()
    with torch.no_grad():
        results = model([dataset_dict(0), dataset_dict(0, 64, 200, seed=1)])
    for result, size in zip(results, [(180, 450), (128, 600)]):
        instances = result["instances"]
        assert instances.image_size == size
        assert set(instances.get_fields()) == {"pred_boxes", "scores", "pred_classes", "pred_keypoints"}
        assert 0 < len(instances) <= 100
        assert instances.pred_keypoints.shape == (len(instances), 17, 3)
        assert instances.pred_classes.eq(0).all()
        points = instances.pred_keypoints[..., :2]
        assert (points >= 0).all()
        # A joint may be snapped to the end of the last pixel, whose index then is the image's size.
        assert (points <= torch.tensor([size[1] + 1.5, size[0] + 1.0])).all()


def test_nothing_above_the_threshold():
    model = build(SCORE_THRESH_TEST=1.0, embedding=True).eval()
    with torch.no_grad():
        instances = model([dataset_dict(0)])[0]["instances"]
    assert len(instances) == 0
    assert instances.pred_keypoints.shape == (0, 17, 3)
    assert instances.pred_boxes.tensor.shape == (0, 4)
    assert instances.embeddings.shape == (0, 3)


@torch.no_grad()
def test_joint_scores():
    record = dataset_dict(0)
    by_name = {name: build(KEYPOINT_SCORE=name).eval() for name in ("instance", "heatmap", "instance_times_heatmap")}
    scores = {name: model([record])[0]["instances"].pred_keypoints[..., 2] for name, model in by_name.items()}
    person = by_name["heatmap"]([record])[0]["instances"].scores
    torch.testing.assert_close(scores["instance"], person[:, None].expand(-1, 17))
    torch.testing.assert_close(scores["instance_times_heatmap"], scores["heatmap"] * person[:, None])
    assert scores["heatmap"].std() > 0


@torch.no_grad()
def test_a_gate_of_nothing_leaves_the_joints_where_they_are():
    record = dataset_dict(0)
    gated = build(SNAP_GATE=1e-9).eval()([record])[0]["instances"]
    off = build(SNAP_TO_PEAKS=False).eval()([record])[0]["instances"]
    assert torch.equal(gated.pred_keypoints, off.pred_keypoints)
    assert (gated.pred_keypoints[..., 2] > 0).all()


def test_embedding_head_in_training():
    model = build(embedding=True).train()
    dicts = [dataset_dict(3), dataset_dict(0, seed=1), dataset_dict(2, seed=2)]
    losses = model(dicts)
    assert "loss_embed_center" in losses
    calls = model.embedding_head.calls
    assert set(calls["features"]) == {"p3", "p4", "p5", "heatmap"}
    assert model.embedding_head.input_shape["heatmap"] == ShapeSpec(channels=17, stride=4)
    heatmap = calls["features"]["heatmap"]
    assert heatmap.shape == (3, 17, 24, 40)
    assert not heatmap.requires_grad
    assert calls["features"]["p3"].requires_grad
    for i, record in enumerate(dicts):
        count = len(record["instances"])
        keypoints, predicted, people = (calls[name][i] for name in ("keypoints", "predicted", "people"))
        assert keypoints.shape == (count, 17, 3)
        if count:
            torch.testing.assert_close(keypoints, record["instances"].gt_keypoints.tensor)
        assert predicted.shape == (len(people), 17, 3)
        assert not predicted.requires_grad
        assert set(people.tolist()) == set(range(count))
        assert torch.equal(predicted[..., 2], keypoints[people, :, 2])
        assert len(calls["ids"][i].unique()) == count


def with_joints_outside(width=150):
    """One person whose joints all are labeled, some beyond the right border."""
    record = dataset_dict(1, width=width)
    keypoints = record["instances"].gt_keypoints.tensor
    keypoints[..., 2] = 2
    keypoints[0, 5:9, 0] = torch.tensor([151.0, 158.0, 170.0, 400.0])
    return record


def test_joints_outside_the_image_are_regressed_without_peak_or_embedding():
    """The image is padded to 160 columns: a joint at 151 or 158 is outside the image, though not outside the map."""
    outside, unlabeled = with_joints_outside(), with_joints_outside()
    unlabeled["instances"].gt_keypoints.tensor[0, 5:9, 2] = 0
    model = build(embedding=True).train()
    losses = model([outside])
    predicted, truth = model.embedding_head.calls["predicted"][0], model.embedding_head.calls["keypoints"][0]
    others = model([unlabeled])
    for name in ("loss_heatmap", "loss_offset"):
        torch.testing.assert_close(losses[name], others[name])
    assert losses["loss_keypoint_stage0"] > 1.5 * others["loss_keypoint_stage0"]
    assert len(predicted) and not predicted[:, 5:9, 2].any() and predicted[:, 9:, 2].all()
    assert not truth[:, 5:9, 2].any() and truth[:, 9:, 2].all()


@pytest.mark.parametrize("objective", ["instance_contrastive", "scalar_tags", "vector_tags"])
def test_the_keypoint_embedding_module_reads_no_joint_outside(objective):
    """Its losses are those of a person whose joints outside are not labeled."""
    cfg = small_cfg()
    emb = cfg.MODEL.EMBEDDING
    emb.NAME, emb.CONV_DIM, emb.NUM_GROUPS, emb.DIM = "KeypointEmbeddingModule", 16, 4, 8
    emb.KEYPOINT.OBJECTIVE, emb.KEYPOINT.MAX_POSES = objective, 0
    emb.KEYPOINT.PULL_WEIGHT = emb.KEYPOINT.PUSH_WEIGHT = 1.0
    torch.manual_seed(0)
    model = build_model(cfg).train()
    outside, unlabeled = with_joints_outside(), with_joints_outside()
    unlabeled["instances"].gt_keypoints.tensor[0, 5:9, 2] = 0
    first, second = model([outside, dataset_dict(2, seed=1)]), model([unlabeled, dataset_dict(2, seed=1)])
    compared = [name for name in first if name.startswith("loss_embed")]
    assert len(compared) >= 2
    for name in compared:
        torch.testing.assert_close(first[name], second[name])


def test_only_the_embedding_head_trains():
    model = build(embedding=True, frozen=["detector"]).train()
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["embedding_head.scale"]
    statistics = model.backbone.norm.running_mean.clone()
    losses = model([dataset_dict(2)])
    assert set(losses) == {"loss_embed_center"}
    losses["loss_embed_center"].backward()
    assert torch.equal(statistics, model.backbone.norm.running_mean)
    with pytest.raises(ValueError, match="nothing to train"):
        build(frozen=["detector"])


@torch.no_grad()
def test_embeddings_are_read_at_the_keypoints_of_the_padded_input():
    model = build(embedding=True).eval()
    instances = model([dataset_dict(0)])[0]["instances"]
    (keypoints,) = model.embedding_head.calls["keypoints"]
    torch.testing.assert_close(instances.pred_keypoints, keypoints * torch.tensor([3.0, 2.0, 1.0]))
    assert len(instances.embeddings) == len(instances)


def with_views(min_sizes, max_size=1000, flip=False, **keys) -> PointSetAnchor:
    cfg = small_cfg(**keys)
    augmentation = cfg.TEST.AUG
    augmentation.ENABLED = True
    augmentation.MIN_SIZES = min_sizes
    augmentation.MAX_SIZE = max_size
    augmentation.FLIP = flip
    torch.manual_seed(0)
    return build_model(cfg).eval()


@torch.no_grad()
def test_one_view_of_the_same_size_changes_nothing():
    record = dataset_dict(0)
    plain = build().eval()([record])[0]["instances"]
    same = with_views([90])([record])[0]["instances"]
    torch.testing.assert_close(same.pred_keypoints, plain.pred_keypoints)
    torch.testing.assert_close(same.scores, plain.scores)


@torch.no_grad()
def test_views_are_pooled_before_suppression():
    record = dataset_dict(0)
    model = with_views([60, 120], max_size=180, flip=True)
    views = list(model.views(record["image"]))
    assert [(tuple(view.shape[1:]), mirrored) for view, mirrored in views] == [
        ((54, 90), False),
        ((54, 90), True),
        ((108, 180), False),
        ((108, 180), True),
    ]
    assert torch.equal(views[0][0], views[1][0].flip(-1))
    pooled = model._candidates_of_views(record["image"], model.views)
    batches = [model.preprocess_image([view]) for view, _ in views]
    single = [model.candidates(model.forward_features(x.tensor), x.image_sizes)[0] for x in batches]
    assert len(pooled) == sum(map(len, single))
    last = pooled[-1 - torch.arange(len(single[-1])).flip(0)]
    # The mirrored view's left wrist is the image's right one.
    expected = (180 - (single[-1].points[:, 9, 0] + 0.5)) * 150 / 180 - 0.5
    torch.testing.assert_close(last.points[:, 10, 0], expected)
    torch.testing.assert_close(last.points[:, 10, 1], (single[-1].points[:, 9, 1] + 0.5) * 90 / 108 - 0.5)
    assert torch.equal(last.heatmap_scores[:, 10], single[-1].heatmap_scores[:, 9])
    assert 0 < len(model([record])[0]["instances"]) <= 100


def test_bad_ground_truth_is_named():
    model = build().train()
    record = {**dataset_dict(1), "file_name": "a.jpg"}
    record["instances"].gt_keypoints.tensor[0, 3, 0] = torch.nan
    with pytest.raises(ValueError, match=r"a\.jpg.*not finite"):
        model([record])
    record["instances"].remove("gt_keypoints")
    with pytest.raises(ValueError, match=r"a\.jpg.*no gt_keypoints"):
        model([record])
    record["instances"].gt_keypoints = Keypoints(torch.zeros(1, 15, 3))
    with pytest.raises(ValueError, match=r"a\.jpg.*\(1, 15, 3\)"):
        model([record])
    with pytest.raises(ValueError, match="has none"):
        model([{"image": record["image"]}])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"IN_FEATURES": ["p2", "p3"]}, "IN_FEATURES"),
        ({"POSITIVE_OKS": [0.5]}, "NEGATIVE_OKS"),
        ({"SAMPLED_JOINTS": [0, 1, 2]}, "SAMPLED_JOINTS"),
        ({"SAMPLED_JOINTS": [0, 7, 8, 9, 10, 13, 14, 15, 17]}, "SAMPLED_JOINTS"),
        ({"KEYPOINT_SCORE": "peak"}, "KEYPOINT_SCORE"),
        ({"PEAK_KERNEL": 4}, "PEAK_KERNEL"),
        ({"TEMPLATE": "nowhere.json"}, r"nowhere\.json"),
    ],
)
def test_bad_configuration_is_named(keys, message):
    with pytest.raises(ValueError, match=message):
        build(**keys)


def test_a_head_that_reads_masks_is_refused():
    cfg = small_cfg()
    cfg.MODEL.EMBEDDING.NAME = "PooledFeatures"
    with pytest.raises(ValueError, match="PooledFeatures reads masks"):
        build_model(cfg)


def test_mixed_precision():
    """The deformable convolution has no bfloat16 on CPUs."""
    model = build().train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model([dataset_dict(2)])
    total = sum(losses.values())
    total.backward()
    assert total.isfinite()


def test_the_entry_points_are_the_forward_pass():
    """On normalized and padded images of different sizes, with the default and another output size."""
    model = build().eval()
    records = [dataset_dict(2), dataset_dict(1, 70, 170, seed=1)]
    batch = model.preprocess_image([x["image"] for x in records])
    with torch.no_grad():
        outputs = model.forward_features(batch.tensor)
        for sizes in (None, [(50, 70), (90, 60)]):
            keys = [{"height": h, "width": w} for h, w in sizes or batch.image_sizes]
            expected = model([{**x, **k} for x, k in zip(records, keys)])
            for x, y in zip(model.inference_from(outputs, batch.image_sizes, sizes), expected, strict=True):
                assert x.image_size == y["instances"].image_size and len(x) > 0
                assert torch.equal(x.pred_keypoints, y["instances"].pred_keypoints)
                assert torch.equal(x.scores, y["instances"].scores)
    losses = model.losses_from(model.forward_features(batch.tensor), [x["instances"] for x in records])
    expected = model.image_losses(records)
    assert {name: x.item() for name, x in losses.items()} == {name: expected[name].item() for name in losses}
    assert "loss_heatmap" in losses
    with pytest.raises(ValueError, match="must be multiples of"):
        model.forward_features(batch.tensor[..., :50])
