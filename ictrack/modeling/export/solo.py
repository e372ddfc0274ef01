"""SOLO's family as one function of tensors, without loops over what an image holds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ictrack.modeling.solo import SOLO, DynamicMaskHead, GridMaskHead, SOLOOutputs
from ictrack.modeling.solo.inference import SOLOSelector
from ictrack.modeling.solo.mask_heads.decoupled import CoordinateMaps
from ictrack.modeling.solo.mask_heads.dynamic import DynamicMaps
from ictrack.modeling.solo.matrix_nms import decay_factors
from ictrack.modeling.solo.paste import extents

from .embeddings import Located, dense_maps, embed
from .image_input import in_multiples, prepare_image


class SOLODetections(nn.Module):
    """Detections in one image, those of :meth:`SOLO.forward` up to rounding."""

    input_names = ("image", "output_size")
    output_names: tuple[str, ...] = ("scores", "pred_classes", "pred_boxes", "pred_masks")

    def __init__(self, model: SOLO) -> None:
        super().__init__()
        self.model = model
        self.size_divisibility = model.size_divisibility
        if model.embedding_head is not None:
            self.output_names = (*self.output_names, "embeddings")

    def forward(self, image: Tensor, output_size: Tensor) -> tuple[Tensor, ...]:
        """
        Args:
            image: (h, w, 3) uint8, channels in the model's order.
            output_size: (2,) int64 height and width of masks and boxes.

        Returns:
            scores (N,) in falling order, classes (N,) int64, boxes (N, 4) XYXY, masks (N, *output_size) bool, and
            embeddings where the model has them.
        """
        model, selector = self.model, self.model.selector
        padded = prepare_image(image, model.pixel_mean, model.pixel_std, model.size_divisibility)
        outputs = model.forward_features(padded)
        stride = model.head.mask_strides[0]
        mask_size = [padded.shape[-2] // stride, padded.shape[-1] // stride]
        scores = outputs.category_scores()[0]

        cells, probabilities = self._candidate_masks(outputs, (scores > selector.score_thresh).any(1), mask_size)
        chosen = select(selector, scores[cells], probabilities, model.cell_strides[cells])
        row, classes, kept_scores, is_detection = chosen
        probabilities, cells = probabilities[row], cells[row]

        embeddings: tuple[Tensor, ...] = ()
        if model.embedding_head is not None:
            features = model.level_inputs.embedding_features(outputs.features, outputs.inputs)
            located = Located(cells=model.grid_cells[cells], masks=probabilities > selector.mask_thresh)
            embeddings = (embed(model.embedding_head, features, located),)
        masks = paste(probabilities, padded, image, output_size) > selector.mask_thresh
        rows = is_detection.nonzero()[:, 0]
        return tuple(x[rows] for x in (kept_scores, classes, mask_boxes(masks), masks, *embeddings))

    def _candidate_masks(
        self, outputs: SOLOOutputs, are_candidates: Tensor, size: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """(M,) rising flat indices of the cells that are candidates, and their mask probabilities (M, *size).

        The first cell of each level counts as one, since programs that run ONNX differ about maps without channels.
        """
        head = self.model.head
        maps = head.mask_maps(outputs.features, outputs.inputs, [[0]] * len(head.num_grids))
        cells, masks = [], []
        start = 0
        for level, (side, of_level) in enumerate(zip(head.num_grids, maps)):
            is_candidate = are_candidates[start + 1 : start + side * side]
            found = torch.cat([torch.ones_like(is_candidate[:1]), is_candidate]).nonzero()[:, 0]
            cells.append(start + found)
            masks.append(head.mask_probabilities(level, of_level, [found], size))
            start += side * side
        return torch.cat(cells), torch.cat(masks)


def select(
    selector: SOLOSelector, scores: Tensor, probabilities: Tensor, cell_strides: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Detections that a :class:`SOLOSelector` selects, and where it selects none, one that does not count.

    Args:
        selector: Selector.
        scores: (M, K) category probabilities of cells after point NMS.
        probabilities: (M, h, w) mask probabilities of the cells.
        cell_strides: (M,) stride of each cell's level.

    Returns:
        Indices of cells (N,), classes (N,), scores (N,) in falling order, and whether each counts (N,) bool.
    """
    masks = probabilities > selector.mask_thresh
    inside = masks.flatten(1).float()
    areas = inside.sum(1)
    maskness = (probabilities.flatten(1) * inside).sum(1) / areas.clamp(min=1)

    is_candidate = (scores > selector.score_thresh) & (areas > cell_strides)[:, None]
    cell, classes = is_candidate.nonzero().unbind(1)
    # The first one is no detection, and keeps everything below from being empty.
    cell, classes = F.pad(cell, (1, 0)), F.pad(classes, (1, 0))
    kept = F.pad(scores[cell[1:], classes[1:]] * maskness[cell[1:]], (1, 0), value=-1.0)
    kept, order = kept.sort(descending=True)
    kept, order = kept[: selector.nms_pre_topk], order[: selector.nms_pre_topk]
    cell, classes = cell[order], classes[order]

    groups = torch.zeros_like(classes) if selector.nms_class_agnostic else classes
    factors = decay_factors(masks[cell], groups, selector.nms_kernel, selector.nms_sigma)
    kept = torch.where(kept > 0, kept * factors, kept)
    kept, order = kept.sort(descending=True)
    kept, order = kept[: selector.max_detections], order[: selector.max_detections]
    is_detection = (kept >= selector.update_thresh) & (kept >= 0)
    rows = (is_detection | (torch.arange(kept.shape[0], device=kept.device) == 0)).nonzero()[:, 0]
    order = order[rows]
    return cell[order], classes[order], kept[rows], is_detection[rows]


