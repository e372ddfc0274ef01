"""Held against the official tool's numbers (tests/data/golden_vis), against plain loops, and behaviour by behaviour."""

import copy
import re
from pathlib import Path

import numpy as np
import pytest
from plain_vis_evaluation import plain_summary
from pycocotools import mask as mask_util
from vis_scenes import SIZE, annotation, box, gt_content, pred_track

from ictrack.evaluation.metrics import evaluate_video_ap
from ictrack.evaluation.metrics.youtube_vis.track_iou import track_iou
from ictrack.evaluation.metrics.youtube_vis.track_masks import TrackMasks
from ictrack.evaluation.reports.tables import are_equal
from ictrack.structures.json_files import AnnotationError, read_json
from ictrack.structures.youtube_vis_json import check_ground_truth

GOLDEN = Path(__file__).parents[3] / "data" / "golden_vis"
CASES = sorted(path.name for path in GOLDEN.iterdir())


def load(case):
    def read(name):
        return read_json(next((GOLDEN / case).glob(f"{name}.json*")))

    return read("gt"), read("pred"), read("expected")["ytvos"]


def or_nan(official):
    """NaN for the official tool's -1, nothing to measure."""
    return np.nan if official == -1 else official


def assert_equal(ours, official):
    for key, value in official.items():
        assert ours[key] == pytest.approx(or_nan(value), abs=1e-12, rel=0, nan_ok=True), key


def test_all_golden_cases_are_here():
    assert len(CASES) == 17


@pytest.mark.parametrize("case", CASES)
def test_official_numbers(case):
    gt, results, expected = load(case)
    before = copy.deepcopy((gt, results))
    check_ground_truth(gt)
    result = evaluate_video_ap(gt, results)
    assert (gt, results) == before
    assert_equal(result.summary(), {key: expected[key] for key in result.summary()})
    assert len(result.summary()) == 12
    names = {str(category["id"]): category["name"] for category in gt["categories"]}
    per_category = result.per_category()
    assert len(per_category) == len(expected["per_category"])
    for category, numbers in expected["per_category"].items():
        assert_equal(per_category[names[category]], numbers)
    for key, values in expected["per_iou_threshold"].items():
        values = list(map(or_nan, values))
        assert result.per_threshold()[key] == pytest.approx(values, abs=1e-12, rel=0, nan_ok=True)


@pytest.mark.parametrize("case", [case for case in CASES if "tiny" in case])
def test_official_overlaps_and_areas(case):
    gt, results, expected = load(case)
    by_id = {annotation["id"]: annotation for annotation in gt["annotations"]}
    for key, pairs in expected["ious"].items():
        video_id, _ = map(int, key.split("/"))
        video = next(video for video in gt["videos"] if video["id"] == video_id)
        tracks = [by_id[i] for i in pairs["gt_ids"]], [results[i] for i in pairs["det_index"]]
        size = (video["height"], video["width"])
        gt_masks, pred_masks = (TrackMasks.read(entries, ["x"] * len(entries), size) for entries in tracks)
        iou = track_iou(pred_masks, gt_masks, cut_to_shorter=True)
        np.testing.assert_array_equal(iou, np.array(pairs["iou"]).reshape(iou.shape))
        np.testing.assert_array_equal(pred_masks.mean_areas(), pairs["det_avg_area"])


