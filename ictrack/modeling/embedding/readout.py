"""Read-outs of instances from feature maps: at grid cells, or as the mean inside a mask or box.

Naming convention:
    B: images, N: instances of one image, P: grid cells of all images, C: channels, (h, w): resolution of a mask,
    (H, W): resolution of a feature map. Masks and maps cover the network's padded input.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from detectron2.structures import BitMasks, Boxes, Instances, PolygonMasks
from torch import Tensor
from torch.nn import functional as F

from ..mixed_precision import full_precision

# Masks read at a time; bounds their float copy (64 MB at 800 x 1333).
_MASK_BLOCK = 16
# Fields of Instances with masks, predictions first.
MASK_FIELDS = ("pred_masks", "gt_masks")


def cell_readout(maps: Sequence[Tensor], cells: Tensor, grids: Sequence[int]) -> Tensor:
    """Embeddings at grid cells.

    A cell (row i, column j) of a detector's S x S grid is cell floor((i + 0.5) / S * G), likewise for j, of a
    G x G map: the one that holds its center.

    Args:
        maps: (B, C, G_l, G_l) map of each level.
        cells: (P, 4) int64 (image, level, row, column) on the detector's grids.
        grids: S_l, cells along each side of the detector's grid of each level.

    Returns:
        (P, C) embeddings.
    """
    sides = cells.new_tensor([m.shape[-1] for m in maps])  # G_l
    starts = (sides**2).cumsum(0) - sides**2  # where each level begins among the flattened cells
    image, level, row, column = cells.unbind(1)
    side, grid = sides[level], cells.new_tensor(grids)[level]
    row, column = (((2 * index + 1) * side).div(2 * grid, rounding_mode="floor") for index in (row, column))
    flat = torch.cat([m.flatten(2) for m in maps], dim=2)  # (B, C, sum_l G_l^2)
    return flat.transpose(1, 2)[image, starts[level] + row * side + column]


def resize_masks(masks: Tensor, size: Sequence[int]) -> Tensor:
    """(N, H, W) float32 area averages of (N, h, w) masks at ``size`` = (H, W): the covered share of each cell.

    Unlike with nearest or bilinear resizing, even the smallest mask has a cell above 0.
    """
    height, width = size
    masks = masks.float()
    if masks.shape[1:] == (height, width):
        return masks
    return F.adaptive_avg_pool2d(masks[:, None], (height, width))[:, 0]


def resize_map(x: Tensor, size: Sequence[int]) -> Tensor:
    """(B, C, *size) map from (B, C, H, W), bilinearly."""
    return F.interpolate(x, size=(size[0], size[1]), mode="bilinear", align_corners=False)


def mask_readout(maps: Sequence[Tensor], masks: Sequence[Tensor]) -> list[Tensor]:
    """Means of each map inside each mask, weighted by the covered share of each cell.

    Args:
        maps: (B, C_l, H_l, W_l) map of each level.
        masks: B tensors (N_i, h_i, w_i), bool or soft (>= 0).

    Returns:
        (sum_i N_i, C_l) float32 tensor of each level, images in order; 0 for empty masks.
    """
    finest = max((m.shape[-2:] for m in maps), key=lambda size: size[0] * size[1])
    pooled: list[list[Tensor]] = [[] for _ in maps]
    # In half precision the weights of a large mask would be subnormal.
    with full_precision(maps[0].device.type):
        for image, image_masks in enumerate(masks):
            for block in image_masks.split(_MASK_BLOCK):
                # Full-size masks are reduced to the finest map once, and from there to the coarser ones.
                weights = resize_masks(block, finest)
                for level, feature in enumerate(maps):
                    shares = resize_masks(weights, feature.shape[-2:]).flatten(1)  # (N, HW)
                    shares = F.normalize(shares, p=1, dim=1)
                    pooled[level].append(shares @ feature[image].flatten(1).float().T)
    return [torch.cat(level) for level in pooled]


def pad_instances(
    instances: Instances, padded_size: tuple[int, int], image_size: tuple[int, int] | None = None
) -> Instances:
    """Instances on the network's padded input, as :class:`EmbeddingHead` takes them.

    The padding is at the bottom and on the right, so that only masks change.

    Args:
        instances: Ground truth or detections at any resolution. Masks are tensors (N, h, w), BitMasks or PolygonMasks.
        padded_size: (H, W) of the network's input with padding.
        image_size: (h, w) of the network's input without padding; by default ``instances.image_size``.
    """
    height, width = instances.image_size
    input_height, input_width = image_size or instances.image_size
    padded = (round(padded_size[0] * height / input_height), round(padded_size[1] * width / input_width))
    result = Instances(padded)
    if not instances.get_fields():  # as a detector may return where it found nothing
        result.pred_boxes = Boxes(torch.zeros(0, 4))
    for name, field in instances.get_fields().items():
        if name in MASK_FIELDS:
            masks = _bit_masks(field, height, width)
            field = F.pad(masks, (0, padded[1] - width, 0, padded[0] - height))
        result.set(name, field)
    return result


def instance_masks(instances: Instances, size: Sequence[int]) -> Tensor:
    """(N, h, w) masks of instances, or without any, their boxes as soft masks (N, *size)."""
    for name in MASK_FIELDS:
        if instances.has(name):
            return instances.get(name)
    for name in ("pred_boxes", "gt_boxes"):
        if instances.has(name):
            return box_masks(instances.get(name).tensor, instances.image_size, size)
    raise ValueError(f"an embedding head reads masks or boxes, instances have only {sorted(instances.get_fields())}")


def _bit_masks(masks: Tensor | BitMasks | PolygonMasks, height: int, width: int) -> Tensor:
    """(N, height, width) tensor of masks of any type."""
    if isinstance(masks, PolygonMasks):
        masks = BitMasks.from_polygon_masks(masks, height, width)
    return masks.tensor if isinstance(masks, BitMasks) else masks


def box_masks(boxes: Tensor, image_size: Sequence[int], size: Sequence[int]) -> Tensor:
    """Soft masks of boxes: the covered share of each cell, exact also for boxes smaller than a cell.

    Args:
        boxes: (N, 4) XYXY in pixels of an image of ``image_size``.
        image_size: (height, width) of the image.
        size: (H, W) of the masks.

    Returns:
        (N, H, W) float32 masks.
    """

    def coverage(low: Tensor, high: Tensor, length: int) -> Tensor:
        edges = torch.arange(length, device=boxes.device, dtype=torch.float32)
        return (torch.minimum(high[:, None], edges + 1) - torch.maximum(low[:, None], edges)).clamp(min=0)

    x0, y0, x1, y1 = boxes.float().unbind(1)
    scale_y, scale_x = size[0] / image_size[0], size[1] / image_size[1]
    rows, columns = coverage(y0 * scale_y, y1 * scale_y, size[0]), coverage(x0 * scale_x, x1 * scale_x, size[1])
    return rows[:, :, None] * columns[:, None, :]


def instance_ids(instances: Sequence[Instances]) -> list[Tensor]:
    """Identities (N_i,) int64 of each image's ground-truth instances, for :meth:`EmbeddingHead.losses`.

    ``gt_ids`` (>= 0; equal ids are the same instance) are kept; instances without get unique negative ids.
    """
    ids, unnamed = [], 0
    for image in instances:
        if image.has("gt_ids"):
            ids.append(image.gt_ids)
        else:
            device = image.gt_classes.device
            ids.append(torch.arange(-unnamed - len(image), -unnamed, device=device))
            unnamed += len(image)
    return ids


def image_rows(counts: Sequence[int], device: torch.device) -> Tensor:
    """(R, 2) int64 rows (image, index in it) of images with ``counts`` rows each."""
    indices = [torch.arange(count, device=device)[:, None] for count in counts]
    return torch.cat([F.pad(rows, (1, 0), value=image) for image, rows in enumerate(indices)])


def at_rows(values: Sequence[Tensor], rows: Tensor) -> Tensor:
    """(P, ...) values of B tensors (N_i, ...) at (P, 2) rows (image, index in it)."""
    first = rows.new_tensor([0, *(len(v) for v in values)]).cumsum(0)
    return torch.cat(list(values)).to(rows.device)[first[rows[:, 0]] + rows[:, 1]]
