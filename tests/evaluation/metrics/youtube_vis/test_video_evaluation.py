"""All metrics at once: against TrackEval's numbers for the golden cases, and how they belong together."""

from pathlib import Path

import numpy as np
import pytest
from vis_scenes import annotation, box, gt_content, pred_track

from ictrack.evaluation.metrics import (
    bootstrap_intervals,
    evaluate_video_ap,
    evaluate_videos,
)
from ictrack.evaluation.reports.tables import are_equal
from ictrack.structures.json_files import AnnotationError, read_json

GOLDEN = Path(__file__).parents[3] / "data" / "golden_vis"
# TrackEval crashes on these two.
TRACKEVAL_CASES = sorted({path.name for path in GOLDEN.iterdir()} - {"vis_tiny_quirkshort_s0", "vis_tiny_quirksize_s0"})
METRICS = ("hota", "clear", "identity")


def load(case, *names):
    return [read_json(next((GOLDEN / case).glob(f"{name}.json*"))) for name in ("gt", "pred", *names)]


@pytest.mark.parametrize("case", TRACKEVAL_CASES)
def test_trackeval_numbers(case):
    gt, results, expected = load(case, "expected")
    evaluation = evaluate_videos(gt, results, metrics=METRICS)
    compared = set()
    for metric in METRICS:
        result = getattr(evaluation, metric)
        scores = {"cls_comb_det_av": result.total, "cls_comb_cls_av": result.class_averaged, **result.per_category}
        for name, ours in scores.items():
            reference = expected["trackeval"][name]
            for key in ours.keys() & reference.keys():
                assert ours[key] == pytest.approx(reference[key], abs=1e-9, rel=0), (name, key)
                compared.add(key)
    assert evaluation.hota.curves["alpha"] == pytest.approx(np.arange(1, 20) / 20)
    for key in ("HOTA", "DetA", "AssA", "LocA"):
        reference = expected["trackeval"]["cls_comb_det_av"][f"{key}_per_threshold"]
        assert evaluation.hota.curves[key] == pytest.approx(reference, abs=1e-9, rel=0)
    assert len(compared) == 32
    assert evaluation.ap == {}


@pytest.mark.parametrize("case", ["vis_medium_mixed_s0", "vis_tiny_quirkid0_s0", "vis_tiny_quirkshort_s0"])
def test_together_the_scores_are_those_of_each_alone(case):
    gt, results = load(case)
    evaluation = evaluate_videos(gt, results)
    for protocol in ("official", "strict"):
        alone = evaluate_video_ap(gt, results, protocol=protocol)
        np.testing.assert_array_equal(evaluation.ap[protocol].precision, alone.precision)
        np.testing.assert_array_equal(evaluation.ap[protocol].recall, alone.recall)
    association = evaluate_videos(gt, results, metrics=("clear", "identity"))
    assert (association.clear, association.identity) == (evaluation.clear, evaluation.identity)
    hota = evaluate_videos(gt, results, metrics=("hota",))
    assert hota.hota == evaluation.hota
    assert (hota.clear, hota.identity, hota.ap) == (None, None, {})


def test_protocols_share_what_does_not_differ():
    evaluation = evaluate_videos(*load("vis_medium_std_s0"))
    assert evaluation.ap["official"] is evaluation.ap["strict"]
    evaluation = evaluate_videos(*load("vis_tiny_quirkid0_s0"))
    assert not are_equal(evaluation.ap["official"].summary(), evaluation.ap["strict"].summary())


@pytest.mark.parametrize("case", ["vis_medium_mixed_s2", "vis_tiny_quirksize_s0", "vis_tiny_empty_s0"])
def test_workers_change_nothing(case):
    gt, results = load(case)
    one, two = (evaluate_videos(gt, results, workers=workers) for workers in (1, 2))
    weights = np.arange(len(gt["videos"]))
    assert [getattr(one, name) for name in (*METRICS, "warnings", "errors")] == [
        getattr(two, name) for name in (*METRICS, "warnings", "errors")
    ]
    assert one.ap.keys() == two.ap.keys()
    for protocol, result in one.ap.items():
        np.testing.assert_array_equal(result.precision, two.ap[protocol].precision)
        assert are_equal(result.summary(), two.ap[protocol].summary())
    assert are_equal(one.resample(weights), two.resample(weights))


def test_workers_tell_what_is_wrong():
    masks = [box(3), box(5)]
    gt = gt_content([annotation(masks)], lengths=(2, 2, 2))
    results = [pred_track(masks, video=video) for video in (1, 2, 3)]
    results[2]["segmentations"] = [{"size": [20, 40], "counts": "oo0"}, None]
    with pytest.raises(AnnotationError, match=r"results\[2\].segmentations\[0\]"):
        evaluate_videos(gt, results, workers=2)


def test_a_protocol_that_cannot_score_is_an_error_only_if_it_is_the_only_one():
    gt, results = load("vis_tiny_quirksize_s0")
    evaluation = evaluate_videos(gt, results)
    assert list(evaluation.ap) == ["official"]
    assert evaluation.errors["strict"].startswith("results[0].segmentations[0].size: is [80, 60]")
    assert any("another size" in warning for warning in evaluation.warnings)
    with pytest.raises(AnnotationError, match=r"^results\[0\].segmentations\[0\].size: is"):
        evaluate_videos(gt, results, protocols=("strict",))
    # Association needs no protocol.
    assert evaluate_videos(gt, results, metrics=METRICS, protocols=("strict",)).errors == {}


