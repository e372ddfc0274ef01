"""Held against the official tool's numbers (tests/data/golden_vis) and against dense masks and plain loops."""

import copy
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as mask_util

from ictrack.evaluation.metrics import evaluate_video_ap, track_iou
from ictrack.evaluation.metrics.track_iou import TrackMasks
from ictrack.evaluation.metrics.video_ap import AREA_RANGES, IOU_THRESHOLDS, VideoMatches, match_tracks, match_videos
from ictrack.structures.rle import encode_mask
from ictrack.structures.youtube_vis_json import AnnotationError, check_ground_truth, read_json

GOLDEN = Path(__file__).parents[2] / "data" / "golden_vis"
CASES = sorted(path.name for path in GOLDEN.iterdir())


def load(case):
    def read(name):
        return read_json(next((GOLDEN / case).glob(f"{name}.json*")))

    return read("gt"), read("pred"), read("expected")["ytvos"]


def assert_equal(ours, official):
    for key, value in official.items():
        assert ours[key] == pytest.approx(value, abs=1e-12, rel=0), key


def test_all_golden_cases_are_here():
    assert len(CASES) == 17


@pytest.mark.parametrize("case", CASES)
def test_official_numbers(case):
    ground_truth, results, expected = load(case)
    before = copy.deepcopy((ground_truth, results))
    check_ground_truth(ground_truth)
    result = evaluate_video_ap(ground_truth, results)
    assert (ground_truth, results) == before
    assert_equal(result.summary(), {key: expected[key] for key in result.summary()})
    assert len(result.summary()) == 12
    names = {str(category["id"]): category["name"] for category in ground_truth["categories"]}
    per_category = result.per_category()
    assert len(per_category) == len(expected["per_category"])
    for category, numbers in expected["per_category"].items():
        assert_equal(per_category[names[category]], numbers)
    for key, values in expected["per_iou_threshold"].items():
        assert result.per_threshold()[key] == pytest.approx(values, abs=1e-12, rel=0)


@pytest.mark.parametrize("case", [case for case in CASES if "tiny" in case])
def test_official_overlaps_and_areas(case):
    ground_truth, results, expected = load(case)
    for key, pairs in expected["ious"].items():
        video_id, category = map(int, key.split("/"))
        video = next(video for video in ground_truth["videos"] if video["id"] == video_id)
        by_id = {annotation["id"]: annotation for annotation in ground_truth["annotations"]}
        truth = [by_id[i] for i in pairs["gt_ids"]]
        found = [results[i] for i in pairs["det_index"]]
        assert all(entry["category_id"] == category for entry in truth + found)
        size = (video["height"], video["width"])
        truth_masks, found_masks = (TrackMasks.read(entries, ["x"] * len(entries), size) for entries in (truth, found))
        iou = track_iou.track_iou(found_masks, truth_masks, cut_to_shorter=True)
        np.testing.assert_array_equal(iou, np.array(pairs["iou"]).reshape(iou.shape))
        np.testing.assert_array_equal(found_masks.mean_areas(), pairs["det_avg_area"])


def random_tracks(rng, count, length, sizes, uneven):
    """Dense masks (None: absent) and entries of ``count`` tracks."""
    dense, entries = [], []
    for _ in range(count):
        masks = []
        for _ in range(length - (int(rng.integers(0, 3)) if uneven else 0)):
            shape = sizes[rng.integers(len(sizes))]
            masks.append(None if rng.random() < 0.25 else rng.random(shape) < rng.choice([0.0, 0.3, 0.7, 1.0]))
        dense.append(masks)
        entries.append({"segmentations": [None if mask is None else encode_mask(mask) for mask in masks]})
    return dense, entries


def plain_iou(detection, truth, cut):
    intersection = union = 0
    length = min(len(detection), len(truth)) if cut else max(len(detection), len(truth))
    for t in range(length):
        d, g = ((masks[t] if t < len(masks) else None) for masks in (detection, truth))
        if d is not None and g is not None:
            if d.shape == g.shape:
                intersection, union = intersection + (d & g).sum(), union + (d | g).sum()
        else:
            union += sum(int(mask.sum()) for mask in (d, g) if mask is not None)
    return intersection / union if union else 0.0


