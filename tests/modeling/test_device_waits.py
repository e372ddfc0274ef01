"""A frame with many detections waits for the device a few times, however many there are."""

import pytest
import torch
from count_syncs import CountSyncs
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances
from tiny_pose_model import pose_config
from tiny_video_model import solo_config

from ictrack.modeling.point_set_anchor import head
from ictrack.modeling.point_set_anchor.oks_nms import oks, oks_nms
from ictrack.modeling.solo import inference
from ictrack.structures.joints import COCO_17
from ictrack.tracking import build_tracker

MOST = 20


@pytest.fixture
def record():
    return {"image": torch.randint(256, (3, 96, 160), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)}


@torch.no_grad()
def waits(model, record, monkeypatch):
    model.eval()([record])  # whatever is made once
    counter = CountSyncs(monkeypatch)
    not_counted(monkeypatch, counter, head, "convolve_at")  # of CPUs alone
    with counter:
        (output,) = model([record])
    return output["instances"], counter


def not_counted(monkeypatch, counter, module, name):
    function = getattr(module, name)

    def call(*args):
        counter.active = False
        try:
            return function(*args)
        finally:
            counter.active = True

    monkeypatch.setattr(module, name, call)


def test_the_counter_sees_what_waits(monkeypatch):
    counter = CountSyncs(monkeypatch)
    x = torch.arange(4.0)
    with counter:
        x[x > 1], x.nonzero(), x.sum().item(), bool(x.any()), x.tolist(), x.numpy(), x.cpu(), x.unique()
        x[x > 2] = 0
        x.argsort(), x[torch.tensor([1, 2])], x.where(x > 1, 0)
    assert counter.total() == 9
    x.tolist()
    assert counter.total() == 9


@pytest.mark.parametrize("is_multi_scale", [False, True])
def test_pose_frame(record, monkeypatch, is_multi_scale):
    cfg = pose_config()
    cfg.TEST.AUG.ENABLED, cfg.TEST.AUG.MIN_SIZES, cfg.TEST.AUG.FLIP = is_multi_scale, [64, 96], True
    cfg.MODEL.POINT_SET_ANCHOR.NMS_OKS_TEST = 0.999
    torch.manual_seed(0)
    people, counter = waits(build_model(cfg), record, monkeypatch)
    assert len(people) == 100
    assert counter.total() <= MOST, counter.counts


def test_mask_frame(record, monkeypatch):
    cfg = solo_config()
    solo = cfg.MODEL.SOLO
    solo.SCORE_THRESH_TEST = solo.UPDATE_THRESH_TEST = 0.0
    solo.MASK_THRESH_TEST = 0.0  # random masks are not empty
    torch.manual_seed(0)
    model = build_model(cfg)
    monkeypatch.setattr(inference, "_CHUNK", inference._DEVICE_CHUNK)
    objects, counter = waits(model, record, monkeypatch)
    assert len(objects) >= 50 and len(objects.pred_classes.unique()) > 1
    assert counter.total() <= MOST, counter.counts


@pytest.mark.parametrize("name", ["EmbeddingTracker", "SpatialTracker"])
def test_tracked_frame(name, monkeypatch):
    cfg = solo_config()
    cfg.TRACKER_HEADS.TRACKER_NAME, cfg.TRACKER_HEADS.MAX_DETECTIONS, cfg.TRACKER_HEADS.CLASS_VOTING = name, 50, True
    tracker = build_tracker(cfg, 96, 160)
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(100, 2, generator=generator) * 80
    frame = Instances((96, 160), pred_boxes=Boxes(torch.cat([corners, corners + 12], dim=1)))
    frame.scores, frame.pred_classes = 0.5 + torch.rand(100, generator=generator) / 2, torch.arange(100) % 4
    frame.embeddings = torch.randn(100, 16, generator=generator)
    frame.pred_masks = torch.rand(100, 96, 160, generator=generator) > 0.5
    tracker.update(frame)
    counter = CountSyncs(monkeypatch)
    with counter:
        tracks = tracker.update(frame)
    assert len(tracks) == 50
    assert counter.total() <= MOST, counter.counts


def one_by_one(points, scores, areas, sigmas, threshold, max_detections):
    """OKS-NMS as it is written down: the best takes out its like, then the next best."""
    remaining = scores.argsort(descending=True, stable=True).tolist()
    kept = []
    while remaining and len(kept) < max_detections:
        best = remaining.pop(0)
        kept.append(best)
        squared = (points[remaining] - points[best]).square().sum(-1)
        similarity = oks(squared, sigmas, (areas[remaining] + areas[best]) / 2).mean(1)
        remaining = [row for row, value in zip(remaining, similarity.tolist()) if value <= threshold]
    return kept


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("max_detections", [1, 7, 100])
def test_suppression_keeps_the_same_people(seed, max_detections):
    generator = torch.Generator().manual_seed(seed)
    count, people = 20 * seed, 3 + 5 * seed
    base = torch.rand(people, 17, 2, generator=generator) * 100 + torch.rand(people, 1, 2, generator=generator) * 200
    points = base[torch.randint(people, (count,), generator=generator)]
    points = points + torch.randn(count, 17, 2, generator=generator) * 4
    scores = (torch.rand(count, generator=generator) * 20).round() / 20  # with equal ones
    areas = (points.amax(1) - points.amin(1)).prod(1)
    sigmas = torch.tensor(COCO_17.sigmas)
    kept = oks_nms(points, scores, areas, sigmas, 0.5, max_detections)
    assert kept.tolist() == one_by_one(points, scores, areas, sigmas, 0.5, max_detections)
