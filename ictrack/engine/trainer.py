"""Detectron2's DefaultTrainer for ICTrack's models and data sets."""

from __future__ import annotations

import logging
import math
import os
import weakref
from contextlib import nullcontext
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog
from detectron2.engine import DefaultTrainer, HookBase, create_ddp_model
from detectron2.engine.hooks import EvalHook
from detectron2.engine.train_loop import TrainerBase
from detectron2.evaluation import COCOEvaluator, DatasetEvaluator, verify_results
from detectron2.utils import comm
from detectron2.utils.logger import setup_logger
from torch import nn

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.checkpoint.weight_average import WeightAverage
from ictrack.data.build import build_video_test_loader
from ictrack.data.train_loader import build_train_loader, unlabeled_records
from ictrack.data.view_pairs import ViewPairMapper, draw_pairs
from ictrack.evaluation.coco_evaluation import COCOImageEvaluator
from ictrack.evaluation.detector_classes import detector_classes
from ictrack.evaluation.posetrack_evaluation import PoseTrackEvaluator
from ictrack.evaluation.youtube_vis_evaluation import YouTubeVISEvaluator
from ictrack.modeling.build import build_model
from ictrack.modeling.detector_base import TrackableDetector
from ictrack.modeling.frozen_features import cache_frozen_features

from .check_classes import check_classes, check_test_set
from .embedding_health import EmbeddingHealthHook
from .lr_scheduler import build_scheduler
from .optimizer import build_optimizer, clips_full_model
from .preemption import CheckpointOnSigterm
from .train_step import NonFiniteLossError, TrainStep

logger = logging.getLogger(__name__)

# Name of the last checkpoint of a finished run in Detectron2.
_FINAL = "model_final.pth"
# Folder of the checkpoint from before a step whose losses were not finite.
_NOT_FINITE = "not_finite"
# `evaluator_type` in a data set's metadata -> evaluator of its videos. Others are images in COCO format.
_VIDEO_EVALUATORS = {"youtube_vis": YouTubeVISEvaluator, "posetrack": PoseTrackEvaluator}


