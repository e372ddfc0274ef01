import numpy as np
import pytest
from pose_scene import TEMPLATE, gt_sequence, person, pred_sequence
from pycocotools.cocoeval import COCOeval

from ictrack.evaluation.metrics import pose_tracks
from ictrack.evaluation.metrics.association.clear_mot import clear_counts
from ictrack.structures.joints import POSETRACK_15
from ictrack.structures.json_files import AnnotationError


def coco_oks(gt, pred):
    """pycocotools' OKS of one annotated and one predicted (15, 3) person with the box area 7200."""
    evaluator = COCOeval(iouType="keypoints")
    evaluator.params.kpt_oks_sigmas = np.array(POSETRACK_15.sigmas)
    evaluator.params.maxDets = [20]
    annotation = {"keypoints": gt.ravel().tolist(), "bbox": [0, 0, 40, 180], "area": 7200}
    evaluator._gts[1, 1] = [annotation]
    evaluator._dts[1, 1] = [{"keypoints": pred.ravel().tolist(), "score": 1.0}]
    return evaluator.computeOks(1, 1)[0, 0]


def test_oks_is_that_of_pycocotools():
    rng = np.random.default_rng(0)
    places = TEMPLATE + 100 + rng.normal(0, 8, TEMPLATE.shape)
    joints = dict(zip(POSETRACK_15.names, places.tolist()))
    gt = person(0, 100.0, absent=["nose", "left_hip"])
    sequence = pose_tracks(gt_sequence([[gt]]), pred_sequence([[person(0, 100.0, joints=joints)]]))
    expected = coco_oks(np.reshape(gt["keypoints"], (15, 3)), np.concatenate([places, np.ones((15, 1))], axis=1))
    np.testing.assert_allclose(sequence.similarity[0], [[expected]], rtol=1e-12)


def test_a_joint_that_is_not_predicted_adds_nothing():
    pred = person(0, 100.0, absent=["nose", "left_hip", "left_knee"])
    for similarity in ("oks", "pckh"):
        sequence = pose_tracks(gt_sequence([[person(0, 100.0)]]), pred_sequence([[pred]]), similarity)
        np.testing.assert_allclose(sequence.similarity[0], [[12 / 15]])


def test_pckh_is_the_share_of_joints_within_reach():
    gt = [person(0, 100.0), person(1, 110.0, joints={"nose": (900.0, 0.0)}, absent=["left_knee"])]
    sequence = pose_tracks(gt_sequence([gt]), pred_sequence([[person(5, 112.0)]]), "pckh")
    np.testing.assert_allclose(sequence.similarity[0], [[1], [13 / 14]])


def test_people_without_a_box_have_that_of_their_joints():
    one = person(0, 100.0)
    boxless = {key: value for key, value in one.items() if key != "bbox"}
    # The template is 30 x 168.
    boxed = {**one, "bbox": [0, 0, 30, 168]}
    pred = pred_sequence([[person(0, 105.0)]])
    ours, expected = (pose_tracks(gt_sequence([[p]]), pred).similarity[0] for p in (boxless, boxed))
    assert 0 < expected[0, 0] < 1
    np.testing.assert_array_equal(ours, expected)


def test_tracks_of_labeled_frames_with_people_of_some_joint():
    nobody = person(9, 100.0, absent=POSETRACK_15.names)
    gt = gt_sequence(
        [[person(4, 100.0), person(2, 500.0)], [person(8, 0.0)], [nobody], [person(2, 500.0)]],
        labeled=[True, False, True, True],
    )
    pred = pred_sequence([[person(70, 500.0)], [person(60, 0.0)], [person(50, 0.0), nobody], [person(70, 500.0)]])
    sequence = pose_tracks(gt, pred)
    assert (sequence.num_gt, sequence.num_pred) == (2, 2)
    assert [ids.tolist() for ids in sequence.gt_ids] == [[1, 0], [], [0]]
    assert [ids.tolist() for ids in sequence.pred_ids] == [[1], [0], [1]]
    assert [s.shape for s in sequence.similarity] == [(2, 1), (0, 1), (1, 1)]
    counts = clear_counts(sequence)
    assert [counts[key] for key in ("CLR_TP", "CLR_FP", "CLR_FN", "IDSW")] == [2, 1, 1, 0]


def test_frames_go_by_name():
    gt = gt_sequence([[person(0, 100.0 * (t + 1))] for t in range(3)])
    pred = pred_sequence([[person(0, 100.0 * (t + 1))] for t in range(3)]).reorder_frames([2, 0, 1])
    assert all((s == 1).all() for s in pose_tracks(gt, pred).similarity)


def test_errors():
    one = [[person(0, 100.0)]]
    with pytest.raises(AnnotationError, match="images: are 2, but the ground truth has 1"):
        pose_tracks(gt_sequence(one), pred_sequence(one * 2))
    with pytest.raises(ValueError, match="the similarity must be one of oks, pckh, not 'iou'"):
        pose_tracks(gt_sequence(one), pred_sequence(one), "iou")
