"""Instances from SOLO's raw predictions of one image (Wang et al., ECCV 2020, section 3.4, and the public code)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .matrix_nms import matrix_nms

# Flat cell indices (n,) -> their mask probabilities (n, h, w), float32.
MaskProbabilities = Callable[[Tensor], Tensor]

# Mask probabilities computed at a time, which bounds memory for images with thousands of candidates: 16 MB on a CPU,
# where fewer make small matrix products and more leave the cache; and 256 MB on other devices, which synchronize once a
# chunk.
_CHUNK = 2**22
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
        height, width = mask_size
        masks = torch.empty(len(cells), height * width, dtype=torch.bool, device=cells.device)
        areas, sums = [], []
        pixels = _CHUNK if cells.device.type == "cpu" else _DEVICE_CHUNK
        size = max(pixels // (height * width), 1)
        for chunk, mask in zip(cells.split(size), masks.split(size)):
            dense = probabilities(chunk).flatten(1)
            # Comparisons and sums of floats are vectorized, those of booleans are not.
            inside = torch.gt(dense, self.mask_thresh, out=torch.empty_like(dense))
            mask.copy_(inside)
            areas.append(inside.sum(1))
            sums.append((dense * inside).sum(1))
        area = torch.cat(areas)
        return masks.view(-1, height, width), area, torch.cat(sums) / area.clamp(min=1)
