"""Configuration of a run from a command's arguments, its checks, and the run."""

from __future__ import annotations

import argparse
import difflib
import logging
import os
from collections.abc import Sequence
from typing import Any

import torch
from detectron2 import model_zoo
from detectron2.config import CfgNode, get_cfg
from detectron2.engine import default_setup
from detectron2.utils import comm
from detectron2.utils.logger import setup_logger

from ictrack import add_ictrack_config
from ictrack.checkpoint.safe_checkpointer import check_weights_exist
from ictrack.data.datasets.check_files import check_dataset_files
from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.evaluation.detector_classes import state_detector_classes

from .check_data import quick_findings
from .config_file import merge_file
from .idle_memory import keep_freed_memory
from .mine_tracklets import needs_mining, with_tracklets
from .trainer import ICTrackTrainer

logger = logging.getLogger(__name__)


class ConfigError(ValueError):
    """Unusable configuration file or KEY VALUE pair; the message names it."""


def load_config(config_file: str = "", overrides: Sequence[str] = ()) -> CfgNode:
    """Configuration from Detectron2's and ICTrack's defaults, overridden by a YAML file and then by KEY VALUE pairs.

    YAML tags that would run code are refused.

    Raises:
        ConfigError: On a missing file, malformed YAML, an unknown key (with the nearest known one) or a wrong type.
    """
    cfg = get_cfg()
    add_ictrack_config(cfg)
    if config_file and not os.path.isfile(config_file):
        raise ConfigError(f"{config_file}: no such configuration file")
    _merge_all(cfg, config_file, overrides)
    if cfg.MODEL.EMBEDDED_DETECTOR.ZOO:
        cfg = _zoo_config(cfg.MODEL.EMBEDDED_DETECTOR.ZOO)
        _merge_all(cfg, config_file, overrides)
    if cfg.MODEL.DEVICE == "cuda" and not torch.cuda.is_available():
        logger.warning("no GPU found: MODEL.DEVICE is set to cpu")
        cfg.MODEL.DEVICE = "cpu"
    _check_device(cfg.MODEL.DEVICE)
    return cfg


def _merge_all(cfg: CfgNode, config_file: str, overrides: Sequence[str]) -> None:
    """Merge a file ("": none) and KEY VALUE pairs into a configuration, in place."""
    before = _values(cfg)
    if config_file:
        _merge(lambda: merge_file(cfg, config_file), config_file, list(before))
    _merge(lambda: cfg.merge_from_list(list(overrides)), "command line", list(before))
    emptied = [key for key, value in _values(cfg).items() if value is None and before[key] is not None]
    if emptied:  # which the type checks let pass
        raise ConfigError(f"{', '.join(emptied)}: has no value, such as {before[emptied[0]]!r}")


def _zoo_config(name: str) -> CfgNode:
    """Detectron2's configuration of a model in its zoo, as the detector of an EmbeddedDetector, with our keys.

    Raises:
        ConfigError: If there is no such model, or its configuration is no YAML.
    """
    try:
        model_zoo.get_checkpoint_url(name)  # first, as get_config would run code from a file that is not of the zoo
        cfg = model_zoo.get_config(name, trained=True)
        add_ictrack_config(cfg)
        cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE = cfg.MODEL.META_ARCHITECTURE
    except (RuntimeError, AttributeError) as error:
        raise ConfigError(
            f"MODEL.EMBEDDED_DETECTOR.ZOO: {name!r} is no YAML file of Detectron2's model zoo with weights, such as "
            "COCO-Detection/retinanet_R_50_FPN_3x.yaml"
        ) from error
    return cfg


def checked_config(args: argparse.Namespace) -> CfgNode:
    """Configuration of a run, after all checks that read neither annotations nor weights.

    Args:
        args: Namespace with ``config_file`` and ``opts``, optionally ``eval_only``, ``resume``, ``num_gpus`` and
            ``num_machines``.

    Raises:
        ValueError: ConfigError, DatasetFilesError or CheckpointError with what is wrong.
    """
    cfg = load_config(args.config_file, args.opts)
    register_configured_datasets(cfg)
    training = not getattr(args, "eval_only", False)
    check_dataset_files(cfg, training=training)
    if training:
        check_frozen(cfg)
        needs_mining(cfg)
    state_detector_classes(cfg, training=training)
    if training:
        check_batch(cfg, getattr(args, "num_gpus", 1) * getattr(args, "num_machines", 1))
    if resumes(cfg, args):
        cfg.MODEL.HRNET.WEIGHTS = cfg.MODEL.TIMM.WEIGHTS = ""  # the checkpoint has all weights
    else:
        check_weights_exist(cfg.MODEL.WEIGHTS)
    return cfg