@pytest.mark.parametrize("sizes", [[(5, 7)], [(5, 7), (7, 5)]])
@pytest.mark.parametrize("cut", [False, True])
def test_track_iou_equals_dense_masks(sizes, cut):
    rng = np.random.default_rng(1)
    for _ in range(50):
        length, num_found, num_truth = rng.integers(1, 9), rng.integers(0, 5), rng.integers(0, 5)
        found, found_entries = random_tracks(rng, num_found, length, sizes, cut)
        truth, truth_entries = random_tracks(rng, num_truth, length, sizes, cut)
        masks = [TrackMasks.read(entries, ["x"] * len(entries), (5, 7)) for entries in (found_entries, truth_entries)]
        expected = [[plain_iou(d, g, cut) for g in truth] for d in found]
        iou = track_iou.track_iou(*masks, cut_to_shorter=cut)
        np.testing.assert_array_equal(iou, np.reshape(expected, iou.shape))
        means = [[mask.sum() for mask in masks if mask is not None and mask.any()] for masks in found]
        np.testing.assert_allclose(masks[0].mean_areas(), [np.mean(m) if m else 0.0 for m in means], rtol=1e-12)


def plain_match(iou, areas, truth_areas, crowd, has_id, area_range, threshold):
    """The official loop, for one area range and threshold."""
    low, high = area_range
    ignore = [c or a < low or a > high for c, a in zip(crowd, truth_areas)]
    order = sorted(range(len(ignore)), key=lambda g: ignore[g])
    used = set()
    matched, ignored = [], []
    for d in range(len(areas)):
        best, best_iou = None, threshold
        for g in order:
            if g in used and not crowd[g]:
                continue
            if best is not None and not ignore[best] and ignore[g]:
                break
            if iou[d, g] >= best_iou:
                best, best_iou = g, iou[d, g]
        if best is not None:
            used.add(best)
        matched.append(best is not None and bool(has_id[best]))
        outside = areas[d] < low or areas[d] > high
        ignored.append((best is not None and bool(ignore[best])) or (not matched[-1] and outside))
    return matched, ignored, sum(not i for i in ignore)


def test_matching_equals_the_plain_loop():
    rng = np.random.default_rng(2)
    for _ in range(60):
        num_found, num_truth = rng.integers(0, 9), rng.integers(0, 7)
        iou = rng.choice([0.0, 0.3, 0.5, 0.55, 0.7, 0.7, 0.8, 1.0], (num_found, num_truth))
        areas, truth_areas = (rng.choice([0, 5000, 128**2, 40000, 256**2, 1e6], n) for n in (num_found, num_truth))
        crowd, has_id = rng.random(num_truth) < 0.25, rng.random(num_truth) < 0.8
        scores = -np.sort(-rng.random(num_found))
        result = match_tracks(iou, scores, areas, truth_areas, crowd, has_id)
        for a, area_range in enumerate(AREA_RANGES):
            for t, threshold in enumerate(IOU_THRESHOLDS):
                matched, ignored, count = plain_match(iou, areas, truth_areas, crowd, has_id, area_range, threshold)
                assert result.matched[a, t].tolist() == matched
                assert result.ignored[a, t].tolist() == ignored
                assert result.num_ground_truth[a] == count


def square(x, size=6, shape=(20, 40)):
    mask = np.zeros(shape, dtype=bool)
    mask[2 : 2 + size, x : x + size] = True
    return encode_mask(mask)


def scene(**truth):
    """One video of two frames with one object, and the object found perfectly."""
    masks = [square(3), square(5)]
    annotation = {"id": 1, "video_id": 1, "category_id": 1, "iscrowd": 0, "areas": [36, 36], "segmentations": masks}
    video = {"id": 1, "height": 20, "width": 40, "length": 2, "file_names": ["a/0.jpg", "a/1.jpg"]}
    result = {"video_id": 1, "category_id": 1, "score": 0.9, "segmentations": masks}
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    return {"videos": [video], "categories": categories, "annotations": [{**annotation, **truth}]}, [result]


def ap(ground_truth, results, **kwargs):
    return evaluate_video_ap(ground_truth, results, **kwargs).summary()["AP"]


def test_short_lists_are_free_only_in_the_official_protocol(caplog):
    ground_truth, results = scene()
    results[0]["segmentations"] = results[0]["segmentations"][:1]
    assert ap(ground_truth, results) == pytest.approx(1.0)
    assert "1 results have fewer segmentations" in caplog.text
    # Half of the masks: only the threshold 0.5 is reached.
    assert ap(ground_truth, results, protocol="strict") == pytest.approx(0.1)


def test_annotation_id_zero_is_an_id_in_the_strict_protocol():
    ground_truth, results = scene(id=0)
    assert ap(ground_truth, results) == 0.0
    assert ap(ground_truth, results, protocol="strict") == pytest.approx(1.0)


