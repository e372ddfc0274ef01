"""Labeled images in COCO's format, as Detectron2's dataset dicts."""

from __future__ import annotations

import logging
from typing import Any

from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.structures import BoxMode

from ictrack.structures.coco_json import read_coco
from ictrack.structures.inside_folder import path_inside

logger = logging.getLogger(__name__)


def register_coco(name: str, json_file: str, image_root: str) -> None:
    """Register a user's own images under ``name``.

    The file is checked at once, which also tells a detector the classes' names before anything of the data set is
    loaded. If it cannot be opened, as on a machine that only tracks, the classes have no names.

    Args:
        name: Name in ``cfg.DATASETS``.
        json_file: Annotation file, see :func:`read_coco`.
        image_root: Folder that ``file_name`` is relative to.

    Raises:
        AnnotationError: the file is wrong; the message has its name and the JSON path.
    """
    try:
        categories = _categories(read_coco(json_file))
    except OSError as error:
        logger.warning("%s: cannot be read (%s); the classes of %s have no names", json_file, error.strerror, name)
        categories = None
    DatasetCatalog.register(name, lambda: load_coco(json_file, image_root))
    metadata = MetadataCatalog.get(name)
    metadata.set(json_file=json_file, image_root=image_root, evaluator_type="coco")
    if categories is not None:
        metadata.set(
            thing_classes=list(categories.values()),
            thing_dataset_id_to_contiguous_id={category: i for i, category in enumerate(categories)},
        )


def load_coco(json_file: str, image_root: str) -> list[dict[str, Any]]:
    """Dataset dicts of a file's images by ascending id, with contiguous ``category_id``. Raises as read_coco."""
    return coco_records(read_coco(json_file), image_root, json_file)


def coco_records(data: dict[str, Any], image_root: str, json_file: str) -> list[dict[str, Any]]:
    """Dataset dicts from the result of :func:`read_coco` of a file. The first pixel's center is (0.5, 0.5).

    Raises AnnotationError if an image's name leads out of ``image_root``.
    """
    contiguous = {category: i for i, category in enumerate(_categories(data))}
    records: dict[int, dict[str, Any]] = {
        image["id"]: {
            "file_name": path_inside(image_root, image["file_name"], f"{json_file}: images[{i}].file_name"),
            "height": image["height"],
            "width": image["width"],
            "image_id": image["id"],
            "annotations": [],
        }
        for i, image in sorted(enumerate(data["images"]), key=lambda pair: pair[1]["id"])
    }
    for annotation in data.get("annotations", []):
        entry = {key: annotation[key] for key in ("iscrowd", "bbox", "segmentation") if key in annotation}
        entry["bbox_mode"] = BoxMode.XYWH_ABS
        entry["category_id"] = contiguous[annotation["category_id"]]
        if "keypoints" in annotation:
            entry["keypoints"] = [v + 0.5 * (i % 3 != 2) for i, v in enumerate(annotation["keypoints"])]
        records[annotation["image_id"]]["annotations"].append(entry)
    return list(records.values())


def _categories(data: dict[str, Any]) -> dict[int, str]:
    """Category names by ascending id."""
    return {category["id"]: category["name"] for category in sorted(data["categories"], key=lambda c: c["id"])}
