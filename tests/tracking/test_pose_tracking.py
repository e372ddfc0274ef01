"""Trackers on poses: embeddings of joints, scalar tags, OKS, and keypoints that pass through."""

import io

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ictrack.structures.joints import COCO_17
from ictrack.tracking import EmbeddingTracker, SpatialTracker, TrackerInputError
from ictrack.tracking.association import blend_embeddings, cosine_similarity, distance_similarity, unit_rows
from ictrack.tracking.overlap import pose_oks

RIGHT, UP, NONE = [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]


def poses(*people):
    """(N, 17, 3) COCO poses with the same shape at (x, y), all joints of this score."""
    shape = torch.stack([torch.arange(17) % 4 * 8.0, torch.arange(17) * 6.0], dim=1)
    points = shape + torch.tensor([person[:2] for person in people])[:, None]
    return torch.cat([points, torch.tensor([p[2] for p in people]).view(-1, 1, 1).expand(-1, 17, 1)], dim=2)


def boxes_of(keypoints):
    return [[*p[:, :2].amin(0).tolist(), *p[:, :2].amax(0).tolist()] for p in keypoints]


def test_cosine_of_parts_is_the_mean_over_those_that_both_have():
    detections = np.array([[RIGHT, UP, RIGHT], [RIGHT, NONE, NONE]])
    tracks = np.array([[RIGHT, [0.6, 0.8], NONE], [NONE, UP, UP], [NONE, NONE, NONE]])
    np.testing.assert_allclose(cosine_similarity(detections, tracks), [[(1 + 0.8) / 2, (1 + 0) / 2, 0], [1, 0, 0]])


def test_cosine_of_parts_against_loops():
    rng = np.random.default_rng(0)
    first, second = (unit_rows(rng.normal(size=(n, 5, 3)) * (rng.random((n, 5, 1)) > 0.4)) for n in (4, 6))
    found = cosine_similarity(first, second)
    for n, one in enumerate(first):
        for m, other in enumerate(second):
            both = [a @ b for a, b in zip(one, other) if a.any() and b.any()]
            assert found[n, m] == pytest.approx(np.mean(both) if both else 0)


def test_distance():
    tags = np.array([[[2.0, 1], [5, 1]], [[0, 1], [0, 0]]])  # a tag of 0 is present by its 1
    tracks = np.array([[[1.0, 1], [7, 1]], [[0, 0], [5, 1]]])
    found = distance_similarity(tags, tracks)
    np.testing.assert_allclose(found[0], [-1.5, 0])
    assert found[1, 0] == -1 and np.isfinite(found).all() and found[1, 1] < -1e15
    np.testing.assert_allclose(distance_similarity(np.array([[3.0]]), np.array([[1.0], [3.5]])), [[-2, -0.5]])


@pytest.mark.parametrize("momentum", [0.0, 0.7, 1.0])
def test_a_part_that_one_side_lacks_is_the_others(momentum):
    old, new = np.array([[[4.0], [2], [0], [0]]]), np.array([[[1.0], [0], [3], [0]]])
    blended = blend_embeddings(old, new, momentum)
    np.testing.assert_allclose(blended.ravel(), [momentum + (1 - momentum) * 4, 2, 3, 0])


class TestEmbeddings:
    def test_keypoints_pass_through_and_people_are_followed(self, make_cfg, make_detections):
        tracker = EmbeddingTracker(make_cfg())
        keypoints = poses((10.0, 10.0, 0.9), (100.0, 0.0, 0.8))
        tracker.update(make_detections([RIGHT, UP], boxes=boxes_of(keypoints), pred_keypoints=keypoints))
        swapped = keypoints[[1, 0]] + 1
        tracked = tracker.update(make_detections([UP, RIGHT], boxes=boxes_of(swapped), pred_keypoints=swapped))
        assert tracked.ID.tolist() == [1, 0] and torch.equal(tracked.pred_keypoints, swapped)

    def test_joints_decide_where_the_mean_cannot(self, make_cfg, make_detections):
        """Two people have the same two directions at different joints: their means are equal."""
        tracker = EmbeddingTracker(make_cfg())
        first, second = [RIGHT, UP], [UP, RIGHT]
        assert tracker.update(make_detections([first, second])).ID.tolist() == [0, 1]
        assert tracker.update(make_detections([second, first])).ID.tolist() == [1, 0]

    def test_an_occluded_joint_is_remembered(self, make_cfg, make_detections):
        tracker = EmbeddingTracker(make_cfg())
        tracker.update(make_detections([[RIGHT, UP]]))
        tracker.update(make_detections([[RIGHT, NONE]]))
        np.testing.assert_allclose(tracker.memory["embeddings"], [[RIGHT, UP]], atol=1e-7)
        assert tracker.update(make_detections([[NONE, UP]])).ID.tolist() == [0]

    def test_state_of_joints_can_be_saved(self, make_cfg, make_detections):
        tracker, restored, file = EmbeddingTracker(make_cfg()), EmbeddingTracker(make_cfg()), io.BytesIO()
        tracker.update(make_detections([[RIGHT, UP], [UP, RIGHT]]))
        np.savez(file, **tracker.state_dict())
        file.seek(0)
        restored.load_state_dict(np.load(file, allow_pickle=False))
        assert restored.update(make_detections([[UP, RIGHT]])).ID.tolist() == [1]

    def test_nan_in_a_joint_is_refused(self, make_cfg, make_detections):
        with pytest.raises(TrackerInputError, match=r"rows \[1\]"):
            EmbeddingTracker(make_cfg()).update(make_detections([[RIGHT, UP], [RIGHT, [0.0, float("nan")]]]))

    def test_scalar_tags_by_distance(self, make_cfg, make_detections):
        """Tags 2 and 3 have the same direction; with a new object at a distance of 0.5, 3.6 is one."""
        options = ("EMBEDDING.SIMILARITY", "distance", "EMBEDDING.NEW_OBJECT_COSINE", -0.5)
        tracker = EmbeddingTracker(make_cfg(*options))
        assert tracker.update(make_detections([[2.0], [3.0]])).ID.tolist() == [0, 1]
        assert tracker.update(make_detections([[2.9], [2.1]])).ID.tolist() == [1, 0]
        assert tracker.memory["embeddings"].ravel().tolist() == pytest.approx([0.7 * 2.1 + 0.6, 0.7 * 2.9 + 0.9])
        assert tracker.update(make_detections([[3.6]])).ID.tolist() == [2]

    def test_tags_without_a_joint_in_common_are_new(self, make_cfg, make_detections):
        options = ("EMBEDDING.SIMILARITY", "distance", "EMBEDDING.NEW_OBJECT_COSINE", -0.5)
        tracker = EmbeddingTracker(make_cfg(*options))
        tracker.update(make_detections([[[2.0, 1.0], [0.0, 0.0]]]))
        assert tracker.update(make_detections([[[0.0, 0.0], [2.0, 1.0]]])).ID.tolist() == [1]

    def test_cosine_of_single_numbers_is_refused(self, make_cfg, make_detections):
        with pytest.raises(TrackerInputError, match="SIMILARITY distance"):
            EmbeddingTracker(make_cfg()).update(make_detections([[2.0], [3.0]]))

    def test_an_unknown_similarity_is_refused(self, make_cfg):
        with pytest.raises(ValueError, match="SIMILARITY 'dot'"):
            EmbeddingTracker(make_cfg("EMBEDDING.SIMILARITY", "dot"))