def resumes(cfg: CfgNode, args: argparse.Namespace) -> bool:
    """Whether a run continues from its own checkpoint."""
    return getattr(args, "resume", False) and os.path.isfile(os.path.join(cfg.OUTPUT_DIR, "last_checkpoint"))


def check_batch(cfg: CfgNode, num_processes: int) -> None:
    """Raise ConfigError if ``SOLVER.IMS_PER_BATCH`` cannot be divided among the processes in whole images."""
    batch, reference = cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.REFERENCE_WORLD_SIZE
    # Detectron2 scales the batch of REFERENCE_WORLD_SIZE processes to the actual number.
    parts, what = (reference, "SOLVER.REFERENCE_WORLD_SIZE") if reference else (num_processes, "processes")
    views = cfg.INPUT.NUM_VIEWS if cfg.DATASETS.TRAIN else 1
    if batch <= 0 or batch % (parts * views):
        by_views = f" times INPUT.NUM_VIEWS {views}" if views > 1 else ""
        raise ConfigError(f"SOLVER.IMS_PER_BATCH {batch} is no multiple of the {parts} {what}{by_views}")


def setup(args: argparse.Namespace) -> CfgNode:
    """Frozen configuration of a run, after setting up logging and the output folder and, where training needs them,
    mining tracklets. Raises as :func:`checked_config` and :func:`with_tracklets`."""
    cfg = checked_config(args)
    cfg.freeze()
    default_setup(cfg, args)
    setup_logger(cfg.OUTPUT_DIR, distributed_rank=comm.get_rank(), name="ictrack")
    return cfg if getattr(args, "eval_only", False) else with_tracklets(cfg)


def check_frozen(cfg: CfgNode) -> None:
    """Raise ConfigError if the detector would be trained without any loss, or ``MODEL.FREEZE`` could not be kept."""
    video = cfg.MODEL.VIDEO_EMBEDDING
    if "image_head" in cfg.MODEL.FREEZE and not video.ENABLED:
        raise ConfigError("MODEL.FREEZE image_head needs a video head beside it: set MODEL.VIDEO_EMBEDDING.ENABLED")
    trains_video_alone = video.ENABLED and cfg.DATASETS.UNLABELED and not cfg.DATASETS.TRAIN
    if trains_video_alone and "detector" not in cfg.MODEL.FREEZE and not video.BACKPROP_TO_FEATURES:
        raise ConfigError(
            "DATASETS.TRAIN is empty, so the detector has no loss and weight decay would ruin it: set MODEL.FREEZE to "
            '["detector", "image_head"]'
        )


def train_or_evaluate(args: argparse.Namespace) -> Any:
    """Train, or evaluate with ``--eval-only``, in one process; returns the results."""
    keep_freed_memory()
    cfg = setup(args)
    if args.eval_only:
        return ICTrackTrainer.evaluate(cfg, resume=args.resume)
    if comm.is_main_process():
        for text in quick_findings(cfg):
            logger.warning("data: %s", text)
    trainer = ICTrackTrainer(cfg)
    trainer.resume_or_load(resume=args.resume)
    return trainer.train()


def _check_device(name: str) -> None:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"MODEL.DEVICE {name!r} is not a device, such as cpu, cuda or cuda:1") from error
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise ConfigError(f"MODEL.DEVICE {name!r}: this machine has {count} GPUs")
    if device.type not in ("cpu", "cuda"):
        try:
            torch.zeros(1, device=device)
        except RuntimeError as error:
            raise ConfigError(f"MODEL.DEVICE {name!r} does not work here: {str(error).splitlines()[0]}") from error


def _values(node: CfgNode, prefix: str = "") -> dict[str, Any]:
    """Values by their full keys."""
    values = {}
    for key, value in node.items():
        values.update(_values(value, f"{prefix}{key}.") if isinstance(value, CfgNode) else {f"{prefix}{key}": value})
    return values


def _merge(merge: Any, source: str, known: list[str]) -> None:
    try:
        merge()
    except (KeyError, AssertionError) as error:  # of a file, of the command line
        message = str(error).strip("'\"")
        near = difflib.get_close_matches(message.rsplit(" ", 1)[-1], known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"{source}: {message}{hint}") from error
    except Exception as error:  # YAML and yacs' type checks raise many kinds
        raise ConfigError(f"{source}: {type(error).__name__}: {error}") from error
