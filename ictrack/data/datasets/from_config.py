"""Registers the data sets that a configuration names, so that a user's own data needs no code."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog

from .coco_images import register_coco
from .coco_keypoints import register_coco_keypoints
from .mpii import register_mpii
from .posetrack import register_posetrack
from .posetrack_images import register_posetrack_images
from .unlabelled_videos import register_unlabelled_videos
from .youtube_vis import register_youtube_vis

# Still images with poses: MPII's and PoseTrack's have the joints of PoseTrack18.
_POSE_FORMATS: dict[str, Callable[[str, str, str], None]] = {
    "coco": register_coco_keypoints,
    "mpii": register_mpii,
    "posetrack": register_posetrack_images,
}


def register_configured_datasets(cfg: CfgNode) -> None:
    """Register what ``DATASETS`` names under ``COCO_FORMAT``, ``YOUTUBE_VIS_FORMAT``, ``POSETRACK_FORMAT``,
    ``POSE_FORMAT``, ``UNLABELLED_VIDEOS`` and ``SAMPLE_ROOT``.

    A name that is registered already is left as it is, so that calling this again does no harm.

    Raises:
        ValueError: an entry does not hold what it should.
    """
    _register(cfg.DATASETS.COCO_FORMAT, register_coco, "COCO_FORMAT")
    _register(cfg.DATASETS.YOUTUBE_VIS_FORMAT, register_youtube_vis, "YOUTUBE_VIS_FORMAT")
    _register(cfg.DATASETS.POSETRACK_FORMAT, register_posetrack, "POSETRACK_FORMAT")
    for entry in cfg.DATASETS.POSE_FORMAT:
        if len(entry) != 4 or entry[1] not in _POSE_FORMATS:
            raise ValueError(
                "DATASETS.POSE_FORMAT holds [name, format, annotations, image folder], the format one of "
                f"{', '.join(_POSE_FORMATS)}, not {entry}"
            )
        name, form, annotations, image_root = map(str, entry)
        if name not in DatasetCatalog:
            _POSE_FORMATS[form](name, annotations, image_root)
    for entry in cfg.DATASETS.UNLABELLED_VIDEOS:
        if len(entry) < 2:
            raise ValueError(f"DATASETS.UNLABELLED_VIDEOS holds [name, path or glob, ...], not {entry}")
        name, *sources = map(str, entry)
        if name not in DatasetCatalog:
            register_unlabelled_videos(name, sources)
    if cfg.DATASETS.SAMPLE_ROOT:
        with contextlib.suppress(ModuleNotFoundError):
            synthetic = importlib.import_module("synthetic")
            synthetic.register(cfg.DATASETS.SAMPLE_ROOT)


def _register(entries: list[list[str]], register: Callable[[str, str, str], None], key: str) -> None:
    for entry in entries:
        if len(entry) != 3:
            raise ValueError(f"DATASETS.{key} holds [name, annotation file, image folder], not {entry}")
        name, json_file, image_root = map(str, entry)
        if name not in DatasetCatalog:
            register(name, json_file, image_root)
