"""Registration of the data sets that a configuration describes, so that a user's own data needs no code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog

from .coco_images import register_coco
from .coco_keypoints import register_coco_keypoints
from .mpii import register_mpii
from .posetrack import register_posetrack
from .posetrack_images import register_posetrack_images
from .unlabeled_videos import register_unlabeled_videos
from .youtube_vis import register_youtube_vis

# Format -> function of name, annotations and images.
_LABELED: dict[str, Callable[[str, str, str], None]] = {
    "coco": register_coco,
    "coco_keypoints": register_coco_keypoints,
    "mpii": register_mpii,
    "posetrack_images": register_posetrack_images,
    "youtube_vis": register_youtube_vis,
    "posetrack": register_posetrack,
}
_UNLABELED = "videos"
FORMATS = (*_LABELED, _UNLABELED)

# Data sets that configurations registered in this process: name -> format and paths.
_registered: dict[str, tuple[str, ...]] = {}


def register_configured_datasets(cfg: CfgNode) -> None:
    """Register the data sets of ``cfg.DATASETS.REGISTER``; a second call replaces changed rows.

    Raises:
        ValueError: a row is not as ``ictrack/config`` describes, or its name is taken by another row or by a data
            set that no configuration registered. The message names the row.
    """
    first_row: dict[str, int] = {}
    for index, row in enumerate(cfg.DATASETS.REGISTER):
        where = f"DATASETS.REGISTER[{index}]"
        name, *stated = _checked(row, where)
        if first_row.setdefault(name, index) != index:
            raise ValueError(f"{where}: {name} is the name of row {first_row[name]}, too")
        _register(name, tuple(stated), where)


def _checked(row: Any, where: str) -> list[str]:
    is_row = isinstance(row, (list, tuple)) and len(row) >= 2 and all(isinstance(value, str) for value in row)
    if not is_row:
        raise ValueError(f"{where}: must be [name, format, annotations, images], all of them text, not {row!r}")
    name, form, *paths = row
    if form not in FORMATS:
        raise ValueError(f"{where}: the format of {name} is {form!r}, not one of {', '.join(FORMATS)}")
    if form == _UNLABELED and not paths:
        raise ValueError(f'{where}: must be [name, "{form}", path, ...], not {row!r}')
    if form != _UNLABELED and len(paths) != 2:
        raise ValueError(f'{where}: must be [name, "{form}", annotations, images], not {row!r}')
    return list(row)


def _register(name: str, stated: tuple[str, ...], where: str) -> None:
    if name in DatasetCatalog:
        if _registered.get(name) == stated:
            return
        if name not in _registered:
            raise ValueError(f"{where}: {name} is the name of another data set; choose another name")
        DatasetCatalog.remove(name)
    if name in MetadataCatalog.list():
        MetadataCatalog.remove(name)
    form, *paths = stated
    if form == _UNLABELED:
        register_unlabeled_videos(name, paths)
    else:
        _LABELED[form](name, *paths)
    _registered[name] = stated
