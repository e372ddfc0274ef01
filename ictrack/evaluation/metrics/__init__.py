"""Metrics on arrays and run-length encoded masks. They need NumPy, SciPy and pycocotools, and nothing else."""

from .clear_mot import (
    AssociationResult,
    TrackedSequence,
    add_ratios,
    clear_counts,
    evaluate_association,
    identity_counts,
    sum_counts,
)
from .video_ap import VideoAPResult, evaluate_video_ap

__all__ = [
    "AssociationResult",
    "TrackedSequence",
    "VideoAPResult",
    "add_ratios",
    "clear_counts",
    "evaluate_association",
    "evaluate_video_ap",
    "identity_counts",
    "sum_counts",
]
