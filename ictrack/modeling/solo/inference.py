"""Instances from SOLO's raw predictions of one image (Wang et al., ECCV 2020, section 3.4, and the public code)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .matrix_nms import matrix_nms

# Flat cell indices (n,) -> their mask probabilities (n, h, w), float32.
MaskProbabilities = Callable[[Tensor], Tensor]

# Mask probabilities computed at a time, which bounds memory for images with thousands of candidates: 4 MB, which fit a
# CPU's cache; and 256 MB on other devices, which synchronize once a chunk.
_CHUNK = 2**20
_DEVICE_CHUNK = 2**26


@dataclass(frozen=True)
class SOLOSelector:
    """Filter and scoring of candidates; the fields are those of ``cfg.MODEL.SOLO`` and ``cfg.TEST``."""

    score_thresh: float
    mask_thresh: float
    nms_pre_topk: int
    nms_kernel: str
    nms_sigma: float
    nms_class_agnostic: bool
    update_thresh: float
    max_detections: int

    def __call__(
        self, scores: Tensor, cell_strides: Tensor, probabilities: MaskProbabilities, mask_size: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Select the detections of one image.

        Args:
            scores: (cells, K) category probabilities after point NMS.
            cell_strides: (cells,) stride of each cell's level; masks of at most so many pixels are dropped.
            probabilities: Mask probabilities of given cells; called only for cells with a candidate.
            mask_size: (h, w) of the masks.

        Returns:
            Flat cell indices (N,), classes (N,), scores (N,) in falling order, and binary masks (N, h, w).
        """
        cells, classes = (scores > self.score_thresh).nonzero().unbind(1)
        scores = scores[cells, classes]
        # A cell may be a candidate for several classes; its mask is computed once.
        cells, of_cell = cells.unique(return_inverse=True)

        masks, areas, maskness = self._measure(cells, probabilities, mask_size)
        keep = (areas > cell_strides[cells])[of_cell].nonzero().squeeze(1)
        scores = scores[keep] * maskness[of_cell[keep]]
        scores, order = scores.sort(descending=True, stable=True)
        keep, scores = keep[order[: self.nms_pre_topk]], scores[: self.nms_pre_topk]

        groups = torch.zeros_like(keep) if self.nms_class_agnostic else classes[keep]
        scores = matrix_nms(masks[of_cell[keep]], groups, scores, self.nms_kernel, self.nms_sigma)
        scores, order = scores.sort(descending=True, stable=True)
        order = order[scores >= self.update_thresh][: self.max_detections]
        keep, scores = keep[order], scores[: len(order)]
        return cells[of_cell[keep]], classes[keep], scores, masks[of_cell[keep]]

    def _measure(
        self, cells: Tensor, probabilities: MaskProbabilities, mask_size: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Binary masks of cells, their areas in pixels, and their maskness, the mean probability inside."""
        masks, areas, sums = [], [], []
        pixels = _CHUNK if cells.device.type == "cpu" else _DEVICE_CHUNK
        for chunk in cells.split(max(pixels // (mask_size[0] * mask_size[1]), 1)):
            dense = probabilities(chunk).flatten(1)
            mask = dense > self.mask_thresh
            inside = mask.float()  # sums of floats are vectorized, those of booleans are not
            masks.append(mask)
            areas.append(inside.sum(1))
            sums.append((dense * inside).sum(1))
        area = torch.cat(areas)
        return torch.cat(masks).view(-1, *mask_size), area, torch.cat(sums) / area.clamp(min=1)


def paste_masks(
    probabilities: Tensor,
    masks: Tensor,
    padded_size: tuple[int, int],
    image_size: tuple[int, int],
    output_size: tuple[int, int],
    threshold: float,
) -> tuple[Tensor, Tensor]:
    """Masks and boxes at the size of the output image.

    Bilinear up-sampling to the padded input, cropping of the padding, bilinear resizing to the output and
    thresholding. The chain is linear and separable: one matrix for rows and one for columns. Its result can exceed the
    threshold only where ``masks`` are set, so each mask is computed in a window.

    Args:
        probabilities: (N, h, w) float32.
        masks: (N, h, w) bool, ``probabilities > threshold``.
        padded_size: (H, W) of the network's input.
        image_size: (H, W) of the image in it, at the top left.
        output_size: (H, W) of the result.
        threshold: Probability above which a pixel is in the mask.

    Returns:
        (N, *output_size) bool masks, and their tight boxes (N, 4) XYXY, half open; 0 for an empty mask.
    """
    pasted = torch.zeros((len(masks), *output_size), dtype=torch.bool, device=masks.device)
    row_hits, col_hits = (masks.new_zeros((len(masks), side), dtype=torch.uint8) for side in output_size)
    with torch.autocast(masks.device.type, enabled=False):
        rows_of, cols_of = (
            _resize_matrix(masks.shape[1 + axis], padded_size[axis], image_size[axis], output_size[axis], masks.device)
            for axis in (0, 1)
        )
        occupied = masks.view(torch.uint8)  # amax of bytes is vectorized, any() of booleans is not
        row_windows = _extent((occupied.amax(dim=2).float() @ rows_of.T) > 0)
        col_windows = _extent((occupied.amax(dim=1).float() @ cols_of.T) > 0)
        for i, (y0, y1, x0, x1) in enumerate(torch.cat([row_windows, col_windows], dim=1).tolist()):
            if y0 >= y1 or x0 >= x1:
                continue
            window = (rows_of[y0:y1] @ (probabilities[i] @ cols_of[x0:x1].T)) > threshold
            pasted[i, y0:y1, x0:x1] = window
            pixels = window.view(torch.uint8)
            row_hits[i, y0:y1], col_hits[i, x0:x1] = pixels.amax(1), pixels.amax(0)
    ends = torch.stack([_extent(col_hits), _extent(row_hits)], dim=2).flatten(1)  # x0, y0, x1, y1
    return pasted, torch.where(ends[:, 3:] > 0, ends, 0).float()


def _resize_matrix(source: int, padded: int, image: int, output: int, device: torch.device) -> Tensor:
    """(output, source) matrix of resize to ``padded``, crop to ``image``, resize to ``output`` along one axis."""
    basis = torch.eye(source, device=device)[None]
    upsampled = F.interpolate(basis, size=padded, mode="linear", align_corners=False)[..., :image]
    return F.interpolate(upsampled, size=output, mode="linear", align_corners=False)[0].T.contiguous()


def _extent(hits: Tensor) -> Tensor:
    """(N, 2) int64 first and last + 1 index that is not 0 in each row of (N, L); an empty row ends at 0."""
    length = hits.shape[1]
    index = torch.arange(1, length + 1, device=hits.device)
    last = (hits * index).amax(1)
    first = length - (hits * index.flip(0)).amax(1)
    return torch.stack([first, last], dim=1)
