"""Thresholds from unlabeled detections: what they are, when appearance is switched off, and when nothing is known."""

import numpy as np
import pytest
import torch
from detectron2.structures import Boxes, Instances

from ictrack.engine import calibration as calibration_module
from ictrack.engine.calibration import COSINE_SHARE, calibrate_on
from ictrack.engine.recognition import CalibrationError, Recognition
from ictrack.engine.replayed_threshold import NEW_OBJECT_COSINE, is_worse
from ictrack.engine.settings_file import with_settings, write_settings
from ictrack.engine.setup import load_config
from ictrack.tracking.separation import Separation

HEADS = "TRACKER_HEADS"
NOTHING = Separation(*[np.zeros(0)] * 4)
OBJECTS, FRAMES, VIDEOS = 3, 12, 5


def video(seed, embed, clutter=0):
    """Objects of 20 x 20 pixels that move by 2 pixels a frame, in random rows, and clutter of low scores."""
    rng = np.random.default_rng(seed)
    frames = []
    for index in range(FRAMES):
        lefts = [100.0 * number + 2 * index for number in range(OBJECTS)]
        boxes = [[x, 0, x + 20, 20] for x in lefts]
        boxes += [[x, 100, x + 20, 120] for x in rng.choice(15, clutter, replace=False) * 20 + 1000 * index]
        frame = Instances((200, 400))
        order = torch.from_numpy(rng.permutation(len(boxes)))
        frame.pred_boxes = Boxes(torch.tensor(boxes, dtype=torch.float32)[order])
        frame.scores = torch.tensor([0.9] * OBJECTS + [0.2] * clutter)[order]
        frame.pred_classes = torch.zeros(len(boxes), dtype=torch.int64)
        frame.embeddings = torch.stack([embed(rng, number) for number in range(len(boxes))])[order]
        frames.append(frame)
    return frames


def of_objects(rng, number):
    """Each object's own direction with a little noise: cosines near 1 and near 0."""
    return torch.eye(8)[number % 8] + torch.from_numpy(0.05 * rng.standard_normal(8)).float()


def noise(rng, number):
    return torch.from_numpy(rng.standard_normal(8)).float()


def footage(embed, **options):
    return [video(seed, embed, **options) for seed in range(VIDEOS)]


def test_objects_that_look_different():
    calibration = calibrate_on(load_config(), footage(of_objects), stride=2)
    assert calibration.objection == ""
    assert calibration.appearance.accuracy == 1 and calibration.appearance.tracklets == OBJECTS * VIDEOS
    assert calibration.appearance.chance == pytest.approx(1 / 3)
    heads = with_settings(load_config(), calibration.settings).TRACKER_HEADS
    assert heads.TRACKER_NAME == "EmbeddingTracker" and heads.EMBEDDING.MATCH_THRESHOLD == 0.5
    assert -0.3 < heads.EMBEDDING.NEW_OBJECT_COSINE < 0.9  # no object comes or goes
    assert 5 < heads.EMBEDDING.SCALE <= 50
    assert heads.MIN_SCORE == heads.NEW_TRACK_SCORE < 0.9
    assert "estimated accuracy: 100.0 % (95 % interval 79.6 to 100.0)" in str(calibration)


def test_thresholds_that_are_equally_good(monkeypatch):
    """Nothing tells thresholds between 0 and 1 apart where cosines are near 0 and near 1."""
    cosines = []
    for share in (0.0, 1.0, COSINE_SHARE):
        monkeypatch.setattr(calibration_module, "COSINE_SHARE", share)
        cosines.append(calibrate_on(load_config(), footage(of_objects)).settings[NEW_OBJECT_COSINE])
    lowest, highest, chosen = cosines
    assert lowest < 0.1 and highest > 0.8
    assert chosen == pytest.approx(lowest + 0.75 * (highest - lowest), abs=0.006)


@pytest.mark.parametrize(
    ("embed", "reason"), [(noise, "not surely better than chance"), (lambda *_: torch.ones(8), "not surely better")]
)
def test_appearance_that_says_nothing_is_switched_off(embed, reason):
    calibration = calibrate_on(load_config(), footage(embed))
    assert reason in calibration.objection and "appearance is switched off" in str(calibration)
    heads = with_settings(load_config(), calibration.settings).TRACKER_HEADS
    assert heads.TRACKER_NAME == "SpatialTracker"
    assert heads.SPATIAL.MAX_DISTANCE > 0.4  # an object moves by 8 pixels of 20 in the four frames that are compared


def test_appearance_that_is_worse_than_position_is_switched_off():
    """Objects look like themselves in half of the frames, and else like all others."""
    many = [video(seed, lambda rng, number: torch.eye(8)[number if rng.random() < 0.5 else 7]) for seed in range(40)]
    calibration = calibrate_on(load_config(), many)
    assert calibration.appearance.interval[0] > calibration.appearance.chance
    assert calibration.objection == "it is far worse than position"


def test_clutter_sets_the_score():
    calibration = calibrate_on(load_config(), footage(of_objects, clutter=3))
    score = calibration.settings[f"{HEADS}.MIN_SCORE"]
    assert score == calibration.settings[f"{HEADS}.NEW_TRACK_SCORE"] and 0.2 < score < 0.9


def test_few_tracklets_are_no_conclusion():
    with pytest.raises(CalibrationError, match="only 6 objects are certainly the same"):
        calibrate_on(load_config(), footage(of_objects)[:2])


def test_short_tracklets_are_compared_at_shorter_distances():
    short = [frames[:3] for frames in footage(of_objects)]
    assert calibrate_on(load_config(), short, stride=8).appearance.gap == 2


def test_the_interval_counts_tracklets():
    low, high = Recognition(0.8, 0.5, 10, 4, NOTHING).interval
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_settings_are_a_configuration(tmp_path):
    (tmp_path / "base.yaml").write_text("VERSION: 2\nTRACKER_HEADS:\n  MIN_SCORE: 0.25\n")
    write_settings(tmp_path / "new" / "mine.yaml", {f"{HEADS}.EMBEDDING.SCALE": 12.5}, str(tmp_path / "base.yaml"))
    heads = load_config(str(tmp_path / "new" / "mine.yaml")).TRACKER_HEADS
    assert (heads.MIN_SCORE, heads.EMBEDDING.SCALE) == (0.25, 12.5)


def test_surely_worse_is_by_more_than_a_standard_error():
    """One percent less in every video is surely worse; half of a detection more here and less there is not."""
    best = np.array([[9.0, 10], [9, 10], [9, 10], [9, 10]])
    assert is_worse(best - [0.1, 0], best)
    assert not is_worse(best + np.array([[0.5, 0], [-0.5, 0], [0.5, 0], [-0.6, 0]]), best)
    assert not is_worse(best, best)
