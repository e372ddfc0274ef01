import pytest
from mot_case import official_mot, write_mot_case
from trackeval_kit import METRICS, assert_report_equal, official_scores

from ictrack.evaluation.metrics.association.clear_mot import clear_counts
from ictrack.evaluation.metrics.mot_challenge.boxes import BENCHMARKS, mot_sequence
from ictrack.evaluation.reports.mot import mot_report
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.mot_text import parse_mot


@pytest.mark.parametrize("benchmark", ["MOT15", "MOT16", "MOT17", "MOT20"])
@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_the_official_kit(tmp_path, benchmark, seed):
    lengths = write_mot_case(tmp_path, seed=seed)
    ours = mot_report(tmp_path / "gt", tmp_path / "results", benchmark=benchmark)
    official = official_scores(official_mot(tmp_path, benchmark, lengths), "results")["pedestrian"]
    assert_report_equal(ours, official)
    assert ours["combined"]["clear"]["IDSW"] > 0 and set(METRICS) == set(ours["combined"])


def test_each_rule_changes_the_scores(tmp_path):
    write_mot_case(tmp_path, seed=0)
    scores = {
        name: mot_report(tmp_path / "gt", tmp_path / "results", benchmark=name)["combined"]["clear"]["CLR_FP"]
        for name in ("MOT15", "MOT17", "MOT20", "generic")
    }
    # With more distractors fewer results are wrong; MOT15's are right on objects of any class.
    assert scores["MOT20"] < scores["MOT17"] and scores["MOT15"] == scores["generic"] < scores["MOT17"]


def rows(*lines):
    return parse_mot("\n".join(lines).encode(), "FILE")


def sequence(gt, pred, benchmark="MOT17", length=None):
    return mot_sequence(rows(*gt), rows(*pred), length, BENCHMARKS[benchmark])


def test_a_result_on_a_distractor_does_not_count():
    gt = ["1,1,0,0,10,10,1,1,1", "1,2,50,0,10,10,1,7,1"]
    pred = ["1,5,0,0,10,10,1,-1", "1,6,50,1,10,10,1,-1"]
    strict, all_classes = sequence(gt, pred), sequence(gt, pred, "generic")
    assert (strict.num_gt, strict.num_pred, strict.similarity[0].tolist()) == (1, 1, [[1.0]])
    assert (all_classes.num_gt, all_classes.num_pred) == (2, 2)
    # Of a box on both the better one decides.
    assert sequence([*gt, "1,3,50,1,10,10,1,1,1"], pred).num_pred == 2


def test_a_mark_of_zero_takes_an_object_out_of_the_count_and_no_result():
    for benchmark in ("MOT15", "MOT17", "DanceTrack", "generic"):
        found = sequence(["1,1,0,0,10,10,0,1,1"], ["1,5,0,0,10,10,1,-1"], benchmark)
        assert (found.num_gt, found.num_pred) == (0, 1)


@pytest.mark.parametrize(
    ("gt", "pred", "benchmark", "message"),
    [
        (["1,1,0,0,9,9,1,1,1"] * 2, [], "MOT17", "FILE: line 2: this id is in this frame already"),
        ([], ["1,1,0,0,9,9,1", "2,1,0,0,9,9,1", "1,1,5,5,9,9,1"], "MOT15", "FILE: line 3: this id is in this frame"),
        ([], ["1,-1,0,0,9,9,1"], "MOT17", "FILE: line 1: a negative id"),
        (["1,1,0,0,9,9,1,14,1"], [], "MOT17", "FILE: line 1: a class that is none of the benchmark's, 1 to 13"),
        (["1,1,0,0,9,9,1,0,1"], [], "MOT20", "FILE: line 1: a class that is none of the benchmark's, 1 to 13"),
        (["1,1,0,0,9,9,1"], [], "MOT17", "FILE: rows of this benchmark's ground truth need a class"),
        (["1,1,0,0,9,9"], [], "MOT15", "FILE: rows of a ground truth need a seventh number"),
        ([], ["1,1,0,0,9,9,1,2"], "MOT17", "FILE: line 1: only pedestrians are scored, class 1"),
        ([], ["1,1,0,0,9,9,1,2"], "DanceTrack", "FILE: line 1: only pedestrians are scored, class 1"),
        ([], ["1,1,0,0,9,9,1,1", "8,1,0,0,9,9,1,1"], "MOT17", "FILE: line 2: a frame beyond the sequence's 7"),
    ],
)
def test_what_cannot_be_scored(gt, pred, benchmark, message):
    with pytest.raises(AnnotationError, match=message):
        sequence(gt, pred, benchmark, length=7)


def test_world_coordinates_of_mot15_are_no_classes():
    assert sequence(["1,1,0,0,9,9,1,-1,-1,-1"], ["1,1,0,0,9,9,1,10.05,3.2,0"], "MOT15").num_pred == 1


def test_without_a_length_the_last_frame_of_either_file_ends_the_sequence():
    assert sequence(["2,1,0,0,9,9,1,1,1"], ["4,1,0,0,9,9,1"]).length == 4
    assert sequence(["2,1,0,0,9,9,1,1,1"], [], length=6).length == 6
    assert sequence([], []).num_gt == 0


def test_frames_without_boxes_take_no_memory():
    found = sequence(["1,1,0,0,9,9,1,1,1"], ["1,1,0,0,9,9,1", "2000000000,1,0,0,9,9,1"])
    assert (len(found), found.length) == (2, 2_000_000_000)
    counts = clear_counts(found)
    assert (counts["CLR_TP"], counts["CLR_FP"], counts["CLR_Frames"]) == (1, 1, 2e9)
