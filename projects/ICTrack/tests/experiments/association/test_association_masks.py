"""Two discs that cross while they are not looked at: positions mislead, colors and embeddings do not."""

import numpy as np
import pytest
import torch
from detectron2.structures import Boxes, Instances
from torch import nn

from experiments.association.head_bank import HeadBank
from experiments.association.masks import (
    DetectedClip,
    appearance_method,
    detect_clips,
    measure,
    spatial_methods,
    track_clip,
    tracked_sequence,
    tune,
)
from ictrack.engine.setup import load_config
from ictrack.evaluation.metrics import AssociationCounts, count_sequence, evaluate_videos
from ictrack.modeling.embedding import EmbeddingHead
from ictrack.structures.tracks import encode_mask

HEIGHT, WIDTH, LENGTH = 40, 120, 9
COLORS = np.array([[220, 30, 30], [30, 30, 220]], np.uint8)
CATEGORIES = [{"id": 1, "name": "disc"}]


def disc(frame: int, which: int) -> np.ndarray:
    """Disc 0 runs to the right, disc 1 to the left; they swap places."""
    x = 20 + 10 * frame if which == 0 else 100 - 10 * frame
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    return (rows - (14 + 12 * which)) ** 2 + (cols - x) ** 2 <= 36


class ColorHead(EmbeddingHead):
    """Stands for a trained head: embeds the discs as orthogonal vectors."""

    in_features, reads = (), "masks"

    def embed(self, features, instances, padded_size):
        return [torch.eye(2)[: len(x)] for x in instances]


class SameHead(ColorHead):
    """Stands for a useless head: all alike."""

    def embed(self, features, instances, padded_size):
        return [torch.ones(len(x), 3) for x in instances]


class DiscDetector(nn.Module):
    """Finds both discs, and a false alarm of low score that must not survive the filter."""

    def __init__(self, bank: HeadBank) -> None:
        super().__init__()
        self.bank = bank

    def forward(self, inputs):
        frame = inputs[0]["frame_index"]
        masks = torch.from_numpy(np.stack([disc(frame, 0), disc(frame, 1), disc(frame, 0)[::-1].copy()]))
        instances = Instances((HEIGHT, WIDTH), pred_masks=masks, scores=torch.tensor([0.9, 0.8, 0.01]))
        instances.pred_classes = torch.zeros(3, dtype=torch.int64)
        instances.pred_boxes = Boxes(torch.zeros(3, 4))
        embeddings = self.bank.embed({}, [instances[:2]], (HEIGHT, WIDTH))[0]
        instances.embeddings = torch.cat([embeddings, embeddings[:1]])
        return [{"instances": instances}]


def image_of(frame: int) -> torch.Tensor:
    image = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    for which in range(2):
        image[disc(frame, which)] = COLORS[which]
    return torch.from_numpy(image.transpose(2, 0, 1).copy())


@pytest.fixture(scope="module")
def gt():
    names = [f"clip/{frame:05d}.jpg" for frame in range(LENGTH)]
    annotations = []
    for which in range(2):
        masks = [disc(frame, which) for frame in range(LENGTH)]
        annotations.append(
            {
                "id": which + 1, "video_id": 1, "category_id": 1, "iscrowd": 0, "height": HEIGHT, "width": WIDTH,
                "segmentations": [encode_mask(mask) for mask in masks], "areas": [int(m.sum()) for m in masks],
                "bboxes": [[0, 0, 1, 1]] * LENGTH,
            }
        )  # fmt: skip
    video = {"id": 1, "height": HEIGHT, "width": WIDTH, "length": LENGTH, "file_names": names}
    return {"videos": [video], "annotations": annotations, "categories": CATEGORIES}


@pytest.fixture(scope="module")
def clip(gt) -> DetectedClip:
    bank = HeadBank({"trained": ColorHead(), "useless": SameHead()})
    loader = [[{"image": image_of(frame), "video_id": 1, "frame_index": frame}] for frame in range(LENGTH)]
    (clip,) = detect_clips(DiscDetector(bank), bank, loader, gt, min_score=0.1, max_detections=10)
    return clip


