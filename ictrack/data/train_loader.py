"""Training loaders: labeled images, unlabeled video, or both in every batch."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog, build_detection_train_loader, get_detection_dataset_dicts
from detectron2.data.build import filter_images_with_only_crowd_annotations
from detectron2.utils import comm

from ictrack.structures.joints import JointSet, configured_joints, needs_masks

from .datasets.unlabeled_videos import exclude_videos
from .labeled_image_mapper import LabeledImageMapper
from .labeled_pose_mapper import LabeledPoseMapper
from .mixed_loader import Source, build_mixed_loader, flatten_views
from .object_masks import with_masks
from .replay import ReplayedBatches
from .tracklet_shapes import tracklet_shapes
from .tracklets import read_tracklets
from .video_dataset_mapper import VideoDatasetMapper

logger = logging.getLogger(__name__)

_MAX_DENOMINATOR = 1000  # of INPUT.UNLABELED.PER_LABELED_IMAGE as a fraction


class ViewBatches:
    """Flat batches of views, as the meta-architectures take them, from batches of images with several views."""

    def __init__(self, loader: Iterable[list[dict[str, Any]]]) -> None:
        self._loader = loader

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        yield from map(flatten_views, self._loader)


def build_train_loader(cfg: CfgNode) -> Iterable[list[dict[str, Any]]]:
    """Endless flat batches of ``cfg.DATASETS.TRAIN`` and ``cfg.DATASETS.UNLABELED`` for a training process.

    Labeled images alone are loaded by :func:`build_image_train_loader`. Otherwise batches are a mixture
    (:mod:`ictrack.data.mixed_loader`) that depends on ``cfg.SEED`` but not on the number of workers, without aspect
    ratio grouping:

    * labeled images and video: ``SOLVER.IMS_PER_BATCH`` views over all processes, and for each of them
      ``INPUT.UNLABELED.PER_LABELED_IMAGE`` samples of video, on average over batches if fractional;
    * video alone: ``SOLVER.IMS_PER_BATCH`` samples.

    Labeled images come first in a batch, then samples of :class:`VideoDatasetMapper`. Each batch comes
    ``cfg.DATALOADER.REPLAY.TIMES`` times (:class:`ReplayedBatches`).

    Raises:
        ValueError: no data set is named, one is empty, or the batch cannot be divided.
    """
    loader = build_mixed_train_loader(cfg) if cfg.DATASETS.UNLABELED else build_image_train_loader(cfg)
    replay = cfg.DATALOADER.REPLAY
    return loader if replay.TIMES == 1 else ReplayedBatches(loader, replay.TIMES, replay.NUM_BATCHES, max(cfg.SEED, 0))


def build_mixed_train_loader(cfg: CfgNode) -> Iterable[list[dict[str, Any]]]:
    """Endless batches with samples of ``cfg.DATASETS.UNLABELED``; see :func:`build_train_loader`."""
    if cfg.SOLVER.IMS_PER_BATCH % comm.get_world_size():
        raise ValueError(
            f"SOLVER.IMS_PER_BATCH {cfg.SOLVER.IMS_PER_BATCH} is no multiple of {comm.get_world_size()} processes"
        )
    per_process = Fraction(cfg.SOLVER.IMS_PER_BATCH, comm.get_world_size())
    sources = []
    if cfg.DATASETS.TRAIN:
        sources.append(_labeled_source(cfg, per_process))
        ratio = cfg.INPUT.UNLABELED.PER_LABELED_IMAGE
        if not 0 < ratio < float("inf"):
            raise ValueError(f"INPUT.UNLABELED.PER_LABELED_IMAGE must be a number above 0, not {ratio}")
        per_process = per_process * Fraction(ratio).limit_denominator(_MAX_DENOMINATOR)
    sources.append(_unlabeled_source(cfg, per_process))
    seed = cfg.SEED if cfg.SEED >= 0 else comm.shared_random_seed()
    return build_mixed_loader(sources, seed=seed, num_workers=cfg.DATALOADER.NUM_WORKERS)


def build_image_train_loader(cfg: CfgNode) -> ViewBatches:
    """Endless batches of ``cfg.SOLVER.IMS_PER_BATCH`` views over all processes, from ``cfg.DATASETS.TRAIN``.

    Raises:
        ValueError: the batch cannot be divided by the number of views, or no image has an annotation.
    """
    dataset = _labeled_records(cfg)
    loader = build_detection_train_loader(
        cfg,
        dataset=dataset,
        mapper=_labeled_mapper(cfg, len(dataset)),
        total_batch_size=cfg.SOLVER.IMS_PER_BATCH // cfg.INPUT.NUM_VIEWS,
    )
    return ViewBatches(loader)


def _labeled_records(cfg: CfgNode) -> list[dict[str, Any]]:
    views = cfg.INPUT.NUM_VIEWS
    if cfg.SOLVER.IMS_PER_BATCH % views:
        raise ValueError(f"SOLVER.IMS_PER_BATCH {cfg.SOLVER.IMS_PER_BATCH} is no multiple of INPUT.NUM_VIEWS {views}")
    min_keypoints, joints = 0, configured_joints(cfg)
    if joints is not None:
        _check_joints(cfg, joints)
        min_keypoints = cfg.MODEL.ROI_KEYPOINT_HEAD.MIN_KEYPOINTS_PER_IMAGE
    dataset = []
    for name in cfg.DATASETS.TRAIN:
        records = get_detection_dataset_dicts(name, filter_empty=False, min_keypoints=min_keypoints)
        if joints is None:
            source = MetadataCatalog.get(name).get("json_file", name)
            records = with_masks(records, source, required=needs_masks(cfg))
        dataset += records
    if cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS:
        dataset = filter_images_with_only_crowd_annotations(dataset)
    if not dataset:
        raise ValueError(f"{', '.join(cfg.DATASETS.TRAIN)}: no image has an annotation to train on")
    return dataset


def _check_joints(cfg: CfgNode, joints: JointSet) -> None:
    for name in cfg.DATASETS.TRAIN:
        names = MetadataCatalog.get(name).get("keypoint_names")
        if names is not None and tuple(names) != joints.names:
            raise ValueError(f"{name}: its joints are not those of {joints.name}, which the model predicts")


def _labeled_mapper(cfg: CfgNode, num_images: int) -> LabeledImageMapper:
    mapper = LabeledImageMapper if configured_joints(cfg) is None else LabeledPoseMapper
    return mapper(cfg, num_images=num_images)


def _labeled_source(cfg: CfgNode, views_per_batch: Fraction) -> Source:
    dataset = _labeled_records(cfg)
    per_batch = views_per_batch / cfg.INPUT.NUM_VIEWS
    if per_batch.denominator != 1:
        raise ValueError(
            f"SOLVER.IMS_PER_BATCH gives {views_per_batch} views a process, no multiple of INPUT.NUM_VIEWS "
            f"{cfg.INPUT.NUM_VIEWS}"
        )
    return Source(dataset, _labeled_mapper(cfg, len(dataset)), per_batch)


def unlabeled_records(cfg: CfgNode) -> list[dict[str, Any]]:
    """Records of ``cfg.DATASETS.UNLABELED`` without excluded videos. Raises ValueError if none is left."""
    names = cfg.DATASETS.UNLABELED
    found = [record for name in names for record in DatasetCatalog.get(name)]
    records = exclude_videos(found, cfg.DATASETS.UNLABELED_EXCLUDE)
    if not records:
        raise ValueError(f"{', '.join(names)}: DATASETS.UNLABELED_EXCLUDE leaves none of {len(found)} videos")
    return records


def _unlabeled_source(cfg: CfgNode, per_batch: Fraction) -> Source:
    records, tracklets = unlabeled_records(cfg), None
    if cfg.DATASETS.UNLABELED_TRACKLETS:
        tracklets = read_tracklets(cfg.DATASETS.UNLABELED_TRACKLETS, tracklet_shapes(cfg))
        with_tracklets = [record for record in records if record["video_name"] in tracklets]
        logger.info("%d of %d unlabeled videos have tracklets", len(with_tracklets), len(records))
        if not with_tracklets:
            raise ValueError(f"{cfg.DATASETS.UNLABELED_TRACKLETS}: holds no tracklet of a video of DATASETS.UNLABELED")
        if len({record["video_name"] for record in with_tracklets}) < len(with_tracklets):
            raise ValueError("DATASETS.UNLABELED holds two videos of one name; tracklets need distinct names")
        records = with_tracklets
    return Source(records, VideoDatasetMapper(cfg, num_videos=len(records), tracklets=tracklets), per_batch)
