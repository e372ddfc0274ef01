"""Metrics on arrays and run-length encoded masks. They need NumPy, SciPy and pycocotools, and nothing else.

Nothing is imported before it is used: SciPy takes longer to import than many a file to score.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .association import AssociationResult
    from .bootstrap import bootstrap_intervals, paired_bootstrap
    from .clear_mot import clear_counts, clear_figures
    from .hota import hota_counts, hota_curves, hota_figures
    from .identity import identity_counts, identity_figures
    from .pose_evaluation import evaluate_pose
    from .pose_results import PoseEvaluation
    from .pose_similarity import pose_tracks
    from .tracked_sequence import TrackedSequence, sum_counts
    from .video_ap import VideoAPResult
    from .video_evaluation import VideoEvaluation, evaluate_association, evaluate_video_ap, evaluate_videos

_MODULE_OF = {
    "AssociationResult": "association",
    "PoseEvaluation": "pose_results",
    "TrackedSequence": "tracked_sequence",
    "VideoAPResult": "video_ap",
    "VideoEvaluation": "video_evaluation",
    "bootstrap_intervals": "bootstrap",
    "clear_counts": "clear_mot",
    "clear_figures": "clear_mot",
    "evaluate_association": "video_evaluation",
    "evaluate_pose": "pose_evaluation",
    "evaluate_video_ap": "video_evaluation",
    "evaluate_videos": "video_evaluation",
    "hota_counts": "hota",
    "hota_curves": "hota",
    "hota_figures": "hota",
    "identity_counts": "identity",
    "identity_figures": "identity",
    "paired_bootstrap": "bootstrap",
    "pose_tracks": "pose_similarity",
    "sum_counts": "tracked_sequence",
}

__all__ = [
    "AssociationResult",
    "PoseEvaluation",
    "TrackedSequence",
    "VideoAPResult",
    "VideoEvaluation",
    "bootstrap_intervals",
    "clear_counts",
    "clear_figures",
    "evaluate_association",
    "evaluate_pose",
    "evaluate_video_ap",
    "evaluate_videos",
    "hota_counts",
    "hota_curves",
    "hota_figures",
    "identity_counts",
    "identity_figures",
    "paired_bootstrap",
    "pose_tracks",
    "sum_counts",
]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
