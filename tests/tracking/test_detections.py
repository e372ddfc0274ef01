"""Filtering and indexing of Instances."""

import numpy as np
import pytest
import torch
from detectron2.structures import BitMasks, Boxes, Instances, PolygonMasks

from ictrack.tracking.detections import ArrayDetections, TrackerInputError, select_detections
from ictrack.tracking.instances import InstancesDetections, current_detections, select_rows, with_ids


def with_every_kind_of_field():
    instances = Instances((4, 5))
    instances.pred_boxes = Boxes(torch.arange(12.0).reshape(3, 4))
    instances.scores = torch.tensor([0.1, 0.2, 0.3])
    instances.pred_masks = BitMasks(torch.eye(3, 20).reshape(3, 4, 5) > 0)
    instances.polygons = PolygonMasks([[np.arange(6.0) + i] for i in range(3)])
    instances.names = ["a", "b", "c"]
    instances.pairs = (0, 1, 2)
    instances.numbers = np.array([[0], [1], [2]])
    return instances


def test_every_kind_of_field_is_indexed():
    picked = select_rows(with_every_kind_of_field(), np.array([0, 2]))
    assert picked.image_size == (4, 5) and len(picked) == 2
    assert picked.pred_boxes.tensor[:, 0].tolist() == [0, 8]
    assert picked.scores.tolist() == pytest.approx([0.1, 0.3])
    assert picked.pred_masks.tensor.flatten(1).nonzero().tolist() == [[0, 0], [1, 2]]
    assert [polygons[0][0] for polygons in picked.polygons.polygons] == [0, 2]
    assert picked.names == ["a", "c"] and picked.pairs == (0, 2) and picked.numbers.tolist() == [[0], [2]]


def test_no_rows_and_all_rows():
    instances = with_every_kind_of_field()
    nothing = select_rows(instances, np.zeros(0, dtype=np.int64))
    assert len(nothing) == 0 and set(nothing.get_fields()) == set(instances.get_fields())
    everything = select_rows(instances, np.arange(3))
    assert everything is not instances and everything.pred_masks is instances.pred_masks


def test_the_best_detections_enter_in_their_order(make_detections):
    detections = InstancesDetections(make_detections(scores=[0.3, 0.9, 0.1, 0.5, 0.9, 0.05]))
    for number, best, num_left_out in (
        (10, [0, 1, 2, 3, 4], 0),
        (5, [0, 1, 2, 3, 4], 0),
        (3, [1, 3, 4], 2),
        (1, [1], 4),
    ):
        rows, others = select_detections(detections, 0.1, number)
        assert rows.tolist() == best and others == num_left_out
    for nothing in (InstancesDetections(Instances((4, 5))), ArrayDetections({})):
        rows, others = select_detections(nothing, 0.1, 1)
        assert rows.tolist() == [] and others == 0


def test_scores_are_checked(make_detections):
    with pytest.raises(TrackerInputError, match=r"`scores` is not finite in rows \[1\]"):
        select_detections(InstancesDetections(make_detections(scores=[0.3, float("nan")])), 0.1, 10)
    with pytest.raises(TrackerInputError, match="no field `scores`"):
        select_detections(ArrayDetections({"pred_classes": np.zeros(1)}), 0.1, 10)


@pytest.mark.parametrize("wrap", [lambda masks: masks, BitMasks], ids=["tensor", "BitMasks"])
def test_fields_are_columns(wrap, make_detections):
    masks = torch.eye(2, 20).reshape(2, 4, 5)
    instances = make_detections(scores=[0.5, 0.25], pred_masks=wrap(masks))
    instances.embeddings = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.bfloat16, requires_grad=True)
    detections = InstancesDetections(instances)
    assert len(detections) == 2 and detections.has("pred_boxes") and not detections.has("pred_keypoints")
    assert detections.column("scores").tolist() == [0.5, 0.25]
    assert detections.column("embeddings", np.array([1])).tolist() == [[3.0, 4.0]]
    assert detections.column("pred_boxes", np.array([0])).tolist() == [[10.0, 10.0, 30.0, 30.0]]
    for rows in ([0, 1], [1]):
        picked = detections.column("pred_masks", np.array(rows))
        assert picked.dtype == bool and np.array_equal(picked, masks[rows].numpy() > 0)


def test_identities_are_as_many_as_detections(make_detections):
    instances = make_detections(scores=[0.9, 0.8])
    assert with_ids(instances, np.array([1]), np.array([7])).ID.tolist() == [7]
    with pytest.raises(ValueError, match="1 identities for 2 detections"):
        with_ids(instances, np.array([0, 1]), np.array([7]))


def test_current_detections_drops_rows_of_earlier_frames(make_detections):
    instances = make_detections(scores=[0.9, 0.8, 0.7], ID=[4, 2, 9], lost_frame_count=[0, 1, 0])
    current = current_detections(instances)
    assert current.ID.dtype == torch.int64 and current.ID.tolist() == [4, 9]
    assert current.scores.tolist() == pytest.approx([0.9, 0.7])
    assert current_detections(current).ID.tolist() == [4, 9]


def test_current_detections_of_ours_and_of_nobody(make_detections):
    ours = make_detections(scores=[0.9], ID=torch.tensor([3]))
    assert current_detections(ours) is ours
    with pytest.raises(TrackerInputError, match="tracker"):
        current_detections(make_detections(scores=[0.9]))
