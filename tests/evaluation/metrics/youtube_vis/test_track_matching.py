import numpy as np
from plain_vis_evaluation import plain_match

from ictrack.evaluation.metrics.youtube_vis.matching import AREA_RANGES, IOU_THRESHOLDS, annotated_areas, match_tracks
from ictrack.evaluation.metrics.youtube_vis.track_masks import TrackMasks


def test_matching_equals_the_plain_loop():
    rng = np.random.default_rng(2)
    for _ in range(60):
        num_pred, num_gt = rng.integers(0, 9), rng.integers(0, 7)
        iou = rng.choice([0.0, 0.3, 0.5, 0.55, 0.7, 0.7, 0.8, 1.0], (num_pred, num_gt))
        areas, gt_areas = (rng.choice([0, 5000, 128**2, 40000, 256**2, 1e6], n) for n in (num_pred, num_gt))
        crowd, has_id = rng.random(num_gt) < 0.25, rng.random(num_gt) < 0.8
        scores = -np.sort(-rng.random(num_pred))
        result = match_tracks(iou, scores, areas, gt_areas, crowd, has_id)
        for a, area_range in enumerate(AREA_RANGES):
            for t, threshold in enumerate(IOU_THRESHOLDS):
                matched, ignored, count = plain_match(iou, areas, gt_areas, crowd, has_id, area_range, threshold)
                assert result.matched[a, t].tolist() == matched
                assert result.ignored[a, t].tolist() == ignored
                assert result.num_gt[a] == count


def match(iou, *, crowd=None, gt_areas=None, areas=None):
    iou = np.array(iou, dtype=float)
    num_pred, num_gt = iou.shape
    return match_tracks(
        iou,
        np.linspace(0.9, 0.1, num_pred),
        np.full(num_pred, 100.0) if areas is None else np.array(areas, dtype=float),
        np.full(num_gt, 100.0) if gt_areas is None else np.array(gt_areas, dtype=float),
        np.zeros(num_gt, dtype=bool) if crowd is None else np.array(crowd),
        np.ones(num_gt, dtype=bool),
    )


def test_the_later_of_equal_ground_truths_is_taken():
    # The first detection takes the second ground truth, so the next one is left with nothing that fits.
    assert match([[0.6, 0.6], [0.0, 0.6]]).matched[0, 0].tolist() == [True, False]
    assert match([[0.6, 0.6], [0.6, 0.0]]).matched[0, 0].tolist() == [True, True]


def test_an_ignored_ground_truth_is_taken_only_if_no_other_fits():
    result = match([[0.55, 0.9]], crowd=[False, True])
    assert result.ignored[0, :, 0].tolist() == [False] * 2 + [True] * 7 + [False]
    assert result.matched[0, :, 0].tolist() == [True] * 9 + [False]
    assert result.num_gt[0] == 1


def test_a_crowd_absorbs_any_number_of_detections():
    result = match([[0.8], [0.7], [0.6]], crowd=[True])
    assert result.ignored[0, 0].all()
    assert not (result.matched & ~result.ignored).any()


def test_a_detection_inside_a_crowd_is_wrong_as_its_plain_iou_is_low():
    result = match([[0.1]], crowd=[True])
    assert not result.matched[0, 0, 0]
    assert not result.ignored[0, 0, 0]


def test_limits_of_area_ranges_belong_to_both():
    result = match([[0.9, 0.0], [0.0, 0.9]], gt_areas=[128**2, 256**2], areas=[128**2, 256**2])
    assert result.num_gt.tolist() == [2, 1, 2, 1]
    # Unmatched, they are wrong in both ranges, and ignored in the third.
    missed = match(np.zeros((2, 0)), areas=[128**2, 256**2])
    assert missed.ignored[:, 0].tolist() == [[False, False], [False, True], [False, False], [True, False]]


def test_exact_quotients_reach_their_own_threshold():
    for i in range(10):
        assert match([[(10 + i) / 20]]).matched[0, :, 0].sum() == i + 1


def test_annotated_areas_come_from_the_file_before_the_masks():
    segmentation = {"size": [2, 3], "counts": [1, 5]}
    entries = [
        {"segmentations": [segmentation, None], "areas": [7.5, None]},
        {"segmentations": [segmentation, None], "areas": [0, None]},
        {"segmentations": [segmentation, None]},
        {"segmentations": [segmentation, None], "areas": None},
    ]
    masks = TrackMasks.read(entries, ["x"] * 4, (2, 3))
    assert annotated_areas(entries, masks).tolist() == [7.5, 0.0, 5.0, 5.0]
