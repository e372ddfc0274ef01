import numpy as np
import pytest
from mots_case import official_mots, write_mots_case
from trackeval_kit import assert_report_equal, official_scores

from ictrack.evaluation.metrics.mot_challenge.masks import MOTSRows, checked_rows, mots_sequence
from ictrack.evaluation.reports.mots import mots_report
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.rle import encode_mask


@pytest.mark.parametrize("seed", range(3))
def test_pedestrians_are_scored_as_by_the_official_kit(tmp_path, seed):
    lengths = write_mots_case(tmp_path, seed=seed)
    ours = mots_report(tmp_path / "gt", tmp_path / "results")
    official = official_scores(official_mots(tmp_path, "MOTSChallenge", lengths), "results")
    assert_report_equal(ours, official["pedestrian"])
    clear = ours["combined"]["clear"]
    assert clear["sMOTSA"] == clear["sMOTA"] and clear["MOTSA"] == clear["MOTA"] and clear["MODSA"] == clear["MODA"]
    assert "per_category" not in ours


@pytest.mark.parametrize("seed", range(3))
def test_cars_and_pedestrians_are_scored_as_by_the_official_kit(tmp_path, seed):
    lengths = write_mots_case(tmp_path, seed=seed, first_frame=0)
    ours = mots_report(tmp_path / "gt", tmp_path / "results", benchmark="KITTI-MOTS")
    official = official_scores(official_mots(tmp_path, "KITTI-MOTS", lengths), "results")
    assert set(ours["per_category"]) == {"car", "pedestrian"}
    for name, scores in ours["per_category"].items():
        assert_report_equal(scores, official[name])
    total = sum(official[name]["combined"]["clear"]["CLR_TP"] for name in official)
    assert ours["combined"]["clear"]["CLR_TP"] == total > 50


def test_ignored_regions_matter_in_these_cases(tmp_path):
    write_mots_case(tmp_path, seed=0)
    with_regions = mots_report(tmp_path / "gt", tmp_path / "results")["combined"]["clear"]["CLR_FP"]
    for path in (tmp_path / "gt").iterdir():
        lines = [line for line in path.read_text().splitlines(keepends=True) if line.split()[2] != "10"]
        path.write_text("".join(lines))
    assert mots_report(tmp_path / "gt", tmp_path / "results")["combined"]["clear"]["CLR_FP"] > with_regions


def test_any_class_of_the_ground_truth(tmp_path):
    write_mots_case(tmp_path, seed=1)
    generic = mots_report(tmp_path / "gt", tmp_path / "results", benchmark="generic")
    assert set(generic["per_category"]) == {"class 1", "class 2"}
    mots = mots_report(tmp_path / "gt", tmp_path / "results")
    assert generic["per_category"]["class 2"]["combined"] == mots["combined"]


def box(x, y, width=6, height=5, size=(20, 30)):
    mask = np.zeros(size, dtype=bool)
    mask[y : y + height, x : x + width] = True
    return encode_mask(mask)


def rows(*items, where="FILE"):
    frames, ids, classes, rles = zip(*items) if items else ((), (), (), ())
    numbers = [np.array(column, dtype=np.int64) for column in (frames, ids, classes)]
    places = [f"line {i + 1}" for i in range(len(items))]
    return checked_rows(MOTSRows(where, places, *numbers, numbers[2] == 10, rles))


def test_what_lies_in_a_region_and_on_no_object_does_not_count():
    region = (1, 10000, 10, box(10, 0, 10, 10))
    gt = rows((1, 1, 2, box(0, 0)), region)

    def num_pred(*masks):
        pred = rows(*((1, i, 2, mask) for i, mask in enumerate(masks)))
        return mots_sequence(gt, pred, None, 1, 2).num_pred

    assert num_pred(box(0, 0), box(10, 0)) == 1
    assert num_pred(box(7, 0)) == 1  # by half in the region
    assert num_pred(box(8, 0)) == 0
    # Mostly in the region, but on an object.
    gt = rows((1, 1, 2, box(6, 0, 4, 5)), region)
    assert num_pred(box(6, 0, 7, 5)) == 1
    assert num_pred(box(6, 0, 4, 2), box(6, 2, 14, 5)) == 1


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([(1, 1, 2, box(0, 0)), (1, 2, 2, box(5, 0))], "FILE: line 2: the mask overlaps that of line 1 in frame 1"),
        ([(1, 1, 2, box(0, 0)), (1, 1, 10, box(5, 0))], "FILE: line 2: the mask overlaps that of line 1 in frame 1"),
        ([(3, 1, 2, box(0, 0)), (3, 1, 1, box(9, 0))], "FILE: line 2: id 1 is in frame 3 already, line 1"),
        ([(1, 1, 2, box(0, 0)), (1, 2, 2, box(5, 0, size=(9, 9)))], "FILE: line 1: frame 1 has masks of the sizes"),
    ],
)
def test_what_the_official_kit_refuses(items, message):
    with pytest.raises(AnnotationError, match=message):
        rows(*items)


def test_ignored_regions_may_overlap_and_share_an_identity():
    assert len(rows((1, 10000, 10, box(0, 0)), (1, 10000, 10, box(3, 0)), (1, 5, 1, box(20, 9)))) == 3


def test_frames_and_sizes_are_those_of_the_sequence():
    gt, pred = rows((1, 1, 2, box(0, 0)), where="GT"), rows((4, 1, 2, box(0, 0)))
    assert mots_sequence(gt, pred, None, 1, 2).length == 4
    late = mots_sequence(gt, rows((999_999_999, 1, 2, box(0, 0))), None, 0, 2)  # takes no memory
    assert (len(late), late.length) == (2, 1_000_000_000)
    with pytest.raises(AnnotationError, match="FILE: line 1: frame 4 is none of the sequence's, which are 1 to 3"):
        mots_sequence(gt, pred, 3, 1, 2)
    with pytest.raises(AnnotationError, match="FILE: line 1: frame 0 is none of the sequence's, which count from 1"):
        mots_sequence(gt, rows((0, 1, 2, box(0, 0))), None, 1, 2)
    with pytest.raises(
        AnnotationError, match=r"FILE: line 1: size \[9, 9\] is not that of the ground truth, \[20, 30\]"
    ):
        mots_sequence(gt, rows((1, 1, 2, box(0, 0, size=(9, 9)))), None, 1, 2)
