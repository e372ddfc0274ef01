"""Training loaders: labeled images, unlabeled video, or both in every batch."""

from __future__ import annotations

import logging
from fractions import Fraction
from typing import Any

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog, build_detection_train_loader, get_detection_dataset_dicts
from detectron2.data.build import filter_images_with_only_crowd_annotations
from detectron2.data.samplers import TrainingSampler
from detectron2.utils import comm

from ictrack.structures.joints import JointSet, configured_joints, needs_masks

from .datasets.unlabeled_videos import exclude_videos
from .labeled_image_mapper import LabeledImageMapper
from .labeled_pose_mapper import LabeledPoseMapper
from .mixed_loader import MixedLoader, Source
from .object_masks import with_masks
from .replay import ReplayedBatches
from .tracklet_shapes import tracklet_shapes
from .tracklets import read_tracklets
from .video_dataset_mapper import VideoDatasetMapper

logger = logging.getLogger(__name__)

_MAX_DENOMINATOR = 1000  # of INPUT.UNLABELED.PER_LABELED_IMAGE as a fraction


def build_train_loader(cfg: CfgNode) -> MixedLoader | ReplayedBatches:
    """Endless flat batches of ``cfg.DATASETS.TRAIN`` and ``cfg.DATASETS.UNLABELED`` for a training process.

    Batches depend on ``cfg.SEED`` but not on the number of workers (:mod:`ictrack.data.mixed_loader`). They hold

    * of labeled images ``SOLVER.IMS_PER_BATCH`` views over all processes; where there is no video, grouped by aspect
      ratio with ``DATALOADER.ASPECT_RATIO_GROUPING``;
    * of labeled images and video the same, and for each view ``INPUT.UNLABELED.PER_LABELED_IMAGE`` samples of video, on
      average over batches if fractional;
    * of video alone ``SOLVER.IMS_PER_BATCH`` samples.

    Labeled images come first in a batch, then samples of :class:`VideoDatasetMapper`. Each batch comes
    ``cfg.DATALOADER.REPLAY.TIMES`` times (:class:`ReplayedBatches`).

    Raises:
        ValueError: no data set is named, one is empty, or the batch cannot be divided.
    """
    batch = Fraction(cfg.SOLVER.IMS_PER_BATCH)
    if batch % comm.get_world_size():
        raise ValueError(f"SOLVER.IMS_PER_BATCH {batch} is no multiple of {comm.get_world_size()} processes")
    sources = []
    if cfg.DATASETS.TRAIN or not cfg.DATASETS.UNLABELED:
        sources.append(_labeled_source(cfg, batch))
    if cfg.DATASETS.UNLABELED:
        ratio = cfg.INPUT.UNLABELED.PER_LABELED_IMAGE if sources else 1
        if not 0 < ratio < float("inf"):
            raise ValueError(f"INPUT.UNLABELED.PER_LABELED_IMAGE must be a number above 0, not {ratio}")
        sources.append(_unlabeled_source(cfg, batch * Fraction(ratio).limit_denominator(_MAX_DENOMINATOR)))
    seed = cfg.SEED if cfg.SEED >= 0 else comm.shared_random_seed()
    loader = MixedLoader(
        sources,
        seed=seed,
        num_workers=cfg.DATALOADER.NUM_WORKERS,
        group_by_shape=cfg.DATALOADER.ASPECT_RATIO_GROUPING and not cfg.DATASETS.UNLABELED,
    )
    replay = cfg.DATALOADER.REPLAY
    return loader if replay.TIMES == 1 else ReplayedBatches(loader, replay.TIMES, replay.NUM_BATCHES)


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
    records = _labeled_records(cfg)
    images = views_per_batch / cfg.INPUT.NUM_VIEWS
    if images % comm.get_world_size():
        raise ValueError(
            f"SOLVER.IMS_PER_BATCH gives {views_per_batch / comm.get_world_size()} views a process, no multiple of "
            f"INPUT.NUM_VIEWS {cfg.INPUT.NUM_VIEWS}"
        )
    mapper = _labeled_mapper(cfg, len(records))
    sampler = build_detection_train_loader.from_config(cfg, mapper, dataset=records)["sampler"]
    return Source(records, mapper, sampler, images)


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
    mapper = VideoDatasetMapper(cfg, num_videos=len(records), tracklets=tracklets)
    return Source(records, mapper, TrainingSampler(len(records), seed=cfg.SEED), per_batch)
