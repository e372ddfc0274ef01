"""The training loader of labelled images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from detectron2.config import CfgNode
from detectron2.data import build_detection_train_loader, get_detection_dataset_dicts

from .labelled_image_mapper import LabelledImageMapper


class ViewBatches:
    """Turns batches of images with several views into flat batches of views, as the meta-architectures take them."""

    def __init__(self, loader: Iterable[list[dict[str, Any]]]) -> None:
        self._loader = loader

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        for batch in self._loader:
            yield [view for image in batch for view in image["views"]]


def build_image_train_loader(cfg: CfgNode) -> ViewBatches:
    """Endless batches of ``cfg.SOLVER.IMS_PER_BATCH`` views over all processes, from ``cfg.DATASETS.TRAIN``.

    Raises:
        ValueError: the batch cannot be divided by the number of views, or no image has an annotation.
    """
    views = cfg.INPUT.NUM_VIEWS
    if cfg.SOLVER.IMS_PER_BATCH % views:
        raise ValueError(f"SOLVER.IMS_PER_BATCH {cfg.SOLVER.IMS_PER_BATCH} is no multiple of INPUT.NUM_VIEWS {views}")
    dataset = get_detection_dataset_dicts(
        cfg.DATASETS.TRAIN, filter_empty=cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS, min_keypoints=0
    )
    if not dataset:
        raise ValueError(f"{', '.join(cfg.DATASETS.TRAIN)}: no image has an annotation to train on")
    loader = build_detection_train_loader(
        cfg,
        dataset=dataset,
        mapper=LabelledImageMapper(cfg, num_images=len(dataset)),
        total_batch_size=cfg.SOLVER.IMS_PER_BATCH // views,
    )
    return ViewBatches(loader)
