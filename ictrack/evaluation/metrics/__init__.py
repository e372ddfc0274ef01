"""Metrics on arrays and run-length encoded masks. They need NumPy, SciPy and pycocotools, and nothing else.

Nothing is imported before it is used: SciPy takes longer to import than many a file to score.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .association.clear_mot import clear_counts, clear_figures
    from .association.combine import AssociationResult
    from .association.hota import hota_counts, hota_curves, hota_figures
    from .association.identity import identity_counts, identity_figures
    from .association.tracked_sequence import TrackedSequence, sum_counts
    from .bootstrap import bootstrap_intervals, paired_bootstrap
    from .posetrack.evaluate import evaluate_pose
    from .posetrack.results import PoseEvaluation
    from .posetrack.similarity import pose_tracks
    from .youtube_vis.evaluate import VideoEvaluation, evaluate_association, evaluate_video_ap, evaluate_videos
    from .youtube_vis.video_ap import VideoAPResult

_MODULE_OF = {
    "AssociationResult": "association.combine",
    "PoseEvaluation": "posetrack.results",
    "TrackedSequence": "association.tracked_sequence",
    "VideoAPResult": "youtube_vis.video_ap",
    "VideoEvaluation": "youtube_vis.evaluate",
    "bootstrap_intervals": "bootstrap",
    "clear_counts": "association.clear_mot",
    "clear_figures": "association.clear_mot",
    "evaluate_association": "youtube_vis.evaluate",
    "evaluate_pose": "posetrack.evaluate",
    "evaluate_video_ap": "youtube_vis.evaluate",
    "evaluate_videos": "youtube_vis.evaluate",
    "hota_counts": "association.hota",
    "hota_curves": "association.hota",
    "hota_figures": "association.hota",
    "identity_counts": "association.identity",
    "identity_figures": "association.identity",
    "paired_bootstrap": "bootstrap",
    "pose_tracks": "posetrack.similarity",
    "sum_counts": "association.tracked_sequence",
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
