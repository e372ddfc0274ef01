"""Polygons of masks give the same pixels again."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as mask_util

from ictrack.structures.polygons import polygons_of_mask, polygons_of_rle
from ictrack.structures.rle import encode_mask


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_the_mask_comes_back(mask):
    polygons = polygons_of_rle(encode_mask(mask))
    if not mask.any():
        assert polygons == []
        return
    rle = mask_util.merge(mask_util.frPyObjects(polygons, *mask.shape))
    np.testing.assert_array_equal(mask_util.decode(rle), mask)


def test_a_rectangle_has_four_corners():
    mask = np.zeros((6, 8), bool)
    mask[1:4, 2:7] = True
    assert polygons_of_mask(mask) == [[2, 1, 7, 1, 7, 4, 2, 4]]


def test_a_hole_is_cut_from_above_and_parts_stay_apart():
    mask = np.ones((5, 7), bool)
    mask[2, 3] = False
    mask[:, 5] = False
    polygons = polygons_of_mask(mask)
    assert len(polygons) == 2 and sorted(map(len, polygons)) == [8, 22]
