"""SOLO's training targets: which cells an instance makes positive, and what their masks should look like.

After Wang et al., "SOLO: Segmenting Objects by Locations", ECCV 2020, section 3.3.1, and the arithmetic of the public
code (github.com/WXinlong/SOLO, mmdetection). Runs on the CPU, where the loader leaves the annotations: the arithmetic
is then the same on every device, and only masks of the size of the network's output travel to the GPU.
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
        categories: for every level (B, S, S) int64, the class of a positive cell and ``num_classes`` elsewhere.
        instance_masks: for every level (M, h, w) bool, the masks of the instances that have positive cells there, at
            the resolution of the level's mask logits.
        mask_index: for every level (P_l,) int64, the row of ``instance_masks`` of each of the level's positives.
    """

    positives: Tensor
    categories: list[Tensor]
    instance_masks: list[Tensor]
    mask_index: list[Tensor]


def bit_masks(instances: Instances) -> Tensor:
    """Ground-truth masks of an image as an (N, H, W) bool tensor, from BitMasks or PolygonMasks."""
    masks = instances.gt_masks
    if isinstance(masks, PolygonMasks):
        masks = BitMasks.from_polygon_masks(masks, *instances.image_size)
    if not isinstance(masks, BitMasks):
        raise TypeError(f"SOLO needs gt_masks of type BitMasks or PolygonMasks, got {type(masks).__name__}")
    if tuple(masks.tensor.shape[1:]) != tuple(instances.image_size):
        raise ValueError(f"gt_masks of {tuple(masks.tensor.shape[1:])} pixels for an image of {instances.image_size}")
    return masks.tensor.bool()


def mask_windows(masks: Sequence[np.ndarray], boxes: np.ndarray) -> np.ndarray:
    """A window of every mask outside of which it is empty: the box, where that holds, else the whole frame.

    Work on masks is then proportional to the objects' area and not to the frame's.

    Args:
        masks: N masks (H, W), bool.
        boxes: (N, 4) XYXY in pixels, not necessarily tight nor inside the frame.

    Returns:
        (N, 4) int64 rows y0, y1, x0, x1 (half open).
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
    """Mean (x, y) pixel index of every mask, 0-based without half-pixel shift.

    Args:
        masks: N masks (H, W), bool.
        windows: (N, 4) of :func:`mask_windows`.

    Returns:
        (N, 2) float32, NaN for an empty mask.
    """
    centers = np.full((len(masks), 2), np.nan, dtype=np.float32)
    for center, mask, (y0, y1, x0, x1) in zip(centers, masks, windows):
        # Float32 products run in BLAS and are exact: they are integers below 2^24.
        pixels = mask[y0:y1, x0:x1].astype(np.float32)
        rows = (pixels @ np.ones(x1 - x0, np.float32)).astype(np.int64)
        cols = (np.ones(y1 - y0, np.float32) @ pixels).astype(np.int64)
        area = rows.sum()
        if area:
            # The quotient of two float32 numbers, as in the reference: borders on grid lines depend on it.
            center[0] = np.float32(cols @ np.arange(x0, x1)) / np.float32(area)
            center[1] = np.float32(rows @ np.arange(y0, y1)) / np.float32(area)
    return centers


def shrink_masks(masks: Sequence[np.ndarray], windows: np.ndarray, stride: int, size: tuple[int, int]) -> np.ndarray:
    """Masks at 1/stride of the frame: a pixel is set iff 2 of the 4 pixels around its block's centre are.

    That is OpenCV's bilinear resize of a uint8 mask by an even factor. Frames smaller than ``size * stride`` count as
    padded with background.

    Args:
        masks: N masks (H, W), bool.
        windows: (N, 4) of :func:`mask_windows`.
        stride: 1, or an even number.
        size: (h, w) of the result.

    Returns:
        (N, h, w) bool.
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
    """The instance that owns each positive cell.

    An instance goes to every level whose range contains sqrt(box width * box height). Its centre region, a box of
    ``center_region`` times the box's sides around the mass centre, is mapped to cells and cut to the 3x3 block around
    the centre's cell. Later instances take cells from earlier ones.

    Args:
        boxes: (N, 4) float32 XYXY in pixels, instances of all images.
        centers: (N, 2) float32 (x, y), NaN where there is no mask; such instances are left out.
        images: (N,) int64, the image of each instance.
        num_images: images of the batch.
        padded_size: (H, W) of the network's input, to which the grid is relative.
        num_grids: S_l of every level.
        scale_ranges: [lowest, highest] scale of every level, in pixels, both included.
        center_region: side of the centre region as a fraction of the box's side.

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
    frame = torch.tensor([padded_size[1], padded_size[0]], dtype=torch.float32)
    # float32(1 / S): division by it and truncation decide cells on grid lines as in the reference.
    cell_size = torch.tensor([1 / s for s in num_grids], dtype=torch.float32)[level, None]

    def cell_of(points: Tensor) -> Tensor:
        return (points / frame / cell_size).trunc().long()

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
    """Makes :class:`SOLOTargets` of a batch. The fields are those of ``cfg.MODEL.SOLO``."""

    num_classes: int
    strides: Sequence[int]
    num_grids: Sequence[int]
    scale_ranges: Sequence[Sequence[float]]
    center_region: float

    def __call__(
        self, boxes: list[Tensor], classes: list[Tensor], masks: list[Tensor], padded_size: tuple[int, int]
    ) -> SOLOTargets:
        """Assign cells and shrink masks.

        Args:
            boxes: for every image (N_i, 4) XYXY in pixels of the network's input.
            classes: for every image (N_i,) int64 in [0, num_classes).
            masks: for every image (N_i, H_i, W_i) bool; the frame may be smaller than ``padded_size``.
            padded_size: (H, W) of the network's input.

        Returns:
            Targets on the CPU.
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
