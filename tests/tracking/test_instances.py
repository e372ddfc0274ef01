"""Detections of any detector, made plain."""

import pytest
import torch
from detectron2.structures import BitMasks, Boxes, Instances

from ictrack.tracking import plain_instances

MASKS = torch.arange(24).reshape(2, 3, 4) % 2 == 0


def test_plain_ones_are_left_alone():
    for fields in ({"scores": torch.ones(2)}, {"pred_masks": MASKS}):
        found = Instances((3, 4), **fields)
        assert plain_instances(found) is found


@pytest.mark.parametrize("masks", [BitMasks(MASKS), MASKS.float() * 0.6, MASKS.byte()], ids=["bit", "soft", "bytes"])
def test_masks_become_a_tensor_of_bool(masks):
    found = Instances((3, 4), pred_masks=masks, scores=torch.ones(2), names=["a", "b"])
    plain = plain_instances(found)
    assert plain.pred_masks.dtype == torch.bool and torch.equal(plain.pred_masks, MASKS)
    assert plain.scores is found.scores and plain.names == ["a", "b"]
    assert found.pred_masks is masks


def test_nothing_found():
    plain = plain_instances(Instances((3, 4)))
    assert isinstance(plain.pred_boxes, Boxes) and len(plain) == 0 and plain.image_size == (3, 4)
    assert plain.pred_classes.dtype == torch.int64


def test_masks_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"`pred_masks` has the shape \(2, 3, 4\) in an image of \(6, 8\)"):
        plain_instances(Instances((6, 8), pred_masks=MASKS))
