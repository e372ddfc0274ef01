import json
from pathlib import Path

import numpy as np
import pytest
import trackeval
from tao_case import burst_case, official, tao_case, write_case
from trackeval_kit import METRICS, assert_scores_equal, official_scores

from ictrack.evaluation.metrics.tao.teta import ROW_LENGTH, teta_counts, teta_scores
from ictrack.evaluation.metrics.tao.video import VideoObjects
from ictrack.evaluation.reports.tao import tao_report
from ictrack.structures.federated_video import FederatedVideo, FrameObjects

GOLDEN = Path(__file__).parents[3] / "data" / "golden_teta" / "expected.json"


@pytest.mark.parametrize("seed", range(3))
def test_teta_is_that_of_the_published_evaluation(tmp_path, seed):
    expected = json.loads(GOLDEN.read_text())[str(seed)]
    ours = tao_report(*write_case(tmp_path, tao_case(seed)))["teta"]
    for name, scores in {**expected["per_category"], "average": expected["average"]}.items():
        found = ours if name == "average" else ours["per_category"][name]
        for key, value in scores.items():
            assert found[key] == pytest.approx(value, abs=1e-9), (name, key)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("make", "kit"), [(tao_case, trackeval.datasets.TAO), (burst_case, trackeval.datasets.BURST)], ids=["TAO", "BURST"]
)
def test_association_is_that_of_the_official_kit(tmp_path, seed, make, kit):
    ours = tao_report(*write_case(tmp_path, make(seed)), metrics=("hota", "clear", "identity"))
    dataset = official(tmp_path, kit)
    theirs = official_scores(dataset, "results")
    by_number = {number: name for name, number in dataset.class_name_to_class_id.items()}
    # BURST's files have no names of categories.
    names = {by_number.get(int(name.split()[1]), name): name for name in ours["hota"]["per_category"]}
    assert set(names) == set(theirs)
    for name, one in theirs.items():
        mine = {metric: ours[metric]["per_category"][names[name]] for metric in METRICS}
        assert_scores_equal(mine, one["combined"], name)
    for how, part in (("class", "class_averaged"), ("det", None)):
        combined = {
            key: getattr(metric, f"combine_classes_{how}_averaged")(
                {n: one["combined"][key] for n, one in theirs.items()}
            )
            for key, metric in METRICS.items()
        }
        mine = {
            key: ours[key][part] if part else {k: v for k, v in ours[key].items() if not isinstance(v, dict)}
            for key in METRICS
        }
        assert_scores_equal(mine, combined, how)


def frame(*objects):
    ids, classes, lefts = zip(*objects) if objects else ((), (), ())
    boxes = np.array([[left, 0, 10, 10] for left in lefts], dtype=float).reshape(-1, 4)
    return FrameObjects(np.array(ids, dtype=np.int64), np.array(classes, dtype=np.int64), boxes)


def video(gt, pred, *, negative=(), not_exhaustive=()):
    facts = FederatedVideo("v", len(gt), frozenset(negative), frozenset(not_exhaustive))
    return VideoObjects.compare(facts, gt, pred, has_masks=False)


def test_localization_association_and_classification_are_apart():
    gt = [frame((1, 5, 0))] * 4
    right = video(gt, [frame((9, 5, 0))] * 4)
    assert teta_scores(teta_counts(right, {5})[5])["TETA"] == 1
    other_class = teta_scores(teta_counts(video(gt, [frame((9, 6, 0))] * 4), {5, 6})[5])
    assert (other_class["LocA"], other_class["AssocA"], other_class["ClsA"]) == (1, 1, 0)
    switched = teta_scores(teta_counts(video(gt, [frame((9, 5, 0))] * 2 + [frame((8, 5, 0))] * 2), {5})[5])
    assert (switched["LocA"], switched["AssocA"], switched["ClsA"]) == (1, 0.5, 1)
    missed = teta_scores(teta_counts(video(gt, [frame((9, 5, 0)), *[frame()] * 3]), {5})[5])
    assert (missed["LocA"], missed["ClsA"]) == (0.25, 1)


def test_results_off_the_objects_do_not_count():
    gt = [frame((1, 5, 0))]
    alone = teta_counts(video(gt, [frame((9, 5, 0))]), {5})[5]
    assert np.array_equal(teta_counts(video(gt, [frame((9, 5, 0), (8, 5, 50))]), {5})[5], alone)
    # A second result on the object does.
    twice = teta_scores(teta_counts(video(gt, [frame((9, 5, 0), (8, 5, 1))]), {5})[5])
    assert twice["Loc_FP"] == 1


def test_a_result_that_belongs_to_an_object_of_another_class_is_not_wrong_for_this_one():
    gt = [frame((1, 5, 0), (2, 6, 3))]
    found = teta_counts(video(gt, [frame((9, 5, 0), (8, 6, 3))]), {5, 6})
    assert [teta_scores(found[i])["Loc_FP"] for i in (5, 6)] == [0, 0]


def test_nothing():
    assert teta_counts(video([], []), {5}) == {}
    assert teta_counts(video([frame((1, 5, 0))], [frame()]), set()) == {}
    assert teta_scores(np.zeros(ROW_LENGTH))["TETA"] == 0
    assert teta_scores(teta_counts(video([frame((1, 5, 0))], [frame()]), {5})[5])["Loc_FN"] == 1


@pytest.mark.parametrize(
    ("lists", "num_pred"),
    [
        ({}, 1),  # with an object in the frame, a result off it is wrong; without one it does not count
        ({"negative": [5]}, 2),
        ({"not_exhaustive": [5]}, 0),
    ],
)
def test_where_a_class_was_not_annotated(lists, num_pred):
    objects = video([frame((1, 5, 0)), frame((1, 6, 0))], [frame((8, 5, 50)), frame((9, 5, 50))], **lists)
    assert objects.sequence_of(5).num_pred == num_pred
    assert objects.scored_classes() == [5, 6]
