"""From the command line to a configuration, and from a configuration to a run."""

from __future__ import annotations

import argparse
import difflib
import logging
import os
from collections.abc import Sequence
from typing import Any

import torch
from detectron2.config import CfgNode, get_cfg
from detectron2.engine import default_argument_parser, default_setup, launch
from detectron2.evaluation import verify_results
from detectron2.utils import comm
from detectron2.utils.logger import setup_logger

from ictrack import add_ictrack_config
from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.data.datasets.check_files import check_dataset_files
from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.evaluation.detector_classes import state_detector_classes

from .trainer import ICTrackTrainer


class ConfigError(ValueError):
    """A configuration file or a KEY VALUE pair that cannot be used; the message names it."""


def load_config(config_file: str = "", overrides: Sequence[str] = ()) -> CfgNode:
    """Detectron2's and ICTrack's defaults, then the YAML file, then the KEY VALUE pairs.

    YAML tags that would run code are refused, unlike in Detectron2's default.

    Raises:
        ConfigError: missing file, malformed YAML, unknown key (with the nearest known one), or a value of another type.
    """
    cfg = get_cfg()
    add_ictrack_config(cfg)
    known = _keys(cfg)
    if config_file:
        if not os.path.isfile(config_file):
            raise ConfigError(f"{config_file}: no such configuration file")
        _merge(lambda: cfg.merge_from_file(config_file, allow_unsafe=False), config_file, known)
    _merge(lambda: cfg.merge_from_list(list(overrides)), "command line", known)
    if cfg.MODEL.DEVICE == "cuda" and not torch.cuda.is_available():
        logging.getLogger(__name__).warning("no GPU found: MODEL.DEVICE is set to cpu")
        cfg.MODEL.DEVICE = "cpu"
    return cfg


def setup(args: argparse.Namespace) -> CfgNode:
    """The frozen configuration of a run, with logging set up and its folder made."""
    cfg = load_config(args.config_file, args.opts)
    register_configured_datasets(cfg)
    training = not getattr(args, "eval_only", False)
    check_dataset_files(cfg, training=training)
    state_detector_classes(cfg, training=training)
    if getattr(args, "resume", False) and os.path.isfile(os.path.join(cfg.OUTPUT_DIR, "last_checkpoint")):
        cfg.MODEL.HRNET.WEIGHTS = cfg.MODEL.TIMM.WEIGHTS = ""  # the checkpoint has all weights
    cfg.freeze()
    default_setup(cfg, args)
    setup_logger(cfg.OUTPUT_DIR, distributed_rank=comm.get_rank(), name="ictrack")
    return cfg


def train_or_evaluate(args: argparse.Namespace) -> Any:
    """What ``train_net.py`` does in each process: train, or evaluate with ``--eval-only``. Returns the results."""
    cfg = setup(args)
    if args.eval_only:
        model = ICTrackTrainer.build_model(cfg)
        checkpointer = SafeCheckpointer(model, cfg.OUTPUT_DIR, allow_partial=cfg.MODEL.ALLOW_PARTIAL_WEIGHTS)
        checkpointer.resume_or_load(cfg.MODEL.WEIGHTS, resume=args.resume)
        results = ICTrackTrainer.test(cfg, model)
        if comm.is_main_process():
            verify_results(cfg, results)
        return results
    trainer = ICTrackTrainer(cfg)
    trainer.resume_or_load(resume=args.resume)
    return trainer.train()


def share_cores(num_processes: int) -> None:
    """Let several processes on a machine without GPUs share its cores evenly, unless OMP_NUM_THREADS is set."""
    if num_processes > 1 and not torch.cuda.is_available():
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // num_processes)))


def launch_training(args: argparse.Namespace) -> None:
    """Start ``args.num_gpus`` processes a machine: over NCCL with GPUs, over gloo on a machine without any.

    Those of one machine meet at a free port unless ``--dist-url`` names one, so that several runs do not collide.
    """
    share_cores(args.num_gpus)
    is_default = args.dist_url == default_argument_parser().get_default("dist_url")  # one port for all runs of a user
    launch(
        train_or_evaluate,
        args.num_gpus,
        num_machines=args.num_machines,
        machine_rank=args.machine_rank,
        dist_url="auto" if is_default and args.num_machines == 1 else args.dist_url,
        args=(args,),
    )


def _keys(node: CfgNode, prefix: str = "") -> list[str]:
    found = []
    for key, value in node.items():
        found += _keys(value, f"{prefix}{key}.") if isinstance(value, CfgNode) else [f"{prefix}{key}"]
    return found


def _merge(merge: Any, source: str, known: list[str]) -> None:
    try:
        merge()
    except KeyError as error:
        message = str(error).strip("'\"")
        near = difflib.get_close_matches(message.rsplit(" ", 1)[-1], known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"{source}: {message}{hint}") from error
    except Exception as error:  # YAML, yacs' assertions and type checks raise many kinds
        raise ConfigError(f"{source}: {type(error).__name__}: {error}") from error
