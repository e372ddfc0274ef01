"""What is tracked, in NumPy: joints, run-length encoded masks, tracks, and the files that hold them."""

from .coco_json import read_coco
from .joints import COCO_17, MPII_16, POSETRACK_15, POSETRACK_18, JointSet, convert_keypoints, joint_set, joints_of
from .json_files import AnnotationError, read_json
from .posetrack_json import read_pose_folder
from .rle import RLE, encode_mask
from .tracks import Track, TrackRecorder
from .youtube_vis_json import read_ground_truth
from .youtube_vis_writer import write_youtube_vis

__all__ = [
    "COCO_17",
    "MPII_16",
    "POSETRACK_15",
    "POSETRACK_18",
    "RLE",
    "AnnotationError",
    "JointSet",
    "Track",
    "TrackRecorder",
    "convert_keypoints",
    "encode_mask",
    "joint_set",
    "joints_of",
    "read_coco",
    "read_ground_truth",
    "read_json",
    "read_pose_folder",
    "write_youtube_vis",
]