def random_scene(rng):
    """Tracks that jitter about a few places, with crowds, absences, ties, an id 0 and lists that are too short."""
    lengths = tuple(rng.integers(1, 4, rng.integers(1, 4)))
    annotations, results = [], []
    for video, length in enumerate(lengths, 1):
        for _ in range(rng.integers(1, 4)):
            places = rng.integers(0, 25), rng.integers(0, 8)
            masks = [None if rng.random() < 0.2 else box(*places) for _ in range(length)]
            category = int(rng.integers(1, 3))
            track = annotation(masks, len(annotations), video=video, category=category, iscrowd=int(rng.random() < 0.2))
            track["areas"] = [None if m is None else float(rng.choice([100, 128**2, 40000])) for m in masks]
            annotations.append(track)
            for _ in range(rng.integers(0, 4)):
                shifted = [
                    None if rng.random() < 0.1 else box(places[0] + rng.integers(0, 4), places[1])
                    for _ in range(length)
                ]
                kept = length if rng.random() < 0.8 else int(rng.integers(0, length + 1))
                score = float(rng.choice([0.3, 0.5, 0.7, rng.random()]))
                results.append(pred_track(shifted[:kept], score, video=video, category=int(rng.choice([category, 1]))))
    return gt_content(annotations, lengths=lengths), [results[i] for i in rng.permutation(len(results))]


@pytest.mark.parametrize("protocol", ["official", "strict"])
def test_random_scenes_equal_plain_loops(protocol):
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(40):
        gt, results = random_scene(rng)
        summary = evaluate_video_ap(gt, results, protocol=protocol).summary()
        assert_equal(summary, plain_summary(gt, results, strict=protocol == "strict"))
        seen.add(round(summary["AP"], 3))
    assert len(seen) > 15


def ap(gt, results, **kwargs):
    return evaluate_video_ap(gt, results, **kwargs).summary()["AP"]


def scene(**changes):
    """One video of two frames with one object, and the object found perfectly."""
    masks = [box(3), box(5)]
    return gt_content([annotation(masks, **changes)]), [pred_track(masks)]


def test_short_lists_are_free_only_in_the_official_protocol(caplog):
    gt, results = scene()
    results[0]["segmentations"] = results[0]["segmentations"][:1]
    assert ap(gt, results) == pytest.approx(1.0)
    assert "results[0].segmentations: fewer entries than the video has frames" in caplog.text
    # Half of the masks: only the threshold 0.5 is reached.
    assert ap(gt, results, protocol="strict") == pytest.approx(0.1)


def test_annotation_id_zero_is_an_id_in_the_strict_protocol(caplog):
    gt, results = scene(identity=0)
    assert ap(gt, results) == 0.0
    assert "annotations[0].id: the id 0" in caplog.text
    assert ap(gt, results, protocol="strict") == pytest.approx(1.0)


def test_masks_of_another_size_are_an_error_in_the_strict_protocol(caplog):
    gt, results = scene()
    results[0]["segmentations"] = [results[0]["segmentations"][0], box(5, size=(21, 40))]
    assert ap(gt, results) == pytest.approx(1.0)
    assert "results[0].segmentations[1].size: a mask of another size" in caplog.text
    with pytest.raises(AnnotationError, match=r"results\[0\].segmentations\[1\].size: is \[21, 40\].* \[20, 40\]"):
        ap(gt, results, protocol="strict")


def test_protocols_agree_where_nothing_is_wrong():
    gt, results, _ = load("vis_medium_std_s0")
    official, strict = (evaluate_video_ap(gt, results, protocol=p) for p in ("official", "strict"))
    np.testing.assert_array_equal(official.precision, strict.precision)
    np.testing.assert_array_equal(official.recall, strict.recall)
    with pytest.raises(ValueError, match="protocol"):
        evaluate_video_ap(gt, results, protocol="lenient")


def test_class_agnostic_is_one_category():
    gt, results, _ = load("vis_medium_std_s0")
    merged = evaluate_video_ap(gt, results, class_agnostic=True)
    assert [name for _, name in merged.categories] == ["object"]
    relabeled = copy.deepcopy((gt, results))
    relabeled[0]["categories"] = [{"id": 5, "name": "any"}]
    for entry in [*relabeled[0]["annotations"], *relabeled[1]]:
        entry["category_id"] = 5
    assert are_equal(merged.summary(), evaluate_video_ap(*relabeled).summary())
    assert not are_equal(merged.summary(), evaluate_video_ap(gt, results).summary())


