"""Point NMS and matrix NMS (Wang et al., SOLO, ECCV 2020, and SOLOv2, NeurIPS 2020, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ictrack.modeling.tracing import is_exported

# Number of masks up to which one matrix product is the fastest on a CPU; height and width of the tiles that are faster
# for more, and rows of their products at a time.
_FEW = 96
_TILE = (16, 32)
_ROWS = 128


def point_nms(scores: Tensor) -> Tensor:
    """Scores (N, K, S, S), with those below their upper, left or upper-left neighbor set to 0.

    Args:
        scores: (N, K, S, S) category probabilities.
    """
    peaks = F.max_pool2d(scores, kernel_size=2, stride=1, padding=1)[:, :, :-1, :-1]
    return scores * (peaks == scores)


def matrix_nms(masks: Tensor, classes: Tensor, scores: Tensor, kernel: str = "gaussian", sigma: float = 2.0) -> Tensor:
    """Decayed scores: a mask loses score by its overlap with better masks of its class.

    With i better than j, both of one class, and c_i the largest IoU of i with a mask better still, the factor of j is
    the minimum over i of f(iou_ij) / f(c_i), where f(x) = exp(-sigma x^2) ("gaussian") or 1 - x ("linear").

    Args:
        masks: (N, H, W) bool.
        classes: (N,) int64.
        scores: (N,) scores in falling order.
        kernel: "gaussian" or "linear".
        sigma: Factor in the Gaussian's exponent; not used by "linear".

    Returns:
        (N,) decayed scores in the order of the input.
    """
    if kernel not in ("gaussian", "linear"):
        raise ValueError(f'MODEL.SOLO.NMS_KERNEL is "{kernel}", must be "gaussian" or "linear"')
    return scores * decay_factors(masks, classes, kernel, sigma) if len(masks) else scores.clone()


def decay_factors(masks: Tensor, classes: Tensor, kernel: str, sigma: float) -> Tensor:
    """(N,) factors of the scores of :func:`matrix_nms`, N at least 1."""
    # Overlaps with better masks of the same class are above the diagonal, and all else is 0, which decays nothing. All
    # classes at once take less time than a product for each, and nothing about them has to be read from a GPU.
    iou = mask_iou(masks).triu(diagonal=1) * (classes[:, None] == classes)
    compensation = iou.max(dim=0).values[:, None]
    if kernel == "gaussian":
        factors = torch.exp(-sigma * (iou.square() - compensation.square()))
    else:
        # An exact duplicate (c_i = 1) has factor 0 itself; the floor avoids its 0 / 0.
        factors = (1 - iou) / (1 - compensation).clamp(min=1e-6)
    return factors.min(dim=0).values


def mask_iou(masks: Tensor) -> Tensor:
    """(N, N) IoU of (N, H, W) bool masks; counts are exact in float32 below 2^24 pixels."""
    with torch.autocast(masks.device.type, enabled=False):
        if masks.device.type == "cpu" and not is_exported() and len(masks) > _FEW:
            intersection = _intersections_by_tiles(masks)
        else:
            flat = masks.flatten(1).float()
            intersection = flat @ flat.T
    area = intersection.diagonal()
    return intersection / (area[:, None] + area - intersection).clamp(min=1)


def _intersections_by_tiles(masks: Tensor) -> Tensor:
    """(N, N) float32 common pixels of (N, H, W) bool masks; only the upper triangle counts.

    The image is cut into tiles. Most masks cover a tile wholly or not at all, and what such a mask shares with another
    one in this tile is all or nothing of the other's pixels. Products of pixels are left for pairs of masks that both
    have a border in the tile.
    """
    height, width = masks.shape[1:]
    pixels = masks.view(torch.uint8)
    result = torch.zeros(len(masks), len(masks))
    everyone = torch.arange(len(masks))
    counts, covers = [], []
    for top in range(0, height, _TILE[0]):
        for left in range(0, width, _TILE[1]):
            tile = pixels[:, top : top + _TILE[0], left : left + _TILE[1]].flatten(1)
            covered = tile.amin(1)
            count = covered.float() * tile.shape[1]
            bordered = (tile.amax(1) > covered).nonzero()[:, 0]
            if 2 * len(bordered) > len(masks):  # to multiply all takes less time than to gather so many
                bordered, covered = everyone, torch.zeros_like(covered)
            if len(bordered):
                borders = tile[bordered].float()
                count[bordered] = borders.sum(1)
                _add_products(result, borders, bordered)
            counts.append(count)
            covers.append(covered)
    count, cover = torch.stack(counts, dim=1), torch.stack(covers, dim=1).float()
    # All pixels of j where i covers the tile, and all pixels of i where j does and i does not.
    result += cover @ count.T + (count * (1 - cover)) @ cover.T
    return result


def _add_products(result: Tensor, rows: Tensor, index: Tensor) -> None:
    """Add the upper triangle of ``rows @ rows.T`` to the rows and columns ``index`` (rising) of ``result``."""
    is_all = len(rows) == len(result)
    for start in range(0, len(rows), _ROWS):
        stop = start + _ROWS
        if is_all:
            result[start:stop, start:].addmm_(rows[start:stop], rows[start:].T)
        else:
            result[index[start:stop, None], index[start:]] += rows[start:stop] @ rows[start:].T
