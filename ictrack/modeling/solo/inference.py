"""From SOLO's raw predictions of one image to instances (Wang et al., ECCV 2020, section 3.4, and the public code)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .matrix_nms import matrix_nms

# Flat cell indices (n,) -> their mask probabilities (n, h, w), float32.
MaskProbabilities = Callable[[Tensor], Tensor]

# Probabilities that are made and measured at one time: 4 MB, which stay in the processor's cache, and bound the memory
# of images with thousands of candidates.
_CHUNK = 2**20


@dataclass(frozen=True)
class SOLOSelector:
    """Filters and scores candidates. The fields are those of ``cfg.MODEL.SOLO`` and ``cfg.TEST``."""

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
            cell_strides: (cells,) stride of each cell's level: a mask of at most so many pixels is dropped.
            probabilities: gives the masks of cells; asked only for cells with a candidate.
            mask_size: (h, w) of these masks.

        Returns:
            Flat cell index (N,), class (N,), score (N,) in falling order, and binary masks (N, h, w).
        """
        cells, classes = (scores > self.score_thresh).nonzero().unbind(1)
        scores = scores[cells, classes]
        # A cell may be a candidate for several classes: its mask is made once.
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
        """Binary masks of cells, their areas in pixels, and their maskness: the mean probability inside."""
        masks, areas, sums = [], [], []
        for chunk in cells.split(max(_CHUNK // (mask_size[0] * mask_size[1]), 1)):
            dense = probabilities(chunk).flatten(1)
            mask = dense > self.mask_thresh
            inside = mask.float()  # sums of floats are vectorised, those of booleans are not
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
    thresholding. The chain is linear and separable, so it is one matrix for the rows and one for the columns; and
    only where ``masks`` are set can its result exceed the threshold, so each mask is computed in a window.

    Args:
        probabilities: (N, h, w) float32.
        masks: (N, h, w) bool, ``probabilities > threshold``.
        padded_size: (H, W) of the network's input.
        image_size: (H, W) of the image in it, at the top left.
        output_size: (H, W) of the result.
        threshold: a pixel is in the mask iff its probability is above it.

    Returns:
        (N, *output_size) bool, and the masks' tight boxes (N, 4) XYXY, half open; zeros for an empty mask.
    """
    pasted = torch.zeros((len(masks), *output_size), dtype=torch.bool, device=masks.device)
    boxes = torch.zeros((len(masks), 4), device=masks.device)
    with torch.autocast(masks.device.type, enabled=False):
        rows_of, cols_of = (
            _resize_matrix(masks.shape[1 + axis], padded_size[axis], image_size[axis], output_size[axis], masks.device)
            for axis in (0, 1)
        )
        occupied = masks.view(torch.uint8)  # whose amax is vectorised; any() of booleans is not
        row_windows = _windows(occupied.amax(dim=2), rows_of)
        col_windows = _windows(occupied.amax(dim=1), cols_of)
        for i, ((y0, y1), (x0, x1)) in enumerate(zip(row_windows, col_windows)):
            if y0 >= y1 or x0 >= x1:
                continue
            window = (rows_of[y0:y1] @ (probabilities[i] @ cols_of[x0:x1].T)) > threshold
            pasted[i, y0:y1, x0:x1] = window
            pixels = window.view(torch.uint8)
            ys, xs = pixels.amax(1).nonzero().squeeze(1), pixels.amax(0).nonzero().squeeze(1)
            if len(ys):
                boxes[i] = torch.stack([x0 + xs[0], y0 + ys[0], x0 + xs[-1] + 1, y0 + ys[-1] + 1])
    return pasted, boxes


def _resize_matrix(source: int, padded: int, image: int, output: int, device: torch.device) -> Tensor:
    """(output, source) matrix of resize to ``padded``, crop to ``image``, resize to ``output`` along one axis."""
    basis = torch.eye(source, device=device)[None]
    upsampled = F.interpolate(basis, size=padded, mode="linear", align_corners=False)[..., :image]
    return F.interpolate(upsampled, size=output, mode="linear", align_corners=False)[0].T.contiguous()


def _windows(occupied: Tensor, matrix: Tensor) -> list[tuple[int, int]]:
    """For every mask the outputs, start and end, that its occupied (N, source) rows or columns reach; none: end 0."""
    reached = (occupied.float() @ matrix.T) > 0
    index = torch.arange(1, len(matrix) + 1, device=matrix.device)
    last = (reached * index).amax(1)
    first = len(matrix) - (reached * index.flip(0)).amax(1)
    return list(zip(first.tolist(), last.tolist()))