def test_class_agnostic_ignores_categories():
    gt, results = load("vis_medium_std_s0")
    agnostic = evaluate_videos(gt, results, class_agnostic=True)
    for entry in [*gt["annotations"], *results]:
        entry["category_id"] = gt["categories"][0]["id"]
    gt["categories"] = gt["categories"][:1]
    relabeled = evaluate_videos(gt, results)
    for metric in METRICS:
        assert getattr(agnostic, metric).total == getattr(relabeled, metric).total
        assert list(getattr(agnostic, metric).per_category) == ["object"]
    assert are_equal(agnostic.ap["official"].summary(), relabeled.ap["official"].summary())


def test_warnings_are_told_with_their_first_paths():
    masks = [box(3), box(5)]
    gt = gt_content([annotation(masks, 0)])
    results = [
        pred_track(masks),
        pred_track(masks),
        pred_track(masks[:1], 0.5),
        pred_track([*masks, box(1)], 0.4),
        pred_track(masks, category=9),
    ]
    warnings = evaluate_videos(gt, results).warnings
    starts = {warning.split(": ")[0]: warning.split(": ")[1] for warning in warnings}
    assert starts.keys() == {
        "annotations[0].id",
        "results[1]",
        "results[2].segmentations",
        "results[3].segmentations",
        "results[4].category_id",
    }
    assert starts["results[1]"].startswith("a copy of another track")
    assert evaluate_videos(gt, results[:1], protocols=("strict",)).warnings == []


def test_equal_scores_alone_are_no_copy():
    masks = [box(3), box(5)]
    assert evaluate_videos(gt_content([annotation(masks)]), [pred_track(masks), pred_track(masks[::-1])]).warnings == []


def test_nothing_at_all():
    gt = gt_content([])
    evaluation = evaluate_videos(gt, [])
    assert np.isnan(evaluation.ap["official"].summary()["AP"])
    assert evaluation.clear.total["MOTA"] == evaluation.identity.total["IDF1"] == evaluation.hota.total["HOTA"] == 0
    assert evaluation.hota.class_averaged["LocA"] == 1
    no_videos = evaluate_videos({**gt, "videos": [], "categories": []}, [])
    assert np.isnan(no_videos.ap["official"].summary()["AP"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ("ap", "mota")}, "metric must be one of ap, hota, clear, identity, not 'mota'"),
        ({"protocols": ("lenient",)}, "protocol must be one of official, strict, not 'lenient'"),
        ({"workers": 0}, "at least one worker"),
    ],
)
def test_unknown_options_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        evaluate_videos(gt_content([]), [], **options)


def drawn(gt, results, weights):
    """The data set with each video as often as its weight says."""
    videos, annotations, tracks = [], [], []
    for video, weight in zip(gt["videos"], weights):
        for _ in range(weight):
            new_id = len(videos) + 1
            videos.append({**video, "id": new_id})
            for entry in gt["annotations"]:
                if entry["video_id"] == video["id"]:
                    annotations.append({**entry, "video_id": new_id, "id": len(annotations) + 1})
            tracks += [{**entry, "video_id": new_id} for entry in results if entry["video_id"] == video["id"]]
    return {**gt, "videos": videos, "annotations": annotations}, tracks


@pytest.mark.parametrize("case", ["vis_medium_std_s0", "vis_medium_std_s2", "vis_medium_hd_s0"])
def test_resampling_equals_a_data_set_of_the_drawn_videos(case):
    gt, results = load(case)
    evaluation = evaluate_videos(gt, results)
    rng = np.random.default_rng(5)
    num_videos = len(gt["videos"])
    for _ in range(2):
        weights = np.bincount(rng.integers(num_videos, size=num_videos), minlength=num_videos)
        scores = evaluation.resample(weights)
        literal = evaluate_videos(*drawn(gt, results, weights))
        for key, expected in literal.resample(np.ones(num_videos)).items():
            assert scores[key] == pytest.approx(expected, abs=1e-9, nan_ok=True), key


def test_weights_of_one_give_the_scores_exactly():
    gt, results = load("vis_medium_mixed_s0")
    evaluation = evaluate_videos(gt, results)
    parts = {protocol: result.summary() for protocol, result in evaluation.ap.items()}
    parts |= {metric: getattr(evaluation, metric).total for metric in METRICS}
    scores = evaluation.resample(np.ones(len(gt["videos"]), dtype=np.int64))
    assert are_equal(scores, {f"{part}.{key}": value for part, one in parts.items() for key, value in one.items()})


def test_intervals_of_a_data_set():
    # One video found, one missed: the AP of draws is 0, 1/2 or 1, and both ends are drawn often.
    masks = [box(3), box(5)]
    gt = gt_content([annotation(masks), annotation(masks, 2, video=2)], lengths=(2, 2))
    evaluation = evaluate_videos(gt, [pred_track(masks)])
    intervals = bootstrap_intervals(evaluation.resample, 2, num_samples=100)
    assert intervals["official.AP"] == pytest.approx((0.0, 1.0))
    assert intervals["identity.IDF1"] == pytest.approx((0.0, 1.0))
    assert np.isnan(intervals["strict.APl"]).all()


@pytest.mark.parametrize("weights", [[1], [1, -1], [0.5, 1.5]])
def test_weights_that_are_no_draw_are_errors(weights):
    evaluation = evaluate_videos(gt_content([], lengths=(1, 1)), [])
    with pytest.raises(ValueError, match="2 whole numbers"):
        evaluation.resample(np.array(weights))