@pytest.fixture(scope="module")
def cfg():
    return load_config(overrides=["TRACKER_HEADS.EMBEDDING.SCALE", "30.0"])


def test_detections_are_filtered_and_matched(clip):
    frame = clip.frames[3]
    assert frame.detections.scores.tolist() == pytest.approx([0.9, 0.8])
    assert frame.gt_index.tolist() == [0, 1]
    assert np.diag(frame.similarity).tolist() == [1.0, 1.0]
    assert frame.features["trained"].shape == (2, 2)
    assert frame.features["useless"].shape == (2, 3)
    colors = frame.features["color"]
    assert colors[0, 2] > 0 > colors[1, 2]  # CIELAB b: red is warm, blue is cold


def test_a_frame_without_detections(gt, cfg):
    bank = HeadBank({"trained": ColorHead()})
    loader = [[{"image": image_of(frame), "video_id": 1, "frame_index": frame}] for frame in range(LENGTH)]
    (clip,) = detect_clips(DiscDetector(bank), bank, loader, gt, min_score=0.99, max_detections=10)
    assert all(len(frame.detections) == 0 and frame.features["color"].shape == (0, 3) for frame in clip.frames)
    for method in (*spatial_methods(), appearance_method("trained", "trained")):
        assert measure(method, [clip], cfg, (0.5, 0.1), CATEGORIES)["IDF1"] == 0


def test_every_keeps_gt_and_detections_together(clip):
    sparse = clip.every(4)
    assert len(sparse.frames) == len(sparse.video["file_names"]) == len(sparse.annotations[0]["segmentations"]) == 3
    assert sparse.frames[1] is clip.frames[4]


def test_phases_share_out_all_frames(clip):
    phases = clip.all_phases(4)
    assert sorted(id(f) for phase in phases for f in phase.frames) == sorted(id(f) for f in clip.frames)
    assert len({phase.video["id"] for phase in phases}) == 4
    assert len({annotation["id"] for phase in phases for annotation in phase.annotations}) == 8
    assert all(a["video_id"] == phase.video["id"] for phase in phases for a in phase.annotations)


@pytest.mark.parametrize("feature", ["trained", "color"])
def test_appearance_survives_the_crossing(clip, cfg, feature):
    sparse = clip.every(8)
    scores = measure(appearance_method(feature, feature), [sparse], cfg, (0.5, 0.1), CATEGORIES)
    assert scores["IDF1"] == 1.0
    assert scores["IDSW"] == 0
    assert scores["agnostic_AP"] == pytest.approx(1.0)


def test_position_does_not(clip, cfg):
    sparse = clip.every(8)
    for method in spatial_methods():
        setting, _ = tune(method, [sparse], cfg, [0.1])
        assert measure(method, [sparse], cfg, setting, CATEGORIES)["IDF1"] <= 0.5


def test_tuning_takes_the_best_setting(clip, cfg):
    """At full rate both discs move 10 pixels of 12 a frame: only a generous distance follows them."""
    method = spatial_methods()[0]
    setting, idf1 = tune(method, [clip], cfg, [0.1])
    assert measure(method, [clip], cfg, setting, CATEGORIES)["IDF1"] == idf1 == 1.0
    too_close = measure(method, [clip], cfg, (0.25, 0.1), CATEGORIES)
    assert too_close["IDF1"] < 0.5


def test_counts_equal_those_of_the_evaluator_on_files(clip, cfg, gt):
    method = appearance_method("useless", "useless")
    tracked = track_clip(clip, method.feature, method.tracker(cfg, 0.5, 0.1))
    counts = AssociationCounts(1)
    counts.add(0, count_sequence(tracked_sequence(clip, tracked)))
    results = {}
    for index, (rows, ids) in enumerate(tracked):
        for row, identity in zip(rows.tolist(), ids.tolist()):
            track = results.setdefault(
                identity, {"video_id": 1, "category_id": 1, "score": 0.9, "segmentations": [None] * LENGTH}
            )
            track["segmentations"][index] = clip.frames[index].rles[row]
    expected = evaluate_videos(gt, list(results.values()))
    assert counts.scores() == {name: getattr(expected, name).total for name in ("hota", "clear", "identity")}
