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

from .grid import grid_cells


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


def mask_windows(masks: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """A window of every mask outside of which it is empty: the box, where that holds, else the whole frame.

    Work on masks is then proportional to the objects' area and not to the frame's.

    Args:
        masks: (N, H, W) bool.
        boxes: (N, 4) XYXY in pixels, not necessarily tight nor inside the frame.

    Returns:
        (N, 4) int64 rows y0, y1, x0, x1 (half open).
    """
    height, width = masks.shape[1:]
    limits = np.array([height, height, width, width])
    windows = np.stack(
        [np.floor(boxes[:, 1]), np.ceil(boxes[:, 3]), np.floor(boxes[:, 0]), np.ceil(boxes[:, 2])], axis=1
    )
    windows = np.clip(windows, 0, limits).astype(np.int64)
    for mask, window in zip(masks, windows):
        y0, y1, x0, x1 = window
        if np.count_nonzero(mask[y0:y1, x0:x1]) != np.count_nonzero(mask):
            window[:] = 0, height, 0, width
    return windows


def mass_centers(masks: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Mean (x, y) pixel index of every mask, 0-based without half-pixel shift.

    Args:
        masks: (N, H, W) bool.
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


def shrink_masks(masks: np.ndarray, windows: np.ndarray, stride: int, size: tuple[int, int]) -> np.ndarray:
    """Masks at 1/stride of the frame: a pixel is set iff 2 of the 4 pixels around its block's centre are.

    That is OpenCV's bilinear resize of a uint8 mask by an even factor. Frames smaller than ``size * stride`` count as
    padded with background.

    Args:
        masks: (N, H, W) bool.
        windows: (N, 4) of :func:`mask_windows`.
        stride: 1, or an even number.
        size: (h, w) of the result.

    Returns:
        (N, h, w) bool.
    """
    out = np.zeros((len(masks), *size), dtype=np.uint8)
    first = (stride - 1) // 2
    second = stride // 2
    for target, mask, (y0, y1, x0, x1) in zip(out, masks, windows):
        top, left = y0 // stride, x0 // stride
        window = mask[top * stride : y1, left * stride : x1].view(np.uint8)
        for row in (first, second):
            for col in (first, second):
                samples = window[row::stride, col::stride]
                target[top : top + samples.shape[0], left : left + samples.shape[1]] += samples
    return out >= 2


def assign_cells(
    boxes: Tensor,
    centers: Tensor,
    padded_size: tuple[int, int],
    num_grids: Sequence[int],
    scale_ranges: Sequence[Sequence[float]],
    center_region: float,
) -> Tensor:
    """The instance that owns each positive cell of one image.

    An instance goes to every level whose range contains sqrt(box width * box height). Its centre region, a box of
    ``center_region`` times the box's sides around the mass centre, is mapped to cells and cut to the 3x3 block around
    the centre's cell. Later instances take cells from earlier ones.

    Args:
        boxes: (N, 4) float32 XYXY in pixels.
        centers: (N, 2) float32 (x, y), NaN where there is no mask; such instances are left out.
        padded_size: (H, W) of the network's input, to which the grid is relative.
        num_grids: S_l of every level.
        scale_ranges: [lowest, highest] scale of every level, in pixels, both included.
        center_region: side of the centre region as a fraction of the box's side.

    Returns:
        (P, 4) int64 rows (level, row, col, instance), sorted by the first three.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    scales = sides.prod(dim=1).sqrt()
    lowest, highest = torch.tensor(scale_ranges, dtype=torch.float32).unbind(1)
    fits = (scales[:, None] >= lowest) & (scales[:, None] <= highest) & ~centers[:, :1].isnan()
    instance, level = fits.nonzero().unbind(1)

    frame = torch.tensor([padded_size[1], padded_size[0]], dtype=torch.float32)
    sides_of_grid = torch.tensor(num_grids)
    last = sides_of_grid[level, None] - 1
    # float32(1 / S): division by it and truncation decide cells on grid lines as in the reference.
    cell_size = torch.tensor([1 / side for side in num_grids], dtype=torch.float32)[level, None]

    def cell_of(points: Tensor) -> Tensor:
        return (points / frame / cell_size).trunc().long()

    center = centers[instance]
    half = 0.5 * sides[instance] * center_region
    middle = cell_of(center)
    low = torch.maximum(cell_of(center - half).clamp(min=0), middle - 1)
    high = torch.minimum(torch.minimum(cell_of(center + half), last), middle + 1)

    block = middle[:, None] + torch.arange(-1, 2)[:, None]  # (M, 3, 2): x and y of three columns and rows
    inside = (block >= low[:, None]) & (block <= high[:, None])
    inside = inside[:, :, None, 1] & inside[:, None, :, 0]  # (M, 3 rows, 3 columns)
    sizes = sides_of_grid.square()
    first_cell = sizes.cumsum(0) - sizes
    rows, cols = block[:, :, None, 1], block[:, None, :, 0]
    flat = first_cell[level, None, None] + rows * sides_of_grid[level, None, None] + cols

    owner = torch.full((int(sizes.sum()),), -1)
    owner.scatter_reduce_(0, flat[inside], instance[:, None, None].expand_as(flat)[inside], "amax")
    positive = owner >= 0
    return torch.cat([grid_cells(num_grids)[positive], owner[positive, None]], dim=1)


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
        arrays = [m.cpu().numpy() for m in masks]
        boxes = [b.detach().cpu().float() for b in boxes]
        windows = [mask_windows(m, b.numpy()) for m, b in zip(arrays, boxes)]
        rows = []
        for image, (image_masks, image_boxes, image_windows) in enumerate(zip(arrays, boxes, windows)):
            centers = torch.from_numpy(mass_centers(image_masks, image_windows))
            cells = assign_cells(
                image_boxes, centers, padded_size, self.num_grids, self.scale_ranges, self.center_region
            )
            rows.append(torch.cat([torch.full((len(cells), 1), image), cells], dim=1))
        positives = torch.cat(rows)

        categories, instance_masks, mask_index = [], [], []
        for level, (stride, side) in enumerate(zip(self.strides, self.num_grids)):
            on_level = positives[positives[:, 1] == level]
            labels = torch.full((len(masks), side, side), self.num_classes)
            owners, index = on_level[:, [0, 4]].unique(dim=0, return_inverse=True)
            mask_stride = stride // 2
            size = (padded_size[0] // mask_stride, padded_size[1] // mask_stride)
            shrunk = [np.zeros((0, *size), dtype=bool)]
            for image in owners[:, 0].unique().tolist():
                own = on_level[on_level[:, 0] == image]
                labels[image, own[:, 2], own[:, 3]] = classes[image].cpu()[own[:, 4]]
                members = owners[owners[:, 0] == image, 1].numpy()
                shrunk.append(shrink_masks(arrays[image][members], windows[image][members], mask_stride, size))
            categories.append(labels)
            instance_masks.append(torch.from_numpy(np.concatenate(shrunk)))
            mask_index.append(index)
        return SOLOTargets(positives, categories, instance_masks, mask_index)
