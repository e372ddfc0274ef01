"""MoveNet on one image by tensors alone."""

from __future__ import annotations

import torch
from torch import Tensor

from ictrack.modeling.movenet import MoveNet

from .candidates import Candidates


def people_raw(detector: MoveNet, features: dict[str, Tensor]) -> dict[str, Tensor]:
    """Maps (1, C, h, w) of :meth:`MoveNet.raw_outputs`."""
    return detector.raw_outputs(features)


def people_found(detector: MoveNet, features: dict[str, Tensor], size: Tensor) -> Candidates:
    """People of :meth:`MoveNet.decode`, and those whose score is too low.

    Args:
        detector: Detector.
        features: Features of its backbone.
        size: Unused; people are not clipped.
    """
    people = detector.people({name: x[0] for name, x in detector.raw_outputs(features).items()})
    is_detection = people.scores > detector.score_thresh
    classes = torch.zeros_like(people.scores, dtype=torch.int64)
    return Candidates(people.scores, classes, people.boxes, is_detection, people.keypoints)