def paste(probabilities: Tensor, padded: Tensor, image: Tensor, output_size: Tensor) -> Tensor:
    """(N, *output_size) masks (N, h, w) of a padded input (1, 3, H, W), cut to the image (h, w, 3) and resized."""
    height, width = image.shape[0], image.shape[1]
    upsampled = _resize(probabilities, [padded.shape[-2], padded.shape[-1]])[:, :height, :width]
    return _resize(upsampled, [output_size[0], output_size[1]])


def _resize(masks: Tensor, size: Sequence[Tensor | int]) -> Tensor:
    return F.interpolate(masks[None], size=size, mode="bilinear", align_corners=False)[0]  # type: ignore[arg-type]


def mask_boxes(masks: Tensor) -> Tensor:
    """Tight boxes (N, 4) XYXY, half open, of masks (N, H, W) bool; 0 for an empty mask."""
    rows, columns = (
        extents(hits.int(), torch.arange(hits.shape[1], device=hits.device)) for hits in (masks.any(2), masks.any(1))
    )
    ends = torch.stack([columns, rows], dim=2).flatten(1)  # x0, y0, x1, y1
    return torch.where(ends[:, 3:] > 0, ends, 0).float()


class SOLORaw(nn.Module):
    """Outputs of SOLO's network for one image, without selection: for post-processing of one's own."""

    input_names = ("images",)

    def __init__(self, model: SOLO) -> None:
        super().__init__()
        self.model = model
        self.size_divisibility = model.size_divisibility

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """
        Args:
            images: (1, 3, H, W) normalized, and padded with zeros at the bottom and on the right to multiples of the
                model's ``size_divisibility``.

        Returns:
            Of each level l with S cells along a side, ``category_logits_l`` (1, K, S, S), and by the kind of mask head

            * grid: ``mask_logits_l`` (1, S^2, h, w), row-major;
            * decoupled, decoupled_light: ``mask_logits_x_l`` (1, S, h, w) of columns, ``mask_logits_y_l`` of rows;
            * dynamic: ``mask_filters_l`` (1, E, S, S), and of all levels ``mask_features`` (1, E, h, w).

            With an embedding head its maps ``embedding_l``; of two heads ``image_embedding_l``, ``video_embedding_l``.
        """
        model, head = self.model, self.model.head
        outputs = model.forward_features(in_multiples(images, self.size_divisibility))
        maps = head.mask_maps(outputs.features, outputs.inputs, [[0]] * len(head.num_grids))
        result: dict[str, Tensor] = {}
        for level, (logits, (of_level,)) in enumerate(zip(outputs.category_logits, maps)):
            result[f"category_logits_{level}"] = logits
            if isinstance(of_level, DynamicMaps):
                result[f"mask_filters_{level}"] = of_level.filters[None]
            elif isinstance(of_level, CoordinateMaps):
                result[f"mask_logits_x_{level}"] = of_level.x[None]
                result[f"mask_logits_y_{level}"] = of_level.y[None]
            elif isinstance(head, GridMaskHead):
                cells = torch.arange(head.num_grids[level] ** 2, device=images.device)
                result[f"mask_logits_{level}"] = head.mask_logits(level, [of_level], [cells])[None]
        if isinstance(head, DynamicMaskHead):
            result["mask_features"] = maps[0][0].features[None]
        if model.embedding_head is not None:
            features = model.level_inputs.embedding_features(outputs.features, outputs.inputs)
            result.update(dense_maps(model.embedding_head, features))
        return result