def test_wrong_category_counts_only_class_agnostically():
    gt, results = scene()
    results[0]["category_id"] = 2
    assert ap(gt, results) == 0.0
    assert ap(gt, results, class_agnostic=True) == pytest.approx(1.0)


def test_a_perfect_score_is_one_but_for_rounding():
    assert ap(*scene()) == 0.9999999999999998


def test_no_results_score_zero():
    gt, _ = scene()
    summary = evaluate_video_ap(gt, []).summary()
    assert summary["AP"] == summary["AR100"] == 0.0
    assert np.isnan(summary["APl"])
    assert np.isnan(ap({**gt, "annotations": []}, []))


def test_categories_with_nothing_to_find_are_left_out_of_means():
    gt, results = scene()
    results.append(pred_track([box(20), box(20)], category=2))
    result = evaluate_video_ap(gt, results)
    assert result.summary()["AP"] == pytest.approx(1.0)
    assert np.isnan(result.per_category()["dog"]["AP"])
    # A category with crowds only has nothing to find either.
    gt["annotations"].append(annotation([box(20), box(20)], 2, category=2, iscrowd=1))
    assert np.isnan(evaluate_video_ap(gt, results).per_category()["dog"]["AP"])


def test_a_key_ignore_of_the_ground_truth_has_no_effect():
    assert ap(*scene(ignore=1)) == pytest.approx(1.0)


def test_a_crowd_absorbs_all_that_overlap_it():
    gt, results = scene()
    gt["annotations"].append(annotation([box(20), box(20)], 2, iscrowd=1))
    results += [pred_track([box(20), box(20)], 0.95), pred_track([box(20), box(20)], 0.96)]
    assert ap(gt, results) == pytest.approx(1.0)
    # One that is small beside it does not overlap it enough, though it lies inside.
    results.append(pred_track([box(20, width=2), box(20, width=2)], 0.99))
    assert ap(gt, results) == pytest.approx(0.5)


def test_a_track_without_masks_is_to_be_found_and_a_result_without_masks_is_wrong():
    gt, results = scene()
    gt["annotations"].append(annotation([None, None], 2))
    assert evaluate_video_ap(gt, results).summary()["AR100"] == pytest.approx(0.5)
    gt, results = scene()
    results.append(pred_track([None, None], 0.95))
    summary = evaluate_video_ap(gt, results).summary()
    assert (summary["AP"], summary["APs"]) == (pytest.approx(0.5), pytest.approx(0.5))


def test_results_in_videos_without_ground_truth_are_wrong():
    masks = [box(3), box(5)]
    gt = gt_content([annotation(masks)], lengths=(2, 2))
    assert ap(gt, [pred_track(masks), pred_track(masks, 0.95, video=2)]) == pytest.approx(0.5)


def test_equal_scores_are_pooled_by_video_id_and_then_in_the_order_of_the_file():
    masks, nothing = [box(3), box(5)], [box(25), box(25)]
    gt = gt_content([annotation(masks)], lengths=(2, 2))
    gt["videos"].reverse()
    right, wrong = pred_track(masks), pred_track(nothing)
    elsewhere = pred_track(nothing, video=2)
    assert ap(gt, [elsewhere, right]) == pytest.approx(1.0)
    assert ap(gt, [right, wrong]) == pytest.approx(1.0)
    assert ap(gt, [wrong, right]) == pytest.approx(0.5)


def test_detections_are_limited_by_video_and_category():
    masks, nothing = [box(3), box(5)], [box(25), box(25)]
    gt = gt_content([annotation(masks)])
    wrong = [pred_track(nothing, 0.95)] * 99
    assert evaluate_video_ap(gt, [*wrong, pred_track(masks)]).summary()["AR100"] == pytest.approx(1.0)
    assert evaluate_video_ap(gt, [*wrong, pred_track(nothing, 0.95), pred_track(masks)]).summary()["AR100"] == 0.0
    others = [pred_track(nothing, 0.95, category=2)] * 100
    assert evaluate_video_ap(gt, [*others, pred_track(masks)]).summary()["AR1"] == pytest.approx(1.0)
    ten = [pred_track(nothing, 0.95)] * 9
    assert evaluate_video_ap(gt, [*ten, pred_track(masks)]).summary()["AR10"] == pytest.approx(1.0)
    assert evaluate_video_ap(gt, [*ten, pred_track(nothing, 0.95), pred_track(masks)]).summary()["AR10"] == 0.0


