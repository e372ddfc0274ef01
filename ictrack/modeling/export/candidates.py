"""What a detector finds in an exported model, before boxes are scaled to the frame."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Candidates:
    """Candidates of one image, at least one, by falling score, in pixels of the network's input.

    Attributes:
        scores: (N,).
        classes: (N,) int64.
        boxes: (N, 4) XYXY.
        is_detection: (N,) bool, whether each counts.
        keypoints: (N, J, 3) x, y and score; None of a detector without poses.
    """

    scores: Tensor
    classes: Tensor
    boxes: Tensor
    is_detection: Tensor
    keypoints: Tensor | None = None
