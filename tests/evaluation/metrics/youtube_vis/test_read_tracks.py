import pytest
from vis_scenes import annotation, box, gt_content, pred_track

from ictrack.evaluation.metrics.youtube_vis.read_tracks import TrackReader, categories_of
from ictrack.structures.json_files import AnnotationError

MASKS = [box(3), None]


def test_tracks_are_grouped_by_category():
    gt = gt_content(
        [annotation(MASKS, 1, category=2), annotation(MASKS, 2), annotation(MASKS, 3, category=2)], lengths=(2, 2)
    )
    results = [pred_track(MASKS, category=2), pred_track(MASKS, video=2), pred_track(MASKS)]
    tracks = TrackReader(gt, results, class_agnostic=False).read(1)
    groups = {k: (tracks.gt[rows], tracks.pred[others]) for k, rows, others in tracks.groups}
    assert groups == {1: ([0, 2], [0]), 0: ([1], [2])}
    assert len(tracks.gt_masks) == 3
    assert len(tracks.pred_masks) == 2
    agnostic = TrackReader(gt, results, class_agnostic=True).read(1)
    assert [(k, agnostic.gt[rows], agnostic.pred[others]) for k, rows, others in agnostic.groups] == [
        (0, [0, 1, 2], [0, 2])
    ]


def test_only_the_best_are_read():
    scores = [0.5, 0.9, 0.1, 0.5, 0.7]
    broken = {"size": [20, 40], "counts": "oo0"}
    results = [pred_track(MASKS, score) for score in scores]
    results[2]["segmentations"] = results[3]["segmentations"] = [broken, None]
    reader = TrackReader(gt_content([]), results, class_agnostic=False)
    assert reader.read(1, max_detections=3).pred == [0, 1, 4]
    with pytest.raises(AnnotationError, match=r"results\[2\].segmentations\[0\]"):
        reader.read(1)


def test_categories_come_by_rising_id():
    gt = {"categories": [{"id": 5, "name": "b"}, {"id": 2, "name": "a"}, {"id": 9}]}
    assert categories_of(gt, False) == ((2, "a"), (5, "b"), (9, "9"))
    assert categories_of(gt, True) == ((0, "object"),)


@pytest.mark.parametrize(("key", "value"), [("video_id", 9), ("category_id", 9)])
def test_an_annotation_of_nothing_known_is_an_error(key, value):
    gt = gt_content([annotation(MASKS), annotation(MASKS, 2, **{key: value})])
    with pytest.raises(AnnotationError, match=rf"annotations\[1\].{key}: there is none with id 9"):
        TrackReader(gt, [], class_agnostic=False)


@pytest.mark.parametrize(("results", "message"), [({}, "results: must be a list"), ([1], r"results\[0\]: must be an")])
def test_results_that_are_no_tracks_are_errors(results, message):
    with pytest.raises(AnnotationError, match=message):
        TrackReader(gt_content([]), results, class_agnostic=False)
