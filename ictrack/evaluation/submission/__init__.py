"""Leaderboard submissions: writers, readers of untrusted files, and offline checks for problems that a server refuses.

They need NumPy and pycocotools, but neither torch nor Detectron2.
"""

from .mots import MOTSObject, MOTSWriter, read_mots
from .mots_validation import validate_mots
from .posetrack import PoseTrackWriter, pack_posetrack, read_posetrack_results
from .posetrack_validation import find_pose_problems, validate_posetrack
from .problem import Problem
from .youtube_vis import ResultsWriter, pack_results, read_results_file, repair_results
from .youtube_vis_validation import find_problems, read_results, validate_youtube_vis

__all__ = [
    "MOTSObject",
    "MOTSWriter",
    "PoseTrackWriter",
    "Problem",
    "ResultsWriter",
    "find_pose_problems",
    "find_problems",
    "pack_posetrack",
    "pack_results",
    "read_mots",
    "read_posetrack_results",
    "read_results",
    "read_results_file",
    "repair_results",
    "validate_mots",
    "validate_posetrack",
    "validate_youtube_vis",
]
