"""Training step on any device."""

from __future__ import annotations

import time
from typing import Any

import torch
from detectron2.engine import SimpleTrainer
from torch import nn

from ictrack.modeling.mixed_precision import autocast


class NonFiniteLossError(FloatingPointError):
    """Loss that is NaN or infinite; the message names the iteration, the losses and the images of the batch."""


class TrainStep(SimpleTrainer):
    """Detectron2's SimpleTrainer with automatic mixed precision on any device.

    Detectron2's AMPTrainer supports only CUDA. On CUDA the step runs in float16 with loss scaling, elsewhere in
    bfloat16 without, or in float32 where the CPU has no bfloat16 instructions.

    Args:
        amp: Whether to run the forward pass in mixed precision.
        max_gradient_norm: Largest L2 norm of all gradients together; None: no limit.
    """

    def __init__(
        self,
        model: nn.Module,
        data_loader: Any,
        optimizer: torch.optim.Optimizer,
        *,
        amp: bool,
        max_gradient_norm: float | None = None,
    ) -> None:
        super().__init__(model, data_loader, optimizer)
        self._max_gradient_norm = max_gradient_norm
        self._device_type = next(model.parameters()).device.type
        self._amp = amp
        self._scaler = torch.amp.GradScaler("cuda", enabled=amp and self._device_type == "cuda")

    def run_step(self) -> None:
        start = time.perf_counter()
        batch = next(self._data_loader_iter)
        data_time = time.perf_counter() - start

        with autocast(self._device_type, self._amp):
            losses = self.model(batch)
        total = torch.stack([loss.float() for loss in losses.values()]).sum()
        self._check_finite(total, losses, batch)

        self.optimizer.zero_grad()
        self._scaler.scale(total).backward()
        self._write_metrics(losses, data_time)
        self._scaler.unscale_(self.optimizer)  # clipping, here or in step(), needs the true gradients
        if self._max_gradient_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self._max_gradient_norm)
        self._scaler.step(self.optimizer)
        self._scaler.update()

    def _check_finite(self, total: torch.Tensor, losses: dict[str, torch.Tensor], batch: list[dict[str, Any]]) -> None:
        if torch.isfinite(total):
            return
        values = ", ".join(f"{name} {float(loss):.4g}" for name, loss in losses.items())
        files = ", ".join(str(item.get("file_name", "?")) for item in batch)
        raise NonFiniteLossError(
            f"iteration {self.iter}: the loss is not finite ({values}); images of the batch: {files}. Lower "
            f"SOLVER.BASE_LR, raise SOLVER.WARMUP_ITERS, or set SOLVER.CLIP_GRADIENTS.ENABLED to True."
        )

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "grad_scaler": self._scaler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._scaler.load_state_dict(state_dict["grad_scaler"])
