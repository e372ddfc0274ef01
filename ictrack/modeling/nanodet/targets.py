"""Assignment of ground truth to cells by adaptive training sample selection.

Reference: Zhang et al., "Bridging the Gap Between Anchor-based and Anchor-free Detection via Adaptive Training Sample
Selection", CVPR 2020 (arXiv 1912.02424), Algorithm 1.
"""

from __future__ import annotations

import torch
from detectron2.structures import Boxes, pairwise_iou
from torch import Tensor

# Side of a cell's anchor in strides (octave_base_scale of NanoDet-g).
ANCHOR_SCALE = 8


def assign_cells(boxes: Tensor, centers: Tensor, strides: Tensor, top_k: int) -> Tensor:
    """Index of the box that each cell is to predict.

    Candidates of a box are the ``top_k`` cells of each level whose centers are nearest to its own. A candidate is
    positive if the IoU of its square anchor with the box is at least the mean plus the standard deviation of all
    candidates' IoUs, and its center lies inside the box. A cell that several boxes claim takes that of the highest IoU.

    Args:
        boxes: (M, 4) XYXY in pixels of the padded input.
        centers: (A, 2) centers of the cells in those pixels.
        strides: (A,) strides of the cells' levels.
        top_k: Number of candidates of a level.

    Returns:
        (A,) int64 indices, -1 for the background.
    """
    num_cells, num_boxes = len(centers), len(boxes)
    if not num_boxes:
        return torch.full((num_cells,), -1, dtype=torch.int64, device=centers.device)
    half = strides[:, None] * ANCHOR_SCALE / 2
    iou = pairwise_iou(Boxes(torch.cat([centers - half, centers + half], dim=1)), Boxes(boxes))  # (A, M)
    distance = torch.cdist(centers, (boxes[:, :2] + boxes[:, 2:]) / 2)
    candidate = torch.zeros_like(iou, dtype=torch.bool)
    for stride in strides.unique():
        level = (strides == stride).nonzero().squeeze(1)
        nearest = distance[level].topk(min(top_k, len(level)), dim=0, largest=False).indices
        candidate[level[nearest], torch.arange(num_boxes, device=boxes.device)] = True
    count = candidate.sum(dim=0)
    mean = (iou * candidate).sum(dim=0) / count
    deviation = (((iou - mean) ** 2 * candidate).sum(dim=0) / (count - 1).clamp(min=1)).sqrt()
    offsets = torch.cat([centers[:, None] - boxes[:, :2], boxes[:, 2:] - centers[:, None]], dim=2)  # (A, M, 4)
    positive = candidate & (iou >= mean + deviation) & (offsets.amin(dim=2) > 0.01)
    best, index = torch.where(positive, iou, iou.new_tensor(-1.0)).max(dim=1)
    return torch.where(best >= 0, index, index.new_tensor(-1))
