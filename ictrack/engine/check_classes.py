"""Comparison of a detector's configured classes with its data sets."""

from __future__ import annotations

import logging

from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog

from ictrack.evaluation.detector_classes import detector_classes
from ictrack.modeling.freezing import frozen_parts

logger = logging.getLogger(__name__)

# Meta-architecture -> key of its number of classes.
_KEYS = {
    "SOLO": "MODEL.SOLO.NUM_CLASSES",
    "GeneralizedRCNN": "MODEL.ROI_HEADS.NUM_CLASSES",
    "PanopticFPN": "MODEL.ROI_HEADS.NUM_CLASSES",
    "RetinaNet": "MODEL.RETINANET.NUM_CLASSES",
    "FCOS": "MODEL.FCOS.NUM_CLASSES",
    "NanoDet": "MODEL.NANODET.NUM_CLASSES",
}


class ClassesError(ValueError):
    """Classes of a detector that do not fit its data; the message names the key or the data set."""


def num_classes_key(cfg: CfgNode) -> str | None:
    """Key of the detector's number of classes; None for an unknown meta-architecture or one without classes."""
    name = cfg.MODEL.META_ARCHITECTURE
    if name == "EmbeddedDetector":
        name = cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE
    return _KEYS.get(name)


def check_classes(cfg: CfgNode) -> None:
    """Compare the number of the detector's classes with the data's. Superfluous classes are only logged.

    Raises:
        ClassesError: If the detector has fewer classes than the data, or a test set of images has other classes.
    """
    names, key = detector_classes(cfg), num_classes_key(cfg)
    if names is None:
        return
    if key is not None and "detector" not in frozen_parts(cfg):
        number = cfg
        for part in key.split("."):
            number = number.get(part, {})
        if isinstance(number, int) and number != len(names):
            source = cfg.DATASETS.TRAIN[0] if cfg.DATASETS.TRAIN else "MODEL.CLASSES"
            message = f"{source} has {len(names)} categories, {key} is {number}"
            if number < len(names):
                raise ClassesError(message)
            logger.warning("%s: classes from %d on are never trained", message, len(names))
    for dataset in cfg.DATASETS.TEST:
        check_test_set(names, dataset)


def check_test_set(names: list[str] | None, dataset: str) -> None:
    """Raise ClassesError if a test set of labeled images has other classes than ``names``, the detector's."""
    metadata = MetadataCatalog.get(dataset)
    tested = metadata.get("thing_classes")
    is_images = metadata.get("evaluator_type", "coco") == "coco"
    if is_images and names is not None and tested is not None and list(tested) != names:
        raise ClassesError(
            f"{dataset} has {len(tested)} categories ({', '.join(tested)}), the detector's classes are "
            f"{len(names)} ({', '.join(names)}); see MODEL.CLASSES"
        )