def test_an_exact_quotient_matches_at_its_own_threshold():
    # 18 of 20 columns: IoU 0.9 reaches the thresholds up to 0.9.
    gt = gt_content([annotation([box(0, width=20)])], lengths=(1,))
    assert ap(gt, [pred_track([box(0, width=18)])]) == pytest.approx(0.9)


def test_areas_of_the_ground_truth_come_from_the_file_and_of_results_from_the_masks():
    gt, results = scene(areas=[20000, 20000])
    results[0] |= {"areas": [1e6, 1e6], "bboxes": None, "iscrowd": 1, "id": "x"}
    summary = evaluate_video_ap(gt, results).summary()
    assert summary["APm"] == pytest.approx(1.0)
    assert np.isnan([summary["APs"], summary["APl"]]).all()


def test_areas_and_iscrowd_may_be_missing_in_the_ground_truth():
    gt, results = scene()
    del gt["annotations"][0]["areas"], gt["annotations"][0]["iscrowd"]
    summary = evaluate_video_ap(gt, results).summary()
    assert summary["APs"] == pytest.approx(1.0)
    assert np.isnan(summary["APm"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": float("nan")}, "results[0].score: must be a finite number"),
        ({"score": float("inf")}, "results[0].score: must be a finite number"),
        ({"video_id": 3}, "results[0].video_id: there is no video 3"),
        ({"video_id": [3]}, "results[0].video_id: there is no video"),
        ({"category_id": "1"}, "results[0].category_id: must be an integer"),
        ({"segmentations": None}, "results[0].segmentations: must be a list"),
        ({"segmentations": [None, {"size": [20, 40], "counts": "oo0"}]}, "results[0].segmentations[1]: "),
    ],
)
def test_what_cannot_be_scored_is_located(change, message):
    gt, results = scene()
    with pytest.raises(AnnotationError, match=re.escape(message)):
        evaluate_video_ap(gt, [{**results[0], **change}])


def test_results_may_come_as_run_lists_and_polygons():
    gt, results, expected = load("vis_tiny_basic_s0")
    for result in results:
        for i, rle in enumerate(result["segmentations"]):
            mask = mask_util.decode({**rle, "counts": rle["counts"].encode()})
            edges = np.flatnonzero(np.diff(mask.ravel(order="F"), prepend=0)) if mask.any() else []
            counts = np.diff([0, *edges, mask.size]).tolist()
            result["segmentations"][i] = {"size": rle["size"], "counts": counts}
    assert_equal(evaluate_video_ap(gt, results).summary(), {"AP": expected["AP"], "AR1": expected["AR1"]})
    polygon = [[5, 2, 15, 2, 15, 12, 5, 12]]
    drawn = mask_util.decode(mask_util.merge(mask_util.frPyObjects(polygon, *SIZE)))
    runs = np.diff([0, *np.flatnonzero(np.diff(drawn.ravel(order="F"), prepend=0)), drawn.size]).tolist()
    gt = gt_content([annotation([], segmentations=[{"size": list(SIZE), "counts": runs}], areas=None)], lengths=(1,))
    assert ap(gt, [pred_track([polygon])]) == pytest.approx(1.0)


def test_unknown_categories_are_left_out_with_a_warning(caplog):
    gt, results = scene()
    results += [pred_track([box(3), box(5)], category=7)] * 5
    assert ap(gt, results) == pytest.approx(1.0)
    line = "results[1].category_id, results[2].category_id, results[3].category_id and 2 more: a category that"
    assert line in caplog.text
