"""Evaluation on labeled images in COCO's format: Detectron2's evaluator on a completed ground truth."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from typing import Any

from detectron2.data import MetadataCatalog
from detectron2.evaluation import COCOEvaluator

from ictrack.structures.coco_json import read_coco

logger = logging.getLogger(__name__)


class COCOImageEvaluator(COCOEvaluator):
    """Detectron2's COCOEvaluator for any annotation ids, and files without the optional keys.

    In a file with masks, an object without one is ignored: detections in its box do not count. In a file without any
    mask, only boxes are scored.
    """

    def __init__(self, dataset_name: str, output_dir: str) -> None:
        """
        Raises:
            AnnotationError, OSError: the file is wrong or cannot be opened, see :func:`read_coco`.
        """
        metadata = MetadataCatalog.get(dataset_name)
        names = metadata.get("keypoint_names")
        data = official_ground_truth(read_coco(metadata.json_file, None if names is None else len(names)))
        stand_in = f"{dataset_name} (ground truth)"
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "ground_truth.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(data, file)
            MetadataCatalog.get(stand_in).set(json_file=path)
            try:
                super().__init__(stand_in, output_dir=output_dir)
            finally:
                MetadataCatalog.remove(stand_in)
        self._metadata = metadata
        self._source = metadata.json_file
        if metadata.get("thing_dataset_id_to_contiguous_id") is None:
            ids = sorted(category["id"] for category in data["categories"])
            metadata.thing_dataset_id_to_contiguous_id = {category: i for i, category in enumerate(ids)}

    def _tasks_from_predictions(self, predictions: list[dict[str, Any]]) -> list[str]:
        """Tasks that the predictions and the file's annotations allow."""
        keys = {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}
        annotations = self._coco_api.dataset.get("annotations", [])
        tasks = super()._tasks_from_predictions(predictions)
        missing = [task for task in tasks if annotations and not any(keys[task] in a for a in annotations)]
        for task in missing:
            logger.warning("%s: no annotation has %s; %s is not scored", self._source, keys[task], task)
        return [task for task in tasks if task not in missing]


def official_ground_truth(data: dict[str, Any]) -> dict[str, Any]:
    """Content of :func:`read_coco` in the form that pycocotools needs.

    Ids count from 1, since 0 means "no match"; there is an "info", without which 2.0.9 and 2.0.10 fail; poses have
    their number of joints; and in a file with masks every object has one: its box, as a crowd, if it had none.
    """
    result = {"info": {}, "images": data["images"], "categories": data["categories"]}
    if "annotations" not in data:
        return result
    has_masks = any("segmentation" in annotation for annotation in data["annotations"])
    annotations = []
    for number, annotation in enumerate(data["annotations"], start=1):
        annotation = {**annotation, "id": number}
        if "keypoints" in annotation:
            annotation["num_keypoints"] = sum(v > 0 for v in annotation["keypoints"][2::3])
        if has_masks and "segmentation" not in annotation:
            x, y, width, height = annotation["bbox"]
            corners = [x, y, x + width, y, x + width, y + height, x, y + height]
            # A crowd's joints would not be scored either.
            annotation.update(iscrowd=int("keypoints" not in annotation), segmentation=[corners])
        annotations.append(annotation)
    poses = [annotation for annotation in annotations if "keypoints" in annotation]
    if poses:  # objects with only a box have no joint
        no_joints = [0] * len(poses[0]["keypoints"])
        annotations = [{"keypoints": no_joints, "num_keypoints": 0, **annotation} for annotation in annotations]
    return {**result, "annotations": annotations}
