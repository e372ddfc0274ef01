from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from detectron2.structures import BitMasks, Instances, PolygonMasks
from hypothesis import given, settings

from ictrack.modeling.solo.ground_truth_masks import (
    bit_masks,
    mask_windows,
    mass_centers,
    shrink_masks,
    shrink_unpadded_masks,
)
from ictrack.modeling.solo.targets import SOLOTargetAssigner

PUBLISHED = SOLOTargetAssigner(
    num_classes=80,
    mask_strides=[4, 4, 8, 16, 16],
    num_grids=[40, 36, 24, 16, 12],
    scale_ranges=[[1, 96], [48, 192], [96, 384], [192, 768], [384, 2048]],
    center_region=0.2,
    trains_every_pair=False,
    shrink_padded_masks=True,
)
SMALL = SOLOTargetAssigner(
    num_classes=4,
    mask_strides=[4, 4, 8, 16],
    num_grids=[20, 16, 12, 8],
    scale_ranges=[[1, 48], [24, 96], [48, 192], [96, 512]],
    center_region=0.2,
    trains_every_pair=False,
    shrink_padded_masks=True,
)


def random_instances(generator, count, height, width, largest):
    """Rectangles; some empty, some with a box that is looser than the mask, some with pixels outside of the box."""
    masks = np.zeros((count, height, width), dtype=bool)
    boxes = np.zeros((count, 4), dtype=np.float32)
    for i in range(count):
        side = generator.integers(2, largest, 2)
        y, x = generator.integers(0, height - 1), generator.integers(0, width - 1)
        y1, x1 = min(y + side[0], height), min(x + side[1], width)
        kind = generator.integers(10)
        masks[i, y:y1, x:x1] = kind > 0
        boxes[i] = np.array([x, y, x1, y1]) + generator.normal(size=4) * (kind > 5)
        if kind == 1:
            masks[i, generator.integers(height), generator.integers(width)] = True
    return torch.from_numpy(boxes), torch.from_numpy(generator.integers(0, 4, count)), torch.from_numpy(masks)


