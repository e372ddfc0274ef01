"""Registers the data sets that a configuration names, so that a user's own data needs no code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog

from .coco_images import register_coco
from .coco_keypoints import register_coco_keypoints
from .mpii import register_mpii
from .posetrack import register_posetrack
from .posetrack_images import register_posetrack_images
from .unlabelled_videos import register_unlabelled_videos
from .youtube_vis import register_youtube_vis

_FORMATS: dict[str, Callable[[str, str, str], None]] = {
    "COCO_FORMAT": register_coco,
    "YOUTUBE_VIS_FORMAT": register_youtube_vis,
    "POSETRACK_FORMAT": register_posetrack,
}
# Still images with poses: MPII's and PoseTrack's have the joints of PoseTrack18.
_POSE_FORMATS: dict[str, Callable[[str, str, str], None]] = {
    "coco": register_coco_keypoints,
    "mpii": register_mpii,
    "posetrack": register_posetrack_images,
}


# What a configuration registered in this process: name -> key and entry.
_registered: dict[str, tuple[str, ...]] = {}


def register_configured_datasets(cfg: CfgNode) -> None:
    """Register what ``DATASETS`` names under ``COCO_FORMAT``, ``YOUTUBE_VIS_FORMAT``, ``POSETRACK_FORMAT``,
    ``POSE_FORMAT`` and ``UNLABELLED_VIDEOS``.

    A second call does no harm; it replaces a name whose files are others now.

    Raises:
        ValueError: an entry does not hold what it should, or has the name of a data set that no configuration
            registered.
    """
    for key, register in _FORMATS.items():
        for entry in cfg.DATASETS[key]:
            if len(entry) != 3:
                raise ValueError(f"DATASETS.{key} holds [name, annotation file, image folder], not {entry}")
            _register(key, entry, register)
    for entry in cfg.DATASETS.POSE_FORMAT:
        if len(entry) != 4 or entry[1] not in _POSE_FORMATS:
            raise ValueError(
                "DATASETS.POSE_FORMAT holds [name, format, annotations, image folder], the format one of "
                f"{', '.join(_POSE_FORMATS)}, not {entry}"
            )
        _register("POSE_FORMAT", entry, lambda name, form, *paths: _POSE_FORMATS[form](name, *paths))
    for entry in cfg.DATASETS.UNLABELLED_VIDEOS:
        if len(entry) < 2:
            raise ValueError(f"DATASETS.UNLABELLED_VIDEOS holds [name, path or glob, ...], not {entry}")
        _register("UNLABELLED_VIDEOS", entry, lambda name, *sources: register_unlabelled_videos(name, sources))


def _register(key: str, entry: Sequence[str], register: Callable[..., None]) -> None:
    name, *values = map(str, entry)
    stated = (key, *values)
    if name in DatasetCatalog:
        if _registered.get(name) == stated:
            return
        if name not in _registered:
            raise ValueError(f"DATASETS.{key}: {name} is the name of another data set: choose one of your own")
        DatasetCatalog.remove(name)
    if name in MetadataCatalog.list():
        MetadataCatalog.remove(name)
    register(name, *values)
    _registered[name] = stated
