"""Data sets in YouTube-VIS format: YouTube-VIS 2019 and 2021, OVIS, and a user's own.

Below ``DETECTRON2_DATASETS`` (default ``./datasets``), as the projects on Detectron2 lay them out::

    ytvis_2019/{train,valid,test}.json      ytvis_2019/{train,valid,test}/JPEGImages/<video>/<frame>.jpg
    ytvis_2021/{train,valid,test}.json      ytvis_2021/{train,valid,test}/JPEGImages/<video>/<frame>.jpg
    ovis/annotations/{train,valid,test}.json      ovis/{train,valid,test}/<video>/<frame>.jpg

They are registered as ``ytvis_2019_train``, ``ytvis_2019_val``, ``ytvis_2019_test`` and so on. ``ytvis_2019_local`` and
so on are ``local.json`` beside ``train.json``, training videos that ``ictrack prepare local-split`` held out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.structures import BoxMode
from pycocotools import mask as mask_util

from ictrack.structures.categories import OVIS_CATEGORIES, YTVIS_2019_CATEGORIES, YTVIS_2021_CATEGORIES
from ictrack.structures.inside_folder import path_inside
from ictrack.structures.json_files import AnnotationError, require
from ictrack.structures.youtube_vis_json import normalize_segmentations, read_ground_truth, video_name

# Name -> (categories, annotation file, image folder), with {} for the split's folder.
_LAYOUTS = {
    "ytvis_2019": (YTVIS_2019_CATEGORIES, "ytvis_2019/{}.json", "ytvis_2019/{}/JPEGImages"),
    "ytvis_2021": (YTVIS_2021_CATEGORIES, "ytvis_2021/{}.json", "ytvis_2021/{}/JPEGImages"),
    "ovis": (OVIS_CATEGORIES, "ovis/annotations/{}.json", "ovis/{}"),
}
_SPLIT_FOLDERS = {"train": "train", "val": "valid", "test": "test"}
_LOCAL = "local"  # file of the videos held out of the training set


def register_youtube_vis(
    name: str, json_file: str, image_root: str, thing_classes: Sequence[str] | None = None
) -> None:
    """Register a data set in YouTube-VIS format under ``name``. Files are opened when it is first used.

    Args:
        name: Name in ``cfg.DATASETS``.
        json_file: Annotation file, ``.json`` or ``.json.gz``; a test set has no ``annotations``.
        image_root: Folder that the file's ``file_names`` are relative to.
        thing_classes: Names by ascending category id, if known before the file is read.
    """
    DatasetCatalog.register(name, lambda: load_youtube_vis_json(json_file, image_root, name))
    metadata = MetadataCatalog.get(name)
    metadata.set(json_file=json_file, image_root=image_root, evaluator_type="youtube_vis")
    if thing_classes is not None:
        metadata.set(thing_classes=list(thing_classes))


def register_all_youtube_vis(root: str) -> None:
    """Register the public data sets below the folder ``root``; names that exist already are left alone."""
    for dataset, (categories, json_file, image_root) in _LAYOUTS.items():
        for split, folder in _SPLIT_FOLDERS.items():
            name = f"{dataset}_{split}"
            if name not in DatasetCatalog:
                register_youtube_vis(
                    name,
                    os.path.join(root, json_file.format(folder)),
                    os.path.join(root, image_root.format(folder)),
                    categories,
                )
        if (name := f"{dataset}_{_LOCAL}") not in DatasetCatalog:  # some of the categories, as its file says
            folder = os.path.join(root, image_root.format(_SPLIT_FOLDERS["train"]))
            register_youtube_vis(name, os.path.join(root, json_file.format(_LOCAL)), folder)


def load_youtube_vis_json(json_file: str, image_root: str, dataset_name: str | None = None) -> list[dict[str, Any]]:
    """Dataset dicts of videos, in the file's order.

    Each holds ``video_id``, ``video_name``, ``height``, ``width``, ``length``, ``file_names`` (one a frame) and, unless
    the file has no annotations, ``annotations``: for each frame a list of Detectron2's annotation dicts, with ``id``
    (the track), contiguous ``category_id``, ``iscrowd``, ``bbox`` (tight, XYWH_ABS) and ``segmentation`` (RLE, for
    ``INPUT.MASK_FORMAT: "bitmask"``).

    Args:
        json_file: Annotation file.
        image_root: Folder that ``file_names`` are relative to.
        dataset_name: Name whose metadata gets ``thing_classes`` and ``thing_dataset_id_to_contiguous_id``, if given.

    Raises:
        AnnotationError: the file is wrong; the message has its name and the JSON path.
        OSError: the file cannot be opened.
    """
    data = read_ground_truth(json_file)
    categories = sorted(data["categories"], key=lambda category: category["id"])
    contiguous = {category["id"]: i for i, category in enumerate(categories)}
    if dataset_name is not None:
        metadata = MetadataCatalog.get(dataset_name)
        names = [category["name"] for category in categories]
        expected = metadata.get("thing_classes", names)
        if names != expected:
            raise AnnotationError(
                f"{json_file}: categories: the data set {dataset_name} has {expected}, the file {names}; "
                "register a part of it, or another version, with register_youtube_vis under a name of its own"
            )
        metadata.set(thing_classes=names, thing_dataset_id_to_contiguous_id=contiguous)

    records = {}
    for i, video in enumerate(data["videos"]):
        records[video["id"]] = {
            "video_id": video["id"],
            "video_name": video_name(video),
            "height": video["height"],
            "width": video["width"],
            "length": len(video["file_names"]),
            "file_names": [
                path_inside(image_root, name, f"{json_file}: videos[{i}].file_names[{t}]")
                for t, name in enumerate(video["file_names"])
            ],
        }
        if data.get("annotations") is not None:
            records[video["id"]]["annotations"] = [[] for _ in video["file_names"]]
    try:
        for i, annotation in enumerate(data.get("annotations") or []):
            record = records[annotation["video_id"]]
            for frame, instance in _instances(annotation, f"annotations[{i}]", (record["height"], record["width"])):
                instance["category_id"] = contiguous[annotation["category_id"]]
                record["annotations"][frame].append(instance)
    except AnnotationError as error:
        raise AnnotationError(f"{json_file}: {error}") from None
    return list(records.values())


def _instances(annotation: dict[str, Any], path: str, size: tuple[int, int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Pairs (frame, annotation dict) of the frames in which a track has a mask that is not empty."""
    segmentations = annotation["segmentations"]
    frames = [t for t, segmentation in enumerate(segmentations) if segmentation]
    rles, areas = normalize_segmentations(
        [segmentations[t] for t in frames], [f"{path}.segmentations[{t}]" for t in frames], [size] * len(frames)
    )
    for t, rle in zip(frames, rles):
        require(
            list(rle["size"]) == list(size),
            f"{path}.segmentations[{t}].size",
            f"is {list(rle['size'])}, the video's frames are {list(size)}",
        )
    for t, rle, box, area in zip(frames, rles, mask_util.toBbox(rles).tolist(), areas):
        if area > 0:
            yield (
                t,
                {
                    "id": annotation["id"],
                    "iscrowd": int(annotation.get("iscrowd", 0)),
                    "bbox": box,
                    "bbox_mode": BoxMode.XYWH_ABS,
                    "segmentation": rle,
                },
            )
