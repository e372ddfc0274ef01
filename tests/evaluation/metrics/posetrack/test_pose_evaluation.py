"""Held against poseval's numbers (tests/data/golden_pose: generated people, commit 4258a15 with motmetrics 1.4.0)."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pose_scene import gt_sequence, person, pred_sequence

from ictrack.evaluation.metrics import evaluate_pose
from ictrack.evaluation.metrics.posetrack.results import JOINT_NAMES, group_joints
from ictrack.structures.joints import POSETRACK_15
from ictrack.structures.json_files import AnnotationError, read_json
from ictrack.structures.posetrack_json import read_pose_folder

GOLDEN = Path(__file__).parents[3] / "data" / "golden_pose"
CASES = sorted(path.name for path in GOLDEN.iterdir())
TIES = "AP_if_ties_sorted_stable"


def evaluate_case(case):
    return evaluate_pose(
        read_pose_folder(GOLDEN / case / "gt", is_ground_truth=True),
        read_pose_folder(GOLDEN / case / "pred", is_ground_truth=False),
    )


def assert_equal(ours, official, where="", scale=100):
    """All that is in ``official``, in percent, is in ``ours``; NaN is the string "nan"."""
    if isinstance(official, dict):
        for key, value in official.items():
            assert_equal(ours[key], value, f"{where}/{key}", scale)
    elif official == "nan":
        assert math.isnan(ours), where
    else:
        assert scale * ours == pytest.approx(official, abs=1e-9, rel=0), where


def test_all_golden_cases_are_here():
    assert len(CASES) == 16


@pytest.mark.parametrize("case", CASES)
def test_official_numbers(case):
    expected = read_json(GOLDEN / case / "expected.json.gz")
    poseval = expected["poseval"]
    evaluation = evaluate_case(case)
    ours = evaluation.scores["official"]
    assert_equal(ours["AP"], expected.get(TIES, poseval["AP"]))
    assert_equal(ours["MOT"], poseval["MOT"])
    assert_equal(ours["counters"], poseval["MOT_counters"], scale=1)
    assert_equal(ours["MOT"]["motp_without_raw_events"], poseval["MOTP_without_raw_events"])
    mota = group_joints(ours["MOT"]["mota"])
    table = {f"MOTA {title}": value for title, value in mota.items()}
    table.update({f"{title} Total": ours["MOT"][key]["total"] for title, key in (("MOTP", "motp"), ("Prec", "pre"))})
    table["Rec Total"] = ours["MOT"]["rec"]["total"]
    assert_equal(table, poseval["table_MOT"])
    if TIES not in expected:
        assert_equal(group_joints(ours["AP"]["ap"]), poseval["table_AP"])
    sequences = evaluation.per_sequence()
    for name, scores in poseval["sequences"].items():
        if TIES not in expected:
            assert_equal(sequences[name]["official"]["AP"], scores["AP"], name)
        assert_equal(sequences[name]["official"]["MOT"], scores["MOT"], name)


@pytest.mark.parametrize("case", CASES)
def test_a_draw_of_all_sequences_once_gives_the_point_estimate(case):
    evaluation = evaluate_case(case)
    headlines = evaluation.resample(np.ones(len(evaluation.sequence_names), dtype=int))
    for protocol, scores in evaluation.scores.items():
        assert headlines.pop(f"{protocol}.AP") == scores["AP"]["ap"]["total"]
        for title, key in (("MOTA", "mota"), ("MOTP", "motp"), ("Prec", "pre"), ("Rec", "rec")):
            assert headlines.pop(f"{protocol}.{title}") == scores["MOT"][key]["total"]
    assert headlines == {}


def test_a_draw_is_a_data_set_of_copies():
    gt = read_pose_folder(GOLDEN / "pose_medium_std_s0" / "gt", is_ground_truth=True)
    pred = read_pose_folder(GOLDEN / "pose_medium_std_s0" / "pred", is_ground_truth=False)
    names = sorted(gt)
    weights = np.array([2, 0, 1, *[1] * (len(names) - 3)])[: len(names)]
    copies = [(f"{name}_{k}", name) for name, weight in zip(names, weights) for k in range(weight)]
    drawn = evaluate_pose(gt, pred).resample(weights)
    real = evaluate_pose({key: gt[name] for key, name in copies}, {key: pred[name] for key, name in copies})
    assert drawn == pytest.approx(real.resample(np.ones(len(copies), dtype=int)), abs=1e-9)


def totals(gt, pred, **options):
    """{protocol: (AP, MOTA)} of one sequence."""
    evaluation = evaluate_pose({"a": gt_sequence(gt, **options)}, {"a": pred_sequence(pred)})
    return {
        protocol: (scores["AP"]["ap"]["total"], scores["MOT"]["mota"]["total"])
        for protocol, scores in evaluation.scores.items()
    }


ONE = [person(0, 100.0)]
FAR = [person(0, 900.0)]


def test_the_last_frame_counts_in_strict():
    result = totals([ONE, ONE], [ONE, FAR])
    # Of two predictions of equal score, one is right: precision 1/2 at recall 1/2.
    assert result["official"] == pytest.approx((0.25, 1))
    assert result["strict"] == pytest.approx((0.25, 0))


def test_a_frame_without_predictions():
    three = [person(i, 100.0 + 300 * i) for i in range(3)]
    result = totals([three] * 3, [[], three, three])
    # Official: 1 + 3 objects, 1 miss and 1 false positive. Strict: 3 misses of 9 objects.
    assert result["official"][1] == pytest.approx(0.5)
    assert result["strict"][1] == pytest.approx(6 / 9)


def test_a_frame_whose_people_are_all_ignored():
    everything = [(0.0, 0.0), (2000.0, 0.0), (2000.0, 2000.0), (0.0, 2000.0)]
    result = totals([ONE] * 3, [ONE] * 3, regions={0: [everything]})
    assert result["official"] == pytest.approx((1, 0))
    assert result["strict"] == pytest.approx((1, 1))


def test_false_positives_where_nobody_is():
    result = totals([ONE, [], ONE, ONE], [ONE, ONE, ONE, ONE])
    assert result["official"] == pytest.approx((1, 1))
    # All scores are equal: 3 of 4 are right.
    assert result["strict"] == pytest.approx((0.75, 2 / 3))


def test_an_unlabeled_frame():
    gt, pred = [ONE, [], ONE, ONE], [ONE, ONE, FAR, ONE]
    result = totals(gt, pred, labeled=[True, False, False, True])
    assert result["official"][1] == pytest.approx(0)
    assert result["strict"] == pytest.approx((1, 1))


def test_an_unlabeled_frame_does_not_change_who_was_matched():
    gt, pred = [ONE] * 4, [[person(7, 100.0)], [person(8, 100.0)], [person(7, 100.0)], [person(7, 100.0)]]
    labeled = [True, False, True, True]
    evaluation = evaluate_pose({"a": gt_sequence(gt, labeled=labeled)}, {"a": pred_sequence(pred)})
    switches = {name: scores["counters"]["switches"]["nose"] for name, scores in evaluation.scores.items()}
    assert switches == {"official": 2, "strict": 0}
    assert evaluation.warnings == ("a: annotated people in unlabeled frames",)


def test_a_joint_that_is_nowhere():
    one = [person(0, 100.0, absent=["nose"])]
    evaluation = evaluate_pose({"a": gt_sequence([one, one])}, {"a": pred_sequence([one, one])})
    official, strict = evaluation.scores["official"], evaluation.scores["strict"]
    assert official["AP"]["ap"]["total"] == pytest.approx(14 / 15)
    assert official["AP"]["ap"]["nose"] == 0 and official["MOT"]["motp"]["nose"] == 0
    assert strict["AP"]["ap"]["total"] == strict["MOT"]["motp"]["total"] == 1
    assert all(math.isnan(strict["AP"][key]["nose"]) for key in ("ap", "pre", "rec"))
    assert math.isnan(group_joints(strict["AP"]["ap"])["Head"])


def test_motp():
    pred = [person(0, 106.0)]
    evaluation = evaluate_pose({"a": gt_sequence([ONE] * 3)}, {"a": pred_sequence([pred] * 3)})
    # 6 pixels are a fifth of a head; official counts each distance twice.
    official, strict = (evaluation.scores[name]["MOT"] for name in ("official", "strict"))
    assert [strict["motp"]["total"], official["motp_without_raw_events"]["total"]] == pytest.approx([0.8, 0.8])
    assert official["motp"]["total"] == pytest.approx(0.6)
    assert "motp_without_raw_events" not in strict


def test_nothing_predicted_at_all():
    evaluation = evaluate_pose({"a": gt_sequence([ONE] * 3)}, {"a": pred_sequence([[]] * 3)})
    official, strict = evaluation.scores["official"], evaluation.scores["strict"]
    assert official["AP"]["pre"]["total"] == official["MOT"]["motp"]["total"] == 0
    assert strict["AP"]["ap"]["total"] == strict["AP"]["rec"]["total"] == 0
    assert math.isnan(strict["AP"]["pre"]["total"]) and math.isnan(strict["MOT"]["motp"]["total"])
    assert strict["MOT"]["mota"]["total"] == 0 and official["MOT"]["mota"]["total"] == -1


def test_nobody_annotated():
    evaluation = evaluate_pose({"a": gt_sequence([[]] * 3)}, {"a": pred_sequence([ONE] * 3)})
    official, strict = evaluation.scores["official"], evaluation.scores["strict"]
    assert official["AP"]["ap"]["total"] == 0 and math.isnan(official["MOT"]["mota"]["total"])
    assert math.isnan(strict["AP"]["ap"]["total"]) and strict["AP"]["pre"]["total"] == 0
    assert strict["counters"]["false_positives"]["nose"] == 3


def test_a_single_annotated_frame_has_no_official_tracking():
    evaluation = evaluate_pose({"a": gt_sequence([ONE, []])}, {"a": pred_sequence([ONE, []])})
    assert evaluation.scores["official"]["AP"]["ap"]["total"] == 1
    assert math.isnan(evaluation.scores["official"]["MOT"]["mota"]["total"])
    assert evaluation.scores["strict"]["MOT"]["mota"]["total"] == 1
    assert evaluation.warnings == ("a: a single annotated frame, without official MOT",)


def test_frames_in_another_order():
    gt = gt_sequence([[person(0, 100.0 * (t + 1))] for t in range(3)])
    pred = pred_sequence([[person(0, 100.0 * (t + 1))] for t in range(3)]).reorder_frames([2, 1, 0])
    evaluation = evaluate_pose({"a": gt}, {"a": pred})
    # Only the frame in the middle is where it was: wrong, right, wrong.
    assert evaluation.resample(np.ones(1, dtype=int))["official.AP"] == pytest.approx(1 / 6)
    assert evaluation.resample(np.ones(1, dtype=int))["strict.AP"] == 1
    assert evaluation.warnings == ("a: frames in another order than in the ground truth",)


def test_another_number_of_frames():
    with pytest.raises(AnnotationError, match=r"a: images: are 3, but the ground truth has 2"):
        evaluate_pose({"a": gt_sequence([ONE, ONE])}, {"a": pred_sequence([ONE, ONE, ONE])})


def renamed(sequence, names):
    return replace(sequence, file_names=tuple(names), source="found/a.json")


def test_names_of_frames():
    gt, pred = gt_sequence([ONE, ONE]), pred_sequence([ONE, ONE])
    shifted = renamed(pred, [f"images/val/000001_mpii_test/{t + 1:06d}.jpg" for t in range(2)])
    evaluation = evaluate_pose({"a": gt}, {"a": shifted})
    assert evaluation.resample(np.ones(1, dtype=int))["strict.MOTA"] == 1
    assert evaluation.warnings == ("a: other file names than in the ground truth; frames go by position",)
    unreadable = renamed(pred, ["000000.jpg", "000001.jpg"])
    with pytest.raises(AnnotationError, match=r"found/a\.json: images\[0\]\.file_name: '000000\.jpg' does not look"):
        evaluate_pose({"a": gt}, {"a": unreadable})
    own = renamed(gt, ["my video/1.png", "my video/2.png"])
    assert evaluate_pose({"a": own}, {"a": renamed(pred, own.file_names)}).warnings == ()


def test_sequences_must_be_there():
    gt, pred = gt_sequence([ONE, ONE]), pred_sequence([ONE, ONE])
    with pytest.raises(AnnotationError, match="b: there are no predictions"):
        evaluate_pose({"a": gt, "b": gt}, {"a": pred})
    with pytest.raises(AnnotationError, match="no sequence"):
        evaluate_pose({}, {"a": pred})
    with pytest.raises(ValueError, match="the protocols are official, strict, not sane"):
        evaluate_pose({"a": gt}, {"a": pred}, ["sane"])
    evaluation = evaluate_pose({"a": gt}, {"a": pred, "d": pred, "c": pred})
    assert evaluation.warnings == ("c, d: not in the ground truth, not scored",)


def test_one_protocol_alone_is_the_same():
    case = "pose_medium_ties_s0"
    gt = read_pose_folder(GOLDEN / case / "gt", is_ground_truth=True)
    pred = read_pose_folder(GOLDEN / case / "pred", is_ground_truth=False)
    both = evaluate_pose(gt, pred).scores
    for protocol in ("official", "strict"):
        assert json.dumps(evaluate_pose(gt, pred, [protocol]).scores) == json.dumps({protocol: both[protocol]})


def test_joint_names_are_those_of_poseval():
    assert JOINT_NAMES[POSETRACK_15.index("head_bottom")] == "neck"
    expected = read_json(GOLDEN / "pose_tiny_basic_s0" / "expected.json.gz")["poseval"]["AP"]["ap"]
    assert [*JOINT_NAMES, "total"] == list(expected)