class ICTrackTrainer(DefaultTrainer):
    """DefaultTrainer with ICTrack's steps, checkpoints, loaders and evaluators.

    Automatic mixed precision works on any device, checkpoints are written atomically and read without unpickling code,
    and with ``SOLVER.EMA_DECAY`` evaluation and checkpoints use the moving average of the weights.
    """

    def __init__(self, cfg: CfgNode) -> None:
        TrainerBase.__init__(self)
        if not logging.getLogger("detectron2").isEnabledFor(logging.INFO):
            setup_logger()
        cfg = with_seed(DefaultTrainer.auto_scale_workers(cfg, comm.get_world_size()))
        check_classes(cfg)
        model = self.build_model(cfg)
        optimizer = self.build_optimizer(cfg, model)
        data_loader = self.build_train_loader(cfg)
        if cfg.DATALOADER.REPLAY.TIMES > 1:
            for backbone in model.backbones() if isinstance(model, TrackableDetector) else [model.backbone]:
                cache_frozen_features(model, backbone, cfg.DATALOADER.REPLAY.TIMES)
        # DistributedDataParallel takes no device ids for a model on the CPU.
        on_cpu = next(model.parameters()).device.type == "cpu"
        wrapped = create_ddp_model(model, broadcast_buffers=False, **({"device_ids": None} if on_cpu else {}))
        clip = cfg.SOLVER.CLIP_GRADIENTS
        self._trainer = TrainStep(
            wrapped,
            data_loader,
            optimizer,
            amp=cfg.SOLVER.AMP.ENABLED,
            seed=cfg.SEED,
            max_gradient_norm=clip.CLIP_VALUE if clips_full_model(cfg) else math.inf,
            max_skipped=cfg.SOLVER.MAX_SKIPPED_BATCHES,
        )
        self.scheduler = self.build_lr_scheduler(cfg, optimizer)
        self.weight_average = WeightAverage(model, cfg.SOLVER.EMA_DECAY) if cfg.SOLVER.EMA_DECAY > 0 else None
        averaged = {} if self.weight_average is None else {"weight_average": self.weight_average}
        self.checkpointer = SafeCheckpointer(
            model,
            cfg.OUTPUT_DIR,
            average=self.weight_average,
            allow_partial=cfg.MODEL.ALLOW_PARTIAL_WEIGHTS,
            trainer=weakref.proxy(self),
            **averaged,
        )
        self.start_iter = 0
        self.max_iter = cfg.SOLVER.MAX_ITER
        self.cfg = cfg
        self._preemption = CheckpointOnSigterm()
        self.register_hooks(self.build_hooks())

    def train(self) -> Any:
        """Train as DefaultTrainer does; resuming a finished run also writes ``model_final.pth``."""
        if self.start_iter >= self.max_iter and not os.path.isfile(os.path.join(self.cfg.OUTPUT_DIR, _FINAL)):
            self.checkpointer.save(os.path.splitext(_FINAL)[0], iteration=self.iter)
        return super().train()

    def run_step(self) -> None:
        """Step of the training; on losses that are not finite, leaves a checkpoint from before it."""
        try:
            super().run_step()
        except NonFiniteLossError as error:
            self.iter -= 1
            self.checkpointer.save(f"{_NOT_FINITE}/model_{self.iter:07d}", iteration=self.iter)
            folder = os.path.join(self.cfg.OUTPUT_DIR, _NOT_FINITE)
            raise NonFiniteLossError(f"{error} --resume OUTPUT_DIR {folder} repeats this step.") from error

    @classmethod
    def evaluate(cls, cfg: CfgNode, *, resume: bool = False) -> Any:
        """Results on ``cfg.DATASETS.TEST`` with ``cfg.MODEL.WEIGHTS``, or with the last checkpoint if ``resume``."""
        model = cls.build_model(cfg)
        checkpointer = SafeCheckpointer(model, cfg.OUTPUT_DIR, allow_partial=cfg.MODEL.ALLOW_PARTIAL_WEIGHTS)
        checkpointer.resume_or_load(cfg.MODEL.WEIGHTS, resume=resume)
        results = cls.test(cfg, model)
        if comm.is_main_process():
            verify_results(cfg, results)
        return results

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "world_size": self.cfg.SOLVER.REFERENCE_WORLD_SIZE}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue a run, at the same share of its samples if the number of processes differs.

        ``SOLVER.REFERENCE_WORLD_SIZE`` (here the number of processes, as the schedule is scaled) is part of the state:
        with twice as many processes, an iteration has twice the samples and learning rate, and half of the iterations
        are done. Where it is 0, batch and iterations do not depend on the number of processes.
        """
        base_lrs = list(self.scheduler.base_lrs)
        super().load_state_dict(state_dict)
        before, now = state_dict.get("world_size", 0), self.cfg.SOLVER.REFERENCE_WORLD_SIZE
        if not (before and now) or before == now:
            return
        stopped = int(state_dict["iteration"]) + 1
        done = rescaled_iterations(stopped, before, now)
        logger.warning(
            f"The checkpoint is from a run with {before} processes, this run has {now}: its iteration {stopped} is "
            f"iteration {done} of {self.max_iter}"
        )
        self.iter = done - 1
        self.scheduler.last_epoch = done
        self.scheduler.base_lrs = base_lrs
        groups = self._trainer.optimizer.param_groups
        for group, base_lr, lr in zip(groups, base_lrs, self.scheduler.get_lr()):
            group["initial_lr"], group["lr"] = base_lr, lr

    def resume_or_load(self, resume: bool = True) -> None:
        """Load as DefaultTrainer does; the average of the weights starts from the loaded ones."""
        super().resume_or_load(resume)
        if self.weight_average is not None and self.start_iter == 0:
            self.weight_average.restart()

    def build_hooks(self) -> list[HookBase]:
        return [*self._health_hooks(), *self._standard_hooks()]

    def _health_hooks(self) -> list[HookBase]:
        video = self.cfg.MODEL.VIDEO_EMBEDDING
        if not (video.ENABLED and video.HEALTH_PERIOD and self.cfg.DATASETS.UNLABELED and comm.is_main_process()):
            return []
        records = unlabeled_records(self.cfg)
        samples = draw_pairs(ViewPairMapper(self.cfg, num_videos=len(records)), records, video.HEALTH_VIDEOS, seed=0)
        return [EmbeddingHealthHook(self.model, samples, video.HEALTH_PERIOD)]

    def _standard_hooks(self) -> list[HookBase]:
        period = self.cfg.TEST.EVAL_PERIOD
        hooks = super().build_hooks()
        evaluation = next(i for i, hook in enumerate(hooks) if isinstance(hook, EvalHook))
        # Detectron2's hook would evaluate at the end even without a period.
        hooks[evaluation : evaluation + 1] = [self._preemption, *([EvalHook(period, self._evaluate)] if period else [])]
        if self.weight_average is None:
            return hooks
        return [_AverageWeights(self.weight_average), *hooks]  # first: checkpoints and evaluation see the update

    def _evaluate(self) -> Any:
        average = self.weight_average
        with self._preemption.evaluation(), nullcontext() if average is None else average.applied():
            self._last_eval_results = self.test(self.cfg, self.model)
        return self._last_eval_results

    @classmethod
    def build_model(cls, cfg: CfgNode) -> Any:
        model = build_model(cfg)
        logger.info("Model:\n%s", model)
        return model

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
        return build_optimizer(cfg, model)

    @classmethod
    def build_lr_scheduler(cls, cfg: CfgNode, optimizer: torch.optim.Optimizer) -> Any:
        return build_scheduler(cfg, optimizer)

    @classmethod
    def build_train_loader(cls, cfg: CfgNode) -> Any:
        return build_train_loader(cfg)

    @classmethod
    def build_test_loader(cls, cfg: CfgNode, dataset_name: str) -> Any:
        if _evaluator_type(dataset_name) in _VIDEO_EVALUATORS:
            return build_video_test_loader(cfg, dataset_name)
        return super().build_test_loader(cfg, dataset_name)

    @classmethod
    def build_evaluator(cls, cfg: CfgNode, dataset_name: str) -> DatasetEvaluator:
        evaluator = _VIDEO_EVALUATORS.get(_evaluator_type(dataset_name))
        if evaluator is not None:
            return evaluator(dataset_name, cfg, output_dir=cfg.OUTPUT_DIR)
        check_test_set(detector_classes(cfg), dataset_name)
        if MetadataCatalog.get(dataset_name).get("json_file") is None:
            return COCOEvaluator(dataset_name, output_dir=cfg.OUTPUT_DIR)
        return COCOImageEvaluator(dataset_name, cfg.OUTPUT_DIR)


class _AverageWeights(HookBase):
    def __init__(self, average: WeightAverage) -> None:
        self._average = average

    def after_step(self) -> None:
        self._average.update()


def with_seed(cfg: CfgNode) -> CfgNode:
    """Configuration with a SEED, drawn for all processes together where there is none."""
    if cfg.SEED >= 0:
        return cfg
    cfg = cfg.clone()
    cfg.defrost()
    cfg.SEED = comm.shared_random_seed()
    cfg.freeze()
    return cfg


def rescaled_iterations(done: int, before: int, now: int) -> int:
    """Number of iterations of ``now`` processes that see as many samples as ``done`` of ``before`` processes, rounded
    down."""
    return done * before // now


def _evaluator_type(dataset_name: str) -> str:
    return MetadataCatalog.get(dataset_name).get("evaluator_type", "coco")
