import numpy as np
import pytest
from plain_vis_evaluation import plain_iou
from pycocotools import mask as mask_util

from ictrack.evaluation.metrics.youtube_vis.track_iou import pair_overlaps, track_iou, track_iou_from
from ictrack.evaluation.metrics.youtube_vis.track_masks import TrackMasks
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.rle import encode_mask


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


def read(entries, size=(5, 7)):
    return TrackMasks.read(entries, [f"results[{i}]" for i in range(len(entries))], size)


@pytest.mark.parametrize("sizes", [[(5, 7)], [(5, 7), (7, 5)]])
@pytest.mark.parametrize("cut", [False, True])
def test_track_iou_equals_dense_masks(sizes, cut):
    rng = np.random.default_rng(1)
    for _ in range(50):
        length, num_pred, num_gt = rng.integers(1, 9), rng.integers(0, 5), rng.integers(0, 5)
        pred, pred_entries = random_tracks(rng, num_pred, length, sizes, cut)
        gt, gt_entries = random_tracks(rng, num_gt, length, sizes, cut)
        masks = [read(entries) for entries in (pred_entries, gt_entries)]
        expected = np.reshape([[plain_iou(d, g, not cut) for g in gt] for d in pred], (num_pred, num_gt))
        iou = track_iou(*masks, cut_to_shorter=cut)
        np.testing.assert_array_equal(iou, expected)
        np.testing.assert_array_equal(track_iou(*masks, cut_to_shorter=cut, overlaps=pair_overlaps(*masks)), iou)
        from_half = track_iou_from(0.5, *masks, cut_to_shorter=cut)
        np.testing.assert_array_equal(np.where(iou >= 0.5, iou, 0), np.where(from_half >= 0.5, from_half, 0))
        means = [[mask.sum() for mask in masks if mask is not None and mask.any()] for masks in pred]
        np.testing.assert_allclose(masks[0].mean_areas(), [np.mean(m) if m else 0.0 for m in means], rtol=1e-12)


def random_boxes(rng, count, length, size):
    entries = []
    for _ in range(count):
        masks = []
        for _ in range(length):
            mask = np.zeros(size, dtype=bool)
            top, left = rng.integers(0, size[0]), rng.integers(0, size[1])
            mask[top : top + rng.integers(1, size[0]), left : left + rng.integers(1, size[1])] = True
            masks.append(encode_mask(mask))
        entries.append({"segmentations": masks})
    return entries


def test_no_pair_that_reaches_the_threshold_is_passed_over():
    rng = np.random.default_rng(4)
    num_zero = num_reached = 0
    for _ in range(60):
        masks = [read(random_boxes(rng, 6, 1, (12, 15)), (12, 15)) for _ in range(2)]
        iou = track_iou(*masks, cut_to_shorter=True)
        from_half = track_iou_from(0.5, *masks, cut_to_shorter=True)
        reached = iou >= 0.5
        np.testing.assert_array_equal(iou[reached], from_half[reached])
        assert (from_half[~reached] < 0.5).all()
        num_reached += reached.sum()
        num_zero += ((from_half == 0) & (iou > 0)).sum()
    assert num_reached > 10
    assert num_zero > 100  # that is what it is for


def test_a_threshold_that_is_met_exactly_is_met():
    # Half of the ground truth, inside it: the bounds are the overlap itself.
    gt, pred = np.zeros((4, 6), dtype=bool), np.zeros((4, 6), dtype=bool)
    gt[:, 1:5], pred[:, 1:3] = True, True
    masks = [read([{"segmentations": [encode_mask(mask)]}], (4, 6)) for mask in (pred, gt)]
    assert track_iou_from(0.5, *masks, cut_to_shorter=True).tolist() == [[0.5]]


def test_a_frame_with_one_mask_only_adds_it_to_the_union():
    mask = encode_mask(np.ones((2, 3), dtype=bool))
    masks = read([{"segmentations": [mask, mask]}], (2, 3)), read([{"segmentations": [mask, None]}], (2, 3))
    assert track_iou(*masks, cut_to_shorter=True).tolist() == [[0.5]]


def test_masks_without_pixels_are_masks_but_left_out_of_the_mean():
    full, empty = (encode_mask(np.full((2, 3), value)) for value in (True, False))
    masks = read([{"segmentations": [full, empty, None]}, {"segmentations": [empty, None, None]}], (2, 3))
    assert masks.present.tolist() == [[True, True, False], [True, False, False]]
    assert masks.mean_areas().tolist() == [6.0, 0.0]


def test_all_forms_of_masks_are_read_alike():
    full = np.zeros((5, 7), dtype=bool)
    full[1:4, 2:5] = True
    rle = encode_mask(full)
    runs = {"size": [5, 7], "counts": [11, 3, 2, 3, 2, 3, 11]}
    polygon = [[2, 1, 5, 1, 5, 4, 2, 4]]
    masks = read([{"segmentations": [rle, runs, polygon, [], None]}])
    assert masks.areas.tolist() == [[9, 9, 9, 0, 0]]
    assert masks.columns[0].tolist() == [[2, 4], [2, 4], [2, 4], [0, -1], [0, -1]]
    assert masks.present.tolist() == [[True, True, True, False, False]]
    assert [values.tolist() for values in pair_overlaps(masks, masks)] == [[0, 1, 2], [0] * 3, [0] * 3, [1.0] * 3]


def test_masks_of_other_sizes_are_marked_and_not_compared():
    masks = read([{"segmentations": [encode_mask(np.ones(shape, dtype=bool))]} for shape in ((5, 7), (7, 5))])
    assert masks.other_size.tolist() == [[False], [True]]
    frame, pred, gt, iou = pair_overlaps(masks, masks)
    assert frame.tolist() == [0] * 4
    assert list(zip(pred.tolist(), gt.tolist(), iou.tolist())) == [(0, 0, 1), (1, 0, -1), (0, 1, -1), (1, 1, 1)]


@pytest.mark.parametrize("segmentation", [0, {}, "", 5, {"size": [5, 7], "counts": "oo0"}])
def test_what_is_no_mask_is_located(segmentation):
    with pytest.raises(AnnotationError, match=r"results\[1\].segmentations\[2\]: "):
        read([{"segmentations": [None]}, {"segmentations": [None, None, segmentation]}])


def test_all_masks_that_overlap_are_found():
    rng = np.random.default_rng(2)
    size = (12, 40)
    num_apart = 0
    for _ in range(30):
        pred, gt = (random_boxes(rng, count, 6, size) for count in (5, 3))
        for entry in (*pred, *gt):
            entry["segmentations"] = [mask if rng.random() < 0.7 else None for mask in entry["segmentations"]]
        pairs = pair_overlaps(read(pred, size), read(gt, size))
        expected = []
        for frame in range(6):
            for g, one in enumerate(gt):
                for d, other in enumerate(pred):
                    masks = [entry["segmentations"][frame] for entry in (other, one)]
                    if None not in masks and (iou := mask_util.iou(masks[:1], masks[1:], [0])[0, 0]):
                        expected.append((frame, d, g, iou))
                    num_apart += None not in masks and not iou
        assert list(zip(*(values.tolist() for values in pairs))) == expected
    assert num_apart > 100
