"""Makes a generated sample known to Detectron2's catalogues."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import register_coco_instances

from ictrack.data.datasets.unlabelled_videos import register_unlabelled_videos
from ictrack.data.datasets.youtube_vis import register_youtube_vis

from .assets import CATEGORIES
from .output import SampleDataError


def register_sample(root: str | os.PathLike) -> list[str]:
    """Register the sample data of ``generate_sample``; a second call replaces the first one's names.

    ``ictrack_sample_train`` and ``ictrack_sample_val``: labelled stills, COCO format.
    ``ictrack_sample_unlabelled``: unlabelled clips, folders of frames; its metadata's ``video_root`` holds these.
    ``ictrack_sample_clips_tune`` and ``ictrack_sample_clips_val``: labelled clips at full rate; with ``_skip<k>``
    appended: every k-th frame of them.

    Returns:
        The names of the labelled data sets.

    Raises:
        SampleDataError: naming the file that is missing.
    """
    root = Path(root)
    names = []

    def add(name: str, register: Callable[[str, str, str], None], json_file: Path, image_root: Path) -> None:
        if not json_file.is_file():
            raise SampleDataError(f"{json_file}: missing; {root} is no complete sample (see generate_data.py)")
        forget(name)
        register(name, str(json_file), str(image_root))
        names.append(name)

    for split in ("train", "val"):
        folder = root / f"stills_{split}"
        add(f"ictrack_sample_{split}", _register_coco, folder / "instances.json", folder / "images")
    for split in ("tune", "val"):
        folder = root / f"clips_{split}"
        name = f"ictrack_sample_clips_{split}"
        add(name, _register_clips, folder / "instances.json", folder / "JPEGImages")
        for json_file in sorted(folder.glob("instances_skip*.json")):
            skip = json_file.stem.removeprefix("instances_")
            add(f"{name}_{skip}", _register_clips, json_file, folder / "JPEGImages")
    unlabelled = root / "unlabelled"
    if not unlabelled.is_dir():
        raise SampleDataError(f"{unlabelled}: missing; {root} is no complete sample (see generate_data.py)")
    forget("ictrack_sample_unlabelled")
    register_unlabelled_videos("ictrack_sample_unlabelled", str(unlabelled))
    MetadataCatalog.get("ictrack_sample_unlabelled").set(video_root=str(unlabelled))
    return names


def _register_coco(name: str, json_file: str, image_root: str) -> None:
    # Known before anything is loaded: a detector that was trained on the sample shows their names.
    ids = {index + 1: index for index in range(len(CATEGORIES))}
    metadata = {"thing_classes": list(CATEGORIES), "thing_dataset_id_to_contiguous_id": ids}
    register_coco_instances(name, metadata, json_file, image_root)


def _register_clips(name: str, json_file: str, image_root: str) -> None:
    register_youtube_vis(name, json_file, image_root, thing_classes=CATEGORIES)


def forget(name: str) -> None:
    """Remove a data set from the catalogues, if it is there."""
    if name in DatasetCatalog.list():
        DatasetCatalog.remove(name)
    if name in MetadataCatalog.list():
        MetadataCatalog.remove(name)
