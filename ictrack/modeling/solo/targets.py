"""Training targets of SOLO: positive cells of the instances, and their masks.

After Wang et al., "SOLO: Segmenting Objects by Locations", ECCV 2020, section 3.3.1, with the arithmetic of the public
code (github.com/WXinlong/SOLO, mmdetection). Targets are computed on the CPU, where the loader leaves the annotations:
results are the same for every device, and only masks at the network's output resolution go to the GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from detectron2.structures import BitMasks, Instances, PolygonMasks
from torch import Tensor


@dataclass(frozen=True)
class SOLOTargets:
    """Targets of a batch of B images.

    Attributes:
        positives: (P, 5) int64 rows (image, level, row, col, instance index in its image), sorted by the first four.
        categories: (B, S, S) int64 of every level: class of positive cells, ``num_classes`` elsewhere.
        instance_masks: (M, h, w) bool of every level: masks of the instances that have positive cells there, at the
            resolution of the level's mask logits.
        mask_index: (P_l,) int64 of every level: row of ``instance_masks`` for each of the level's positives.
    """

    positives: Tensor
    categories: list[Tensor]
    instance_masks: list[Tensor]
    mask_index: list[Tensor]


def bit_masks(instances: Instances) -> Tensor:
    """(N, H, W) bool ground-truth masks of an image, from BitMasks or PolygonMasks."""
    masks = instances.gt_masks
    if isinstance(masks, PolygonMasks):
        masks = BitMasks.from_polygon_masks(masks, *instances.image_size)
    if not isinstance(masks, BitMasks):
        raise TypeError(f"SOLO needs gt_masks of type BitMasks or PolygonMasks, got {type(masks).__name__}")
    if tuple(masks.tensor.shape[1:]) != tuple(instances.image_size):
        raise ValueError(f"gt_masks of {tuple(masks.tensor.shape[1:])} pixels for an image of {instances.image_size}")
    return masks.tensor.bool()


def mask_windows(masks: Sequence[np.ndarray], boxes: np.ndarray) -> np.ndarray:
    """Window of every mask outside of which it is empty: its box, or the whole image if the box is too small. Work on
    masks is then proportional to the objects' areas.

    Args:
        masks: N bool masks (H, W).
        boxes: (N, 4) XYXY in pixels, not necessarily tight nor inside the image.

    Returns:
        (N, 4) int64 y0, y1, x0, x1 (half open).
    """
    sides = np.array([mask.shape for mask in masks]).reshape(-1, 2)
    corners = np.stack(
        [np.floor(boxes[:, 1]), np.ceil(boxes[:, 3]), np.floor(boxes[:, 0]), np.ceil(boxes[:, 2])], axis=1
    )
    windows = np.clip(corners, 0, sides.repeat(2, axis=1)).astype(np.int64)
    for mask, window in zip(masks, windows):
        y0, y1, x0, x1 = window
        if np.count_nonzero(mask[y0:y1, x0:x1]) != np.count_nonzero(mask):
            window[:] = 0, mask.shape[0], 0, mask.shape[1]
    return windows


def mass_centers(masks: Sequence[np.ndarray], windows: np.ndarray) -> np.ndarray:
    """(N, 2) float32 mean (x, y) pixel index of every mask, without half-pixel shift; NaN for an empty mask.

    Args:
        masks: N bool masks (H, W).
        windows: (N, 4) of :func:`mask_windows`.
    """
    centers = np.full((len(masks), 2), np.nan, dtype=np.float32)
    for center, mask, (y0, y1, x0, x1) in zip(centers, masks, windows):
        # Float32 products run in BLAS and are exact: their values are integers below 2^24.
        pixels = mask[y0:y1, x0:x1].astype(np.float32)
        rows = (pixels @ np.ones(x1 - x0, np.float32)).astype(np.int64)
        cols = (np.ones(y1 - y0, np.float32) @ pixels).astype(np.int64)
        area = rows.sum()
        if area:
            # A quotient of float32 numbers, as in the reference: cells on grid lines depend on it.
            center[0] = np.float32(cols @ np.arange(x0, x1)) / np.float32(area)
            center[1] = np.float32(rows @ np.arange(y0, y1)) / np.float32(area)
    return centers


def shrink_masks(masks: Sequence[np.ndarray], windows: np.ndarray, stride: int, size: tuple[int, int]) -> np.ndarray:
    """(N, h, w) bool masks at 1/stride of the size: a pixel is set iff 2 of the 4 pixels around its block's center are.

    Equals OpenCV's bilinear resize of a uint8 mask by an even factor. Masks smaller than ``size * stride`` are padded
    with background.

    Args:
        masks: N bool masks (H, W).
        windows: (N, 4) of :func:`mask_windows`.
        stride: 1, or an even number.
        size: (h, w) of the result.
    """
    out = np.zeros((len(masks), *size), dtype=bool)
    centre = ((stride - 1) // 2, stride // 2)
    for target, mask, (y0, y1, x0, x1) in zip(out, masks, windows):
        top, left = y0 // stride, x0 // stride
        window = mask[top * stride : y1, left * stride : x1].view(np.uint8)
        count = np.zeros((-(-window.shape[0] // stride), -(-window.shape[1] // stride)), dtype=np.uint8)
        for row in centre:
            for col in centre:
                samples = window[row::stride, col::stride]
                count[: samples.shape[0], : samples.shape[1]] += samples
        target[top : top + count.shape[0], left : left + count.shape[1]] = count >= 2
    return out


def assign_cells(
    boxes: Tensor,
    centers: Tensor,
    images: Tensor,
    num_images: int,
    padded_size: tuple[int, int],
    num_grids: Sequence[int],
    scale_ranges: Sequence[Sequence[float]],
    center_region: float,
) -> Tensor:
    """Positive cells and the instances that own them.

    An instance is assigned to every level whose range contains sqrt(box width * box height). Its center region, a box
    of ``center_region`` times the box's sides around the mass center, is mapped to cells and cut to the 3x3 block
    around the center's cell. Later instances take cells from earlier ones.

    Args:
        boxes: (N, 4) float32 XYXY in pixels, of the instances of all images.
        centers: (N, 2) float32 (x, y) mass centers; instances with NaN are left out.
        images: (N,) int64 image of each instance.
        num_images: Number of images.
        padded_size: (H, W) of the network's input with padding, which the grids divide.
        num_grids: S_l of every level.
        scale_ranges: [lowest, highest] scale of every level, in pixels, both included.
        center_region: Sides of the center region as a fraction of the box's.

    Returns:
        (P, 5) int64 rows (image, level, row, col, instance in 0..N-1), sorted by the first four.
    """
    box_sides = boxes[:, 2:] - boxes[:, :2]
    scales = box_sides.prod(dim=1).sqrt()
    lowest, highest = torch.tensor(scale_ranges, dtype=torch.float32).unbind(1)
    fits = (scales[:, None] >= lowest) & (scales[:, None] <= highest) & ~centers[:, :1].isnan()
    instance, level = fits.nonzero().unbind(1)

    sides = torch.tensor(num_grids)
    cells_until = (sides * sides).cumsum(0)
    side, first_cell = sides[level, None], (cells_until - sides * sides)[level]
    input_side = torch.tensor([padded_size[1], padded_size[0]], dtype=torch.float32)
    # Division by float32(1 / S) and truncation decide cells on grid lines as in the reference.
    cell_size = torch.tensor([1 / s for s in num_grids], dtype=torch.float32)[level, None]

    def cell_of(points: Tensor) -> Tensor:
        return (points / input_side / cell_size).trunc().long()

    center = centers[instance]
    half = 0.5 * box_sides[instance] * center_region
    middle = cell_of(center)
    low = torch.maximum(cell_of(center - half).clamp(min=0), middle - 1)
    high = torch.minimum(torch.minimum(cell_of(center + half), side - 1), middle + 1)

    block = middle[:, None] + torch.arange(-1, 2)[:, None]  # (M, 3, 2): x and y of three columns and rows
    inside = (block >= low[:, None]) & (block <= high[:, None])
    inside = inside[:, :, None, 1] & inside[:, None, :, 0]  # (M, 3 rows, 3 columns)
    cell = first_cell[:, None, None] + block[:, :, None, 1] * side[:, None] + block[:, None, :, 0]

    num_cells = int(cells_until[-1])
    owner = torch.full((num_images * num_cells,), -1)
    key = images[instance][:, None, None] * num_cells + cell
    owner.scatter_reduce_(0, key[inside], instance[:, None, None].expand_as(key)[inside], "amax")
    key = (owner >= 0).nonzero().squeeze(1)
    cell = key % num_cells
    level = torch.bucketize(cell, cells_until, right=True)
    cell_in_level = cell - (cells_until - sides * sides)[level]
    return torch.stack(
        [key // num_cells, level, cell_in_level // sides[level], cell_in_level % sides[level], owner[key]], dim=1
    )


@dataclass(frozen=True)
class SOLOTargetAssigner:
    """Assigner of :class:`SOLOTargets` to a batch; the fields are those of ``cfg.MODEL.SOLO``."""

    num_classes: int
    strides: Sequence[int]
    num_grids: Sequence[int]
    scale_ranges: Sequence[Sequence[float]]
    center_region: float

    def __call__(
        self, boxes: list[Tensor], classes: list[Tensor], masks: list[Tensor], padded_size: tuple[int, int]
    ) -> SOLOTargets:
        """Targets of a batch, on the CPU.

        Args:
            boxes: (N_i, 4) XYXY of every image, in pixels of the network's input.
            classes: (N_i,) int64 in [0, num_classes) of every image.
            masks: (N_i, H_i, W_i) bool of every image, without padding.
            padded_size: (H, W) of the network's input with padding.
        """
        counts = torch.tensor([len(b) for b in boxes])
        all_masks = [mask for m in masks for mask in m.cpu().numpy()]
        all_boxes = torch.cat(boxes).detach().cpu().float()
        all_classes = torch.cat(classes).cpu()
        windows = mask_windows(all_masks, all_boxes.numpy())
        positives = assign_cells(
            all_boxes,
            torch.from_numpy(mass_centers(all_masks, windows)),
            torch.arange(len(masks)).repeat_interleave(counts),
            len(masks),
            padded_size,
            self.num_grids,
            self.scale_ranges,
            self.center_region,
        )

        categories, instance_masks, mask_index = [], [], []
        for level, (stride, side) in enumerate(zip(self.strides, self.num_grids)):
            image, _, row, col, instance = positives[positives[:, 1] == level].unbind(1)
            labels = torch.full((len(masks), side, side), self.num_classes)
            labels[image, row, col] = all_classes[instance]
            members, index = instance.unique(return_inverse=True)
            mask_stride = stride // 2
            size = (padded_size[0] // mask_stride, padded_size[1] // mask_stride)
            shrunk = shrink_masks([all_masks[i] for i in members], windows[members.numpy()], mask_stride, size)
            categories.append(labels)
            instance_masks.append(torch.from_numpy(shrunk))
            mask_index.append(index)
        # From indices into the batch to indices into each image.
        positives[:, 4] -= (counts.cumsum(0) - counts)[positives[:, 0]]
        return SOLOTargets(positives, categories, instance_masks, mask_index)
