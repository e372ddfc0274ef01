"""Tracked objects in NumPy: joints, run-length encoded masks, tracks, and the file formats that hold them.

Imports are lazy: the console command's one handler of errors is here, and works without NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lazy_names import lazy_names

if TYPE_CHECKING:
    from .coco_json import read_coco as read_coco
    from .joints import COCO_17 as COCO_17
    from .joints import MPII_16 as MPII_16
    from .joints import POSETRACK_15 as POSETRACK_15
    from .joints import POSETRACK_18 as POSETRACK_18
    from .joints import JointSet as JointSet
    from .joints import convert_keypoints as convert_keypoints
    from .joints import joint_set as joint_set
    from .joints import joints_of as joints_of
    from .json_files import AnnotationError as AnnotationError
    from .json_files import read_json as read_json
    from .mot_text import parse_mot as parse_mot
    from .posetrack_json import read_pose_folder as read_pose_folder
    from .rle import RLE as RLE
    from .rle import encode_mask as encode_mask
    from .tracks import Track as Track
    from .tracks import TrackRecorder as TrackRecorder
    from .youtube_vis_json import read_ground_truth as read_ground_truth
    from .youtube_vis_writer import write_youtube_vis as write_youtube_vis

_MODULE_OF = {
    "COCO_17": "joints",
    "MPII_16": "joints",
    "POSETRACK_15": "joints",
    "POSETRACK_18": "joints",
    "RLE": "rle",
    "AnnotationError": "json_files",
    "JointSet": "joints",
    "Track": "tracks",
    "TrackRecorder": "tracks",
    "convert_keypoints": "joints",
    "encode_mask": "rle",
    "joint_set": "joints",
    "joints_of": "joints",
    "parse_mot": "mot_text",
    "read_coco": "coco_json",
    "read_ground_truth": "youtube_vis_json",
    "read_json": "json_files",
    "read_pose_folder": "posetrack_json",
    "write_youtube_vis": "youtube_vis_writer",
}
__all__ = sorted(_MODULE_OF)
__getattr__ = lazy_names(__name__, _MODULE_OF)
