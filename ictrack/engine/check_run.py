"""Checks of a run that need no training."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.data.datasets.check_files import check_dataset_files
from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.data.train_loader import build_train_loader
from ictrack.evaluation.detector_classes import detector_classes, state_detector_classes
from ictrack.structures.command_line import user_error

from .check_classes import check_classes, check_test_set
from .check_data import annotation_defects, leaks
from .mine_tracklets import needs_mining
from .setup import check_batch, check_frozen, load_config, resumes
from .trainer import ICTrackTrainer

# Number of class names shown.
_FEW = 10


@dataclass(frozen=True)
class Finding:
    """Result of one check of a run.

    Attributes:
        text: Description of the checked part, or of what is wrong with it.
        is_mistake: Whether the run would stop because of it.
    """

    text: str
    is_mistake: bool = False


def check_run(args: argparse.Namespace) -> Iterator[Finding]:
    """Check configuration, data sets, classes, batch and weights of a run.

    Reads annotations, and headers of some of the images.

    Args:
        args: Arguments of Detectron2's ``default_argument_parser``. With ``eval_only``, parts that only training needs
            are not checked.

    Yields:
        Finding for each part. An unusable configuration is the only finding; annotations are read only if all files of
        the data sets exist.
    """
    training = not args.eval_only
    try:
        cfg = load_config(args.config_file, args.opts)
        register_configured_datasets(cfg)
    except (OSError, ValueError) as error:
        yield Finding(str(user_error(error)), is_mistake=True)
        return
    yield Finding(f"configuration: {args.config_file or 'the defaults'}")
    files = _look(lambda: check_dataset_files(cfg, training=training))
    if files.is_mistake:
        yield files
    else:
        yield from _data_sets(cfg, training)
        yield _look(lambda: _classes(cfg, training))
        if training:
            yield _look(lambda: _batches(cfg, args.num_gpus * args.num_machines))
    yield _look(lambda: _weights(cfg, args))


def _look(check: Callable[[], str | None]) -> Finding:
    try:
        return Finding(check() or "")
    except Exception as error:
        message = user_error(error)
        if message is None:
            raise
        return Finding(message, is_mistake=True)


def _data_sets(cfg: CfgNode, training: bool) -> Iterator[Finding]:
    are_readable = True
    for key in ("TRAIN", "UNLABELED", "TEST") if training else ("TEST",):
        for name in cfg.DATASETS[key]:
            finding = _look(partial(_data_set, key, name))
            yield finding
            are_readable &= not finding.is_mistake
            if key != "UNLABELED" and not finding.is_mistake:
                for text, is_error in annotation_defects(name):
                    yield _finding(f"DATASETS.{key}: {text}", is_error)
    if training and are_readable:
        for text, is_error in leaks(cfg):
            yield _finding(text, is_error)


def _data_set(key: str, name: str) -> str:
    records = DatasetCatalog.get(name)
    is_video = key == "UNLABELED" or MetadataCatalog.get(name).get("evaluator_type") in ("youtube_vis", "posetrack")
    return f"DATASETS.{key}: {name}: {len(records)} {'videos' if is_video else 'images'}"


def _finding(text: str, is_error: bool) -> Finding:
    return Finding(text if is_error else f"warning: {text}", is_mistake=is_error)


def _classes(cfg: CfgNode, training: bool) -> str:
    state_detector_classes(cfg, training=training)
    names = detector_classes(cfg)
    if training:
        check_classes(cfg)
    else:
        for dataset in cfg.DATASETS.TEST:
            check_test_set(names, dataset)
    if names is None:
        return "classes: unknown, no data set names them and MODEL.CLASSES is empty"
    return f"classes: {len(names)} ({', '.join(names[:_FEW])}{', ...' if len(names) > _FEW else ''})"


def _batches(cfg: CfgNode, num_processes: int) -> str:
    check_frozen(cfg)
    check_batch(cfg, num_processes)
    mining = ", once tracklets are mined" if needs_mining(cfg) else ""
    build_train_loader(cfg)
    return f"training batches: SOLVER.IMS_PER_BATCH {cfg.SOLVER.IMS_PER_BATCH}{mining}"


def _weights(cfg: CfgNode, args: argparse.Namespace) -> str:
    if resumes(cfg, args):
        return f"weights: the last checkpoint in {cfg.OUTPUT_DIR}"
    model = ICTrackTrainer.build_model(cfg)
    if not cfg.MODEL.WEIGHTS:
        return "weights: none (MODEL.WEIGHTS is empty)"
    SafeCheckpointer(model, allow_partial=cfg.MODEL.ALLOW_PARTIAL_WEIGHTS).load(cfg.MODEL.WEIGHTS)
    return f"weights: {cfg.MODEL.WEIGHTS} fits the model"