def test_masks_of_another_size_are_an_error_in_the_strict_protocol():
    ground_truth, results = scene()
    results[0]["segmentations"] = [results[0]["segmentations"][0], square(5, shape=(21, 40))]
    assert ap(ground_truth, results) == pytest.approx(1.0)
    with pytest.raises(AnnotationError, match=r"results\[0\].segmentations\[1\].size: is \[21, 40\]"):
        ap(ground_truth, results, protocol="strict")


def test_protocols_agree_where_nothing_is_wrong():
    ground_truth, results, _ = load("vis_medium_std_s0")
    official, strict = (evaluate_video_ap(ground_truth, results, protocol=p) for p in ("official", "strict"))
    np.testing.assert_array_equal(official.precision, strict.precision)
    with pytest.raises(ValueError, match="protocol"):
        evaluate_video_ap(ground_truth, results, protocol="lenient")


def test_class_agnostic_is_one_category():
    ground_truth, results, _ = load("vis_medium_std_s0")
    merged = evaluate_video_ap(ground_truth, results, class_agnostic=True)
    assert [name for _, name in merged.categories] == ["object"]
    relabelled = copy.deepcopy((ground_truth, results))
    relabelled[0]["categories"] = [{"id": 5, "name": "any"}]
    for entry in [*relabelled[0]["annotations"], *relabelled[1]]:
        entry["category_id"] = 5
    assert merged.summary() == evaluate_video_ap(*relabelled).summary()
    assert merged.summary() != evaluate_video_ap(ground_truth, results).summary()


def test_wrong_category_counts_only_class_agnostically():
    ground_truth, results = scene()
    results[0]["category_id"] = 2
    assert ap(ground_truth, results) == 0.0
    assert ap(ground_truth, results, class_agnostic=True) == pytest.approx(1.0)


def test_no_results_score_zero():
    ground_truth, _ = scene()
    summary = evaluate_video_ap(ground_truth, []).summary()
    assert summary["AP"] == summary["AR100"] == 0.0
    assert summary["APl"] == -1.0
    assert evaluate_video_ap({**ground_truth, "annotations": []}, []).summary()["AP"] == -1.0


def test_areas_and_iscrowd_may_be_missing_in_the_ground_truth():
    ground_truth, results = scene()
    del ground_truth["annotations"][0]["areas"], ground_truth["annotations"][0]["iscrowd"]
    summary = evaluate_video_ap(ground_truth, results).summary()
    assert summary["APs"] == pytest.approx(1.0)
    assert summary["APm"] == -1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": float("nan")}, r"results\[0\].score: must be a finite number"),
        ({"score": float("inf")}, r"results\[0\].score: must be a finite number"),
        ({"video_id": 3}, r"results\[0\].video_id: there is no video 3"),
        ({"video_id": [3]}, r"results\[0\].video_id: there is no video"),
        ({"category_id": "1"}, r"results\[0\].category_id: must be an integer"),
        ({"segmentations": None}, r"results\[0\].segmentations: must be a list"),
        ({"segmentations": [None, {"size": [20, 40], "counts": "oo0"}]}, r"results\[0\].segmentations\[1\]: .*add up"),
    ],
)
def test_what_cannot_be_scored_is_located(change, message):
    ground_truth, results = scene()
    with pytest.raises(AnnotationError, match=message):
        evaluate_video_ap(ground_truth, [{**results[0], **change}])


def test_results_may_come_as_run_lists_and_polygons():
    ground_truth, results, expected = load("vis_tiny_basic_s0")
    for result in results:
        for i, rle in enumerate(result["segmentations"]):
            mask = mask_util.decode({**rle, "counts": rle["counts"].encode()})
            edges = np.flatnonzero(np.diff(mask.ravel(order="F"), prepend=0)) if mask.any() else []
            counts = np.diff([0, *edges, mask.size]).tolist()
            result["segmentations"][i] = {"size": rle["size"], "counts": counts}
    assert_equal(evaluate_video_ap(ground_truth, results).summary(), {"AP": expected["AP"], "AR1": expected["AR1"]})


def test_matches_are_kept_by_video():
    ground_truth, results, _ = load("vis_medium_std_s0")
    matches = match_videos(ground_truth, results, class_agnostic=True, protocol="official")
    assert len(matches) == len({entry["video_id"] for entry in [*ground_truth["annotations"], *results]})
    assert all(isinstance(match, VideoMatches) for match in matches.values())
