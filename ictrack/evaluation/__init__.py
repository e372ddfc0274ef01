"""Evaluators and submission files. Imports are lazy: ``ictrack.evaluation.metrics``, ``ictrack.evaluation.submission``
and the reports work without torch and Detectron2."""

from __future__ import annotations

from importlib import import_module
from typing import Any

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


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
