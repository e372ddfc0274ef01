"""Names of the detector's classes."""

from __future__ import annotations

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog


def detector_classes(cfg: CfgNode) -> list[str] | None:
    """Names of the detector's classes in their order: ``MODEL.CLASSES``, or else the classes of the first of
    ``DATASETS.TRAIN``; None if unknown.

    A single name of a registered data set in ``MODEL.CLASSES`` stands for its classes.
    """
    names = list(cfg.MODEL.CLASSES)
    if len(names) == 1 and names[0] in DatasetCatalog:
        return _classes_of(names[0])
    if names:
        return names
    return _classes_of(cfg.DATASETS.TRAIN[0]) if cfg.DATASETS.TRAIN else None


def state_detector_classes(cfg: CfgNode, *, training: bool) -> None:
    """Write the names into ``MODEL.CLASSES``, in place, so that users of the weights need no training set to know them.

    Args:
        cfg: Configuration whose data sets are registered, not frozen.
        training: Whether ``DATASETS.TRAIN`` is about to be trained on, and must then have these classes, unless
            ``MODEL.FREEZE`` has the detector: what is trained beside it knows no classes.

    Raises:
        ValueError: ``DATASETS.TRAIN`` has other classes.
    """
    names = detector_classes(cfg)
    if names is None:
        return
    for dataset in cfg.DATASETS.TRAIN if training and "detector" not in cfg.MODEL.FREEZE else ():
        trained = _classes_of(dataset)
        if trained is not None and trained != names:
            raise ValueError(
                f"the classes of {dataset} ({', '.join(trained)}) are not MODEL.CLASSES ({', '.join(names)}); "
                'MODEL.CLASSES "[]" takes the classes of the first of DATASETS.TRAIN'
            )
    cfg.MODEL.CLASSES = names


def _classes_of(dataset: str) -> list[str] | None:
    names = MetadataCatalog.get(dataset).get("thing_classes")
    return None if names is None else list(names)
