import numpy as np

from ictrack.evaluation.metrics.association.overlap import box_iou, match


def test_iou_of_boxes_without_area():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 0, 10], [5, 5, -3, 4], [5, 0, 10, 10]], dtype=float)
    expected = np.zeros((4, 4))
    expected[0, 0] = expected[3, 3] = 1.0
    expected[0, 3] = expected[3, 0] = 1 / 3
    assert np.allclose(box_iou(boxes, boxes), expected, atol=1e-15)


def test_a_match_has_the_highest_sum_of_those_that_overlap_by_half():
    rows, columns = match(np.array([[0.9, 0.8], [0.7, 0.1], [0.0, 0.49]]))
    assert list(zip(rows.tolist(), columns.tolist())) == [(0, 1), (1, 0)]
    assert match(np.array([[np.nextafter(0.5, 0)]]))[0].tolist() == [0]
    assert match(np.zeros((0, 3)))[0].tolist() == []
