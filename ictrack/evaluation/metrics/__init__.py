"""Metrics on arrays and run-length encoded masks, which need only NumPy, SciPy and pycocotools.

Imports are lazy: importing SciPy takes longer than scoring a small file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ictrack.structures.lazy_names import lazy_names

if TYPE_CHECKING:
    from .association.clear_mot import clear_counts as clear_counts
    from .association.clear_mot import clear_scores as clear_scores
    from .association.counts import AssociationCounts as AssociationCounts
    from .association.counts import AssociationResult as AssociationResult
    from .association.counts import count_sequence as count_sequence
    from .association.hota import hota_counts as hota_counts
    from .association.hota import hota_curves as hota_curves
    from .association.hota import hota_scores as hota_scores
    from .association.identity import identity_counts as identity_counts
    from .association.identity import identity_scores as identity_scores
    from .association.tracked_sequence import TrackedSequence as TrackedSequence
    from .bootstrap import bootstrap_intervals as bootstrap_intervals
    from .bootstrap import paired_bootstrap as paired_bootstrap
    from .mot_challenge.boxes import mot_sequence as mot_sequence
    from .mot_challenge.masks import mots_sequence as mots_sequence
    from .posetrack.evaluate import evaluate_pose as evaluate_pose
    from .posetrack.results import PoseEvaluation as PoseEvaluation
    from .posetrack.similarity import pose_tracks as pose_tracks
    from .tao.teta import teta_counts as teta_counts
    from .tao.teta import teta_scores as teta_scores
    from .youtube_vis.evaluate import VideoEvaluation as VideoEvaluation
    from .youtube_vis.evaluate import evaluate_video_ap as evaluate_video_ap
    from .youtube_vis.evaluate import evaluate_videos as evaluate_videos
    from .youtube_vis.video_ap import VideoAPResult as VideoAPResult

_MODULE_OF = {
    "AssociationCounts": "association.counts",
    "AssociationResult": "association.counts",
    "PoseEvaluation": "posetrack.results",
    "TrackedSequence": "association.tracked_sequence",
    "VideoAPResult": "youtube_vis.video_ap",
    "VideoEvaluation": "youtube_vis.evaluate",
    "bootstrap_intervals": "bootstrap",
    "clear_counts": "association.clear_mot",
    "clear_scores": "association.clear_mot",
    "count_sequence": "association.counts",
    "evaluate_pose": "posetrack.evaluate",
    "evaluate_video_ap": "youtube_vis.evaluate",
    "evaluate_videos": "youtube_vis.evaluate",
    "hota_counts": "association.hota",
    "hota_curves": "association.hota",
    "hota_scores": "association.hota",
    "identity_counts": "association.identity",
    "identity_scores": "association.identity",
    "mot_sequence": "mot_challenge.boxes",
    "mots_sequence": "mot_challenge.masks",
    "paired_bootstrap": "bootstrap",
    "pose_tracks": "posetrack.similarity",
    "teta_counts": "tao.teta",
    "teta_scores": "tao.teta",
}
__all__ = sorted(_MODULE_OF)
__getattr__ = lazy_names(__name__, _MODULE_OF)
