"""Training targets of SOLO: positive cells of the instances, and their masks.

After Wang et al., "SOLO: Segmenting Objects by Locations", ECCV 2020, section 3.3.1, with the arithmetic of the public
code (github.com/WXinlong/SOLO, mmdetection). Targets are computed on the CPU, where the loader leaves the annotations:
results are the same for every device, and only masks at the network's output resolution go to the GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from detectron2.structures import Instances
from torch import Tensor

from .ground_truth_masks import mask_windows, mass_centers, shrink_masks, shrink_unpadded_masks


@dataclass(frozen=True)
class SOLOTargets:
    """Targets of a batch of B images, on the CPU.

    Attributes:
        positives: (P, 5) int64 rows (image, level, row, col, instance index in its image), sorted by the first four.
        mask_cells: (Q, 5) int64 rows of the same kind, sorted by all five, to which the mask loss applies: the
            positives, or with instances that have lost the cell to a later one.
        categories: (B, S, S) int64 of every level: class of positive cells, ``num_classes`` elsewhere.
        instance_masks: (M, h, w) bool of every level: masks of the instances that have mask cells there, at the
            resolution of the level's masks.
        mask_index: (Q_l,) int64 of every level: row of ``instance_masks`` for each of the level's mask cells.
    """

    positives: Tensor
    mask_cells: Tensor
    categories: list[Tensor]
    instance_masks: list[Tensor]
    mask_index: list[Tensor]

    def cell_instances(self, padded_size: tuple[int, int], device: torch.device) -> list[Instances]:
        """Positive cells of each image as Instances on the padded input, with grid_cells and gt_index."""
        counts = torch.bincount(self.positives[:, 0], minlength=len(self.categories[0])).tolist()
        rows = self.positives.to(device).split(counts)
        return [Instances(padded_size, grid_cells=x[:, 1:4], gt_index=x[:, 4]) for x in rows]


def assign_cells(
    boxes: Tensor,
    centers: Tensor,
    images: Tensor,
    padded_size: tuple[int, int],
    num_grids: Sequence[int],
    scale_ranges: Sequence[Sequence[float]],
    center_region: float,
) -> Tensor:
    """Cells of every instance.

    An instance is assigned to every level whose range contains sqrt(box width * box height). Its center region, a box
    of ``center_region`` times the box's sides around the mass center, is mapped to cells and cut to the 3x3 block
    around the center's cell.

    Args:
        boxes: (N, 4) float32 XYXY in pixels, of the instances of all images.
        centers: (N, 2) float32 (x, y) mass centers; instances with NaN are left out.
        images: (N,) int64 image of each instance.
        padded_size: (H, W) of the network's input with padding, which the grids divide.
        num_grids: S_l of every level.
        scale_ranges: [lowest, highest] scale of every level, in pixels, both included.
        center_region: Sides of the center region as a fraction of the box's.

    Returns:
        (Q, 5) int64 rows (image, level, row, col, instance in 0..N-1), sorted by all five; see :func:`is_owner`.
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

    num_cells, num_instances = int(cells_until[-1]), max(len(boxes), 1)
    key = (images[instance][:, None, None] * num_cells + cell) * num_instances + instance[:, None, None]
    key = key[inside].sort().values
    key, instance = key // num_instances, key % num_instances
    cell = key % num_cells
    level = torch.bucketize(cell, cells_until, right=True)
    cell_in_level = cell - (cells_until - sides * sides)[level]
    return torch.stack(
        [key // num_cells, level, cell_in_level // sides[level], cell_in_level % sides[level], instance], dim=1
    )


def is_owner(cells: Tensor) -> Tensor:
    """(Q,) bool whether each row of :func:`assign_cells` is its cell's last instance, which has taken it from the
    earlier ones."""
    owners = torch.ones(len(cells), dtype=torch.bool)
    owners[:-1] = (cells[1:, :4] != cells[:-1, :4]).any(dim=1)
    return owners


@dataclass(frozen=True)
class SOLOTargetAssigner:
    """Assigner of :class:`SOLOTargets` to a batch; the other fields are those of ``cfg.MODEL.SOLO``.

    Attributes:
        mask_strides: Stride of every level's masks.
        trains_every_pair: Whether the mask loss also applies to instances that have lost a cell to a later one.
    """

    num_classes: int
    mask_strides: Sequence[int]
    num_grids: Sequence[int]
    scale_ranges: Sequence[Sequence[float]]
    center_region: float
    trains_every_pair: bool
    shrink_padded_masks: bool

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
        cells = assign_cells(
            all_boxes,
            torch.from_numpy(mass_centers(all_masks, windows)),
            torch.arange(len(masks)).repeat_interleave(counts),
            padded_size,
            self.num_grids,
            self.scale_ranges,
            self.center_region,
        )
        positives = cells[is_owner(cells)]
        mask_cells = cells if self.trains_every_pair else positives

        categories, instance_masks, mask_index = [], [], []
        for level, (stride, side) in enumerate(zip(self.mask_strides, self.num_grids)):
            image, _, row, col, instance = positives[positives[:, 1] == level].unbind(1)
            labels = torch.full((len(masks), side, side), self.num_classes)
            labels[image, row, col] = all_classes[instance]
            members, index = mask_cells[mask_cells[:, 1] == level, 4].unique(return_inverse=True)
            size = (padded_size[0] // stride, padded_size[1] // stride)
            of_members = [all_masks[i] for i in members]
            if self.shrink_padded_masks:
                shrunk = shrink_masks(of_members, windows[members.numpy()], stride, size)
            else:
                shrunk = shrink_unpadded_masks(of_members, stride, size)
            categories.append(labels)
            instance_masks.append(torch.from_numpy(shrunk))
            mask_index.append(index)
        # From indices into the batch to indices into each image.
        first = counts.cumsum(0) - counts
        positives, mask_cells = (
            torch.cat([rows[:, :4], rows[:, 4:] - first[rows[:, :1]]], dim=1) for rows in (positives, mask_cells)
        )
        return SOLOTargets(positives, mask_cells, categories, instance_masks, mask_index)
