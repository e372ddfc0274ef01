"""Data sets, one module per format; importing them registers the public ones in Detectron2's catalog."""

import os

from .coco_images import register_coco
from .coco_keypoints import load_coco_keypoints, register_all_coco_keypoints, register_coco_keypoints
from .mpii import load_mpii, register_all_mpii, register_mpii
from .posetrack import load_posetrack_folder, register_all_posetrack, register_posetrack
from .posetrack_images import load_posetrack_images, register_all_posetrack_images, register_posetrack_images
from .register_from_config import register_configured_datasets
from .unlabeled_videos import find_videos, register_all_unlabeled_videos, register_unlabeled_videos
from .youtube_vis import load_youtube_vis_json, register_all_youtube_vis, register_youtube_vis

__all__ = [
    "find_videos",
    "load_coco_keypoints",
    "load_mpii",
    "load_posetrack_folder",
    "load_posetrack_images",
    "load_youtube_vis_json",
    "register_all_coco_keypoints",
    "register_all_mpii",
    "register_all_posetrack",
    "register_all_posetrack_images",
    "register_all_unlabeled_videos",
    "register_all_youtube_vis",
    "register_coco",
    "register_coco_keypoints",
    "register_configured_datasets",
    "register_mpii",
    "register_posetrack",
    "register_posetrack_images",
    "register_unlabeled_videos",
    "register_youtube_vis",
]

_root = os.path.expanduser(os.getenv("DETECTRON2_DATASETS", "datasets"))
for _register_all in (
    register_all_coco_keypoints,
    register_all_mpii,
    register_all_posetrack,
    register_all_posetrack_images,
    register_all_unlabeled_videos,
    register_all_youtube_vis,
):
    _register_all(_root)
