"""Training step on any device."""

from __future__ import annotations

import logging
import math
import time
from typing import Any

import numpy as np
import torch
from detectron2.engine import SimpleTrainer
from detectron2.modeling.meta_arch.dense_detector import DenseDetector
from detectron2.utils import comm
from detectron2.utils.env import seed_all_rng
from torch import nn

from ictrack.modeling.mixed_precision import autocast
from ictrack.modeling.processes import any_process

logger = logging.getLogger(__name__)


# Moving average that RetinaNet and FCOS keep outside of their state dict.
_NORMALIZER = "loss_normalizer"


class NonFiniteLossError(FloatingPointError):
    """Losses or gradients that are NaN or infinite; the message names the iteration, the losses and the images."""


class TrainStep(SimpleTrainer):
    """Detectron2's SimpleTrainer with automatic mixed precision on any device, and steps that can be repeated.

    Detectron2's AMPTrainer supports only CUDA. On CUDA the step runs in float16 with loss scaling, elsewhere in
    bfloat16 without, or in float32 where the CPU has no bfloat16 instructions.

    Everything that the model draws in a step depends on the seed, the iteration and the process alone, and the state
    holds the loader's position, so a run that is resumed repeats an uninterrupted one.

    Args:
        data_loader: Loader of endless batches. One with ``seed``, ``samples_per_batch`` and ``start_at``, as of
            :func:`ictrack.data.train_loader.build_train_loader`, is resumed.
        amp: Whether to run the forward pass in mixed precision.
        seed: Seed of what the model draws, the same in all processes.
        max_gradient_norm: Largest L2 norm of all gradients together.
        max_skipped: Number of batches that may be skipped because a loss or gradient is not finite, in any process.

    Raises:
        NonFiniteLossError: One more is not finite. The model and the state are those before the step.
    """

    def __init__(
        self,
        model: nn.Module,
        data_loader: Any,
        optimizer: torch.optim.Optimizer,
        *,
        amp: bool,
        seed: int,
        max_gradient_norm: float = math.inf,
        max_skipped: int = 0,
    ) -> None:
        super().__init__(model, data_loader, optimizer)
        self._max_skipped, self._skipped = max_skipped, 0
        self._max_gradient_norm = max_gradient_norm
        self._seed = seed
        self._batches_seen = 0
        self._device_type = next(model.parameters()).device.type
        self._amp = amp
        self._scaler = torch.amp.GradScaler("cuda", enabled=amp and self._device_type == "cuda")

    def run_step(self) -> None:
        start = time.perf_counter()
        batch = next(self._data_loader_iter)
        data_time = time.perf_counter() - start

        entropy = (self._seed, self.iter, comm.get_rank())
        seed_all_rng(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
        with autocast(self._device_type, self._amp):
            losses = self.model(batch)
        total = torch.stack([loss.float() for loss in losses.values()]).sum()
        if any_process(not torch.isfinite(total)):
            self._skip(losses, batch, "loss" if not torch.isfinite(total) else "")
            return

        self.optimizer.zero_grad()
        self._scaler.scale(total).backward()
        self._write_metrics(losses, data_time)
        self._scaler.unscale_(self.optimizer)  # clipping, here or in step(), needs the true gradients
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self._max_gradient_norm)
        # The scaler skips such steps by itself, since it causes them. Processes have equal gradients.
        if not self._scaler.is_enabled() and not torch.isfinite(norm):
            self._skip(losses, batch, "gradient")
            return
        self._scaler.step(self.optimizer)
        self._scaler.update()
        self._batches_seen += 1

    def _skip(self, losses: dict[str, torch.Tensor], batch: list[dict[str, Any]], what: str) -> None:
        """Count a batch without a step; ``what`` is not finite in this process, if anything."""
        values = ", ".join(f"{name} {float(loss.detach()):.4g}" for name, loss in losses.items())
        files = ", ".join(str(item.get("file_name", "?")) for item in batch)
        found = comm.all_gather(f"the {what} is not finite ({values}); images of the batch: {files}" if what else "")
        message = f"iteration {self.iter}: {'; '.join(filter(None, found))}"
        if self._skipped >= self._max_skipped:
            raise NonFiniteLossError(
                f"{message}. Lower SOLVER.BASE_LR, raise SOLVER.WARMUP_ITERS, or set SOLVER.CLIP_GRADIENTS.ENABLED to "
                "True; SOLVER.MAX_SKIPPED_BATCHES skips some such batches."
            )
        self._skipped += 1
        self._batches_seen += 1
        logger.warning("%s; skipped, %d of at most %d", message, self._skipped, self._max_skipped)

    @property
    def _can_resume_loader(self) -> bool:
        return hasattr(self.data_loader, "start_at")

    def state_dict(self) -> dict[str, Any]:
        state = {
            **super().state_dict(),
            "grad_scaler": self._scaler.state_dict(),
            "seed": self._seed,
            "skipped": self._skipped,
            "loss_normalizers": [getattr(x, _NORMALIZER, None) for x in _dense_detectors(self.model)],
        }
        if self._can_resume_loader:
            state["samples"] = self._batches_seen * self.data_loader.samples_per_batch
            state["processes"] = comm.get_world_size()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        if "grad_scaler" in state_dict:  # not from Detectron2's own trainers
            self._scaler.load_state_dict(state_dict["grad_scaler"])
        self._skipped = state_dict.get("skipped", 0)
        for detector, value in zip(_dense_detectors(self.model), state_dict.get("loss_normalizers", [])):
            if value is not None:
                setattr(detector, _NORMALIZER, value)
        if not self._can_resume_loader or "samples" not in state_dict:
            logger.warning("The checkpoint does not say which samples were seen: the data begins anew")
            return
        self._seed = self.data_loader.seed = state_dict["seed"]
        self._batches_seen = state_dict["samples"] // self.data_loader.samples_per_batch
        self.data_loader.start_at(self._batches_seen, state_dict.get("processes"))


def _dense_detectors(model: nn.Module) -> list[DenseDetector]:
    return [module for module in model.modules() if isinstance(module, DenseDetector)]
