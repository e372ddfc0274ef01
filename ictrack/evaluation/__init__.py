"""Evaluators and submission files. Imports are lazy: ``ictrack.evaluation.metrics``, ``ictrack.evaluation.submission``
and the reports work without torch and Detectron2."""

from __future__ import annotations

from ictrack.structures.lazy_names import lazy_names

_MODULE_OF = {
    "PoseTrackEvaluator": "posetrack_evaluation",
    "YouTubeVISEvaluator": "youtube_vis_evaluation",
    "ResultsWriter": "submission",
    "read_results": "submission",
    "evaluate_video_ap": "metrics",
    "evaluate_videos": "metrics",
    "evaluate_pose": "metrics",
}
__all__ = sorted(_MODULE_OF)
__getattr__ = lazy_names(__name__, _MODULE_OF)