class TestOKS:
    def follow(self, make_cfg, make_detections, first, second, *options):
        tracker = SpatialTracker(make_cfg("SPATIAL.COST", "oks", *options))
        found = []
        for keypoints in (first, second):
            frame = make_detections(boxes=boxes_of(keypoints), pred_keypoints=keypoints)
            found.append(tracker.update(frame).ID.tolist())
        return found[1]

    def test_similarity_is_that_of_pycocotools(self):
        rng = np.random.default_rng(1)
        truth, found = (rng.uniform(0, 80, (3, 17, 2)) for _ in range(2))
        found[0] = truth[0] + rng.normal(0, 3, (17, 2))
        areas = np.array([900.0, 2500.0, 400.0])
        visible = rng.random((3, 17)) > 0.3
        dataset = COCO()
        dataset.dataset = {
            "images": [{"id": 1}], "categories": [{"id": 1, "name": "person"}],
            "annotations": [
                {"id": m + 1, "image_id": 1, "category_id": 1, "area": areas[m], "iscrowd": 0, "bbox": [0, 0, 9, 9],
                 "num_keypoints": int(visible[m].sum()), "keypoints": np.c_[truth[m], 2 * visible[m]].ravel().tolist()}
                for m in range(3)
            ],
        }  # fmt: skip
        dataset.createIndex()
        results = dataset.loadRes(
            [{"image_id": 1, "category_id": 1, "score": 0.9 - 0.1 * n,
              "keypoints": np.c_[found[n], np.ones(17)].ravel().tolist()} for n in range(3)]
        )  # fmt: skip
        evaluation = COCOeval(dataset, results, "keypoints")
        evaluation.evaluate()
        sigmas = np.array(COCO_17.sigmas)
        ours = pose_oks(found, np.ones((3, 17), dtype=bool), truth, visible, areas, sigmas)
        np.testing.assert_allclose(ours, evaluation.ious[1, 1], atol=1e-9)
        assert ours[0, 0] > 0.3

    def test_poses_are_followed(self, make_cfg, make_detections):
        first = poses((10.0, 10.0, 0.9), (60.0, 10.0, 0.9))
        assert self.follow(make_cfg, make_detections, first, first[[1, 0]] + torch.tensor([2.0, 1, 0])) == [1, 0]

    def test_gate(self, make_cfg, make_detections):
        first = poses((10.0, 10.0, 0.9))
        second = first + torch.tensor([6.0, 0, 0])
        area = 24 * 96.0
        oks = np.exp(-36 / (2 * area * np.square(2 * np.array(COCO_17.sigmas)))).mean()
        for least, expected in ((oks - 1e-3, [0]), (oks + 1e-3, [1])):
            assert self.follow(make_cfg, make_detections, first, second, "SPATIAL.MIN_OKS", float(least)) == expected

    def test_poses_without_a_common_joint_are_not_matched(self, make_cfg, make_detections):
        first, second = poses((10.0, 10.0, 0.9)), poses((10.0, 10.0, 0.1))
        assert self.follow(make_cfg, make_detections, first, second) == [1]

    def test_wrong_input_is_named(self, make_cfg, make_detections):
        tracker = SpatialTracker(make_cfg("SPATIAL.COST", "oks"))
        with pytest.raises(TrackerInputError, match="pred_keypoints"):
            tracker.update(make_detections(scores=[0.9]))
        with pytest.raises(TrackerInputError, match=r"15 joints.* 17"):
            tracker.update(make_detections(scores=[0.9], pred_keypoints=poses((0.0, 0.0, 0.9))[:, :15]))
        with pytest.raises(TrackerInputError, match="NaN"):
            tracker.update(make_detections(scores=[0.9], pred_keypoints=poses((float("nan"), 0.0, 0.9))))