def cells_by_definition(boxes, masks, padded_size, num_grids, scale_ranges, center_region):
    """The rule, instance by instance and cell by cell: {(level, row, col): instance}."""
    owner = {}
    for level, (side, (low, high)) in enumerate(zip(num_grids, scale_ranges)):
        cell_size = np.float32(1 / side)
        for i, (box, mask) in enumerate(zip(boxes.numpy(), masks.numpy())):
            w, h = box[2] - box[0], box[3] - box[1]
            if not mask.any() or not low <= np.sqrt(max(w * h, 0)) <= high:
                continue
            ys, xs = mask.nonzero()
            x, y = np.float32(xs.sum()) / np.float32(len(xs)), np.float32(ys.sum()) / np.float32(len(ys))

            def cell(value, size, cell_size=cell_size):
                return int((value / np.float32(size)) / cell_size)  # int() truncates

            half_x, half_y = (np.float32(0.5) * s * np.float32(center_region) for s in (w, h))
            row, col = cell(y, padded_size[0]), cell(x, padded_size[1])
            top, bottom = max(0, cell(y - half_y, padded_size[0])), min(side - 1, cell(y + half_y, padded_size[0]))
            left, right = max(0, cell(x - half_x, padded_size[1])), min(side - 1, cell(x + half_x, padded_size[1]))
            for r in range(max(top, row - 1), min(bottom, row + 1) + 1):
                for c in range(max(left, col - 1), min(right, col + 1) + 1):
                    owner[level, r, c] = i
    return owner


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), count=st.integers(0, 12))
def test_definition(seed, count):
    generator = np.random.default_rng(seed)
    batch = [random_instances(generator, n, 90, 123, 120) for n in (count, 0, 3)]
    boxes, classes, masks = (list(x) for x in zip(*batch))
    padded_size = (96, 128)
    targets = SMALL(boxes, classes, masks, padded_size)
    expected = [
        [image, *cell, instance]
        for image in range(3)
        for cell, instance in sorted(
            cells_by_definition(
                boxes[image], masks[image], padded_size, SMALL.num_grids, SMALL.scale_ranges, SMALL.center_region
            ).items()
        )
    ]
    assert targets.positives.tolist() == expected

    for level, (side, stride) in enumerate(zip(SMALL.num_grids, SMALL.mask_strides)):
        on_level = targets.positives[targets.positives[:, 1] == level]
        labels = torch.full((3, side, side), SMALL.num_classes)
        for image, _, row, col, instance in on_level.tolist():
            labels[image, row, col] = classes[image][instance]
        assert torch.equal(targets.categories[level], labels)

        # The center pixels of a block of the padded mask: at least two of four.
        cell_masks = targets.instance_masks[level][targets.mask_index[level]]
        assert cell_masks.shape == (len(on_level), padded_size[0] // stride, padded_size[1] // stride)
        for (image, *_, instance), mask in zip(on_level.tolist(), cell_masks):
            padded = np.zeros(padded_size, dtype=int)
            padded[:90, :123] = masks[image][instance]
            blocks = padded.reshape(padded_size[0] // stride, stride, padded_size[1] // stride, stride)
            center = slice(stride // 2 - 1, stride // 2 + 1)
            middle = blocks[:, center, :, center]
            np.testing.assert_array_equal(mask.numpy(), middle.sum(axis=(1, 3)) >= 2)


def test_later_instances_take_cells():
    mask = torch.zeros(2, 64, 64, dtype=torch.bool)
    mask[:, 16:48, 16:48] = True
    boxes = torch.tensor([[16.0, 16, 48, 48]]).expand(2, 4)
    targets = SMALL([boxes], [torch.tensor([1, 3])], [mask], (64, 64))
    assert targets.positives[:, 4].unique().tolist() == [1]
    assert set(torch.cat([x.flatten() for x in targets.categories]).tolist()) == {3, SMALL.num_classes}


def test_every_pair_is_trained_and_the_later_owns_the_cell():
    """Both instances keep their cell in the mask loss; in the batch's second image instances count from 0 again."""
    mask = torch.zeros(2, 64, 64, dtype=torch.bool)
    mask[0, 16:48, 16:48] = True
    mask[1, 20:44, 20:44] = True
    boxes, classes = torch.tensor([[16.0, 16, 48, 48]] * 2), torch.tensor([1, 3])
    every_pair = replace(SMALL, trains_every_pair=True, mask_strides=[4] * 4)
    targets = every_pair([boxes[:0], boxes], [classes[:0], classes], [mask[:0], mask], (64, 64))
    own_cells = SMALL([boxes[:0], boxes], [classes[:0], classes], [mask[:0], mask], (64, 64)).positives
    assert torch.equal(targets.positives, own_cells)
    shared = [row[:4] for row in targets.mask_cells.tolist() if row[4] == 0]
    assert shared and [[*row, 1] for row in shared] == targets.positives.tolist()
    assert targets.mask_cells.tolist() == sorted([[*row, i] for row in shared for i in (0, 1)])
    for level in range(4):
        rows = targets.mask_cells[targets.mask_cells[:, 1] == level, 4]
        masks = targets.instance_masks[level][targets.mask_index[level]]
        assert torch.equal(masks.sum((1, 2)), torch.tensor([64, 36])[rows])


def test_unpadded_masks_are_stretched():
    """A full mask of 10 x 7 pixels becomes round(10 / 4) x round(7 / 4) full pixels, padded it becomes 3 x 2 blocks of
    which the last row has its two center rows beyond the mask's end."""
    full = np.ones((1, 10, 7), dtype=bool)
    unpadded = shrink_unpadded_masks(full, 4, (4, 4))
    assert unpadded[0, :3, :2].all() and unpadded.sum() == 6
    padded = shrink_masks(full, mask_windows(full, np.zeros((1, 4), np.float32)), 4, (4, 4))
    assert padded[0, :3, :2].all() and padded.sum() == 6
    half = full.copy()
    half[0, 5:] = False  # rows 0 to 4 of 10: the second of three shrunk rows is centered at 4.5, half of it is set
    assert shrink_unpadded_masks(half, 4, (4, 4)).sum() == 4
    assert shrink_masks(half, mask_windows(half, np.zeros((1, 4), np.float32)), 4, (4, 4)).sum() == 2


def test_scale_ranges_include_both_ends():
    mask = torch.ones(1, 96, 96, dtype=torch.bool)
    for side, levels in ((24.0, {0, 1}), (48.0, {0, 1, 2}), (48.5, {1, 2}), (600.0, set())):
        targets = SMALL([torch.tensor([[0, 0, side, side]])], [torch.tensor([0])], [mask], (96, 96))
        assert set(targets.positives[:, 1].tolist()) == levels


def test_no_instance_at_all():
    nothing = (torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 64, 96, dtype=torch.bool))
    targets = SMALL(*([x, x] for x in nothing), (64, 96))
    assert targets.positives.shape == (0, 5)
    assert all((x == SMALL.num_classes).all() and len(x) == 2 for x in targets.categories)
    assert [tuple(x.shape) for x in targets.instance_masks] == [(0, 16, 24), (0, 16, 24), (0, 8, 12), (0, 4, 6)]


def test_windows_contain_their_masks():
    generator = np.random.default_rng(3)
    boxes, _, masks = random_instances(generator, 60, 50, 70, 40)
    masks = masks.numpy()
    windows = mask_windows(list(masks), boxes.numpy())
    for mask, (y0, y1, x0, x1) in zip(masks, windows):
        assert mask[y0:y1, x0:x1].sum() == mask.sum()
    assert (windows[:, 1] - windows[:, 0] < 50).any()  # not all are the whole frame
    centers = mass_centers(list(masks), windows)
    for mask, (x, y) in zip(masks, centers):
        if mask.any():
            ys, xs = mask.nonzero()
            assert (x, y) == pytest.approx((xs.mean(), ys.mean()), rel=1e-6)
        else:
            assert np.isnan([x, y]).all()


def test_shrinking_by_one_is_the_mask():
    mask = np.random.default_rng(0).random((7, 9)) > 0.5
    np.testing.assert_array_equal(shrink_masks([mask], np.array([[0, 7, 0, 9]]), 1, (7, 9))[0], mask)


def test_2000_instances():
    generator = np.random.default_rng(0)
    height, width = 480, 800
    corners = generator.integers(0, [width - 60, height - 60], (2000, 2))
    boxes = np.concatenate([corners, corners + generator.integers(4, 60, (2000, 2))], axis=1)
    masks = np.zeros((2000, height, width), dtype=bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes):
        mask[y0:y1, x0:x1] = True
    assert masks.any()  # and all of it is in memory
    classes = torch.from_numpy(generator.integers(0, 80, 2000))
    targets = PUBLISHED([torch.from_numpy(boxes)], [classes], [torch.from_numpy(masks)], (height, width))
    assert 1000 < len(targets.positives) <= 40**2 + 36**2


def test_mask_types():
    polygon = [np.array([2.0, 2, 2, 10, 12, 10, 12, 2])]
    instances = Instances((16, 20), gt_masks=PolygonMasks([polygon, polygon]))
    masks = bit_masks(instances)
    assert masks.shape == (2, 16, 20)
    assert masks[0, 3:9, 3:11].all() and masks[0].sum() <= 9 * 11
    assert bit_masks(Instances((16, 20), gt_masks=PolygonMasks([]))).shape == (0, 16, 20)
    with pytest.raises(ValueError, match=r"\(16, 21\) pixels for an image of \(16, 20\)"):
        bit_masks(Instances((16, 20), gt_masks=BitMasks(torch.zeros(1, 16, 21))))
    with pytest.raises(TypeError, match="Tensor"):
        bit_masks(Instances((16, 20), gt_masks=torch.zeros(1, 16, 20)))
