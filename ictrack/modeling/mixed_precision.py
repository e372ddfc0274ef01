"""Mixed precision where the hardware has it, and float32 elsewhere."""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache

import torch
from torch import nn

logger = logging.getLogger(__name__)

# Slowdown of bfloat16 against float32 above which it counts as emulated. Measured: 0.3 to 0.8 with the instructions,
# 12 to 17 emulated.
_EMULATED = 3.0


def autocast(device_type: str, enabled: bool, dtype: torch.dtype | None = None) -> AbstractContextManager:
    """Mixed-precision context, without effect where it is not enabled or the hardware lacks it.

    Args:
        device_type: "cpu", "cuda", ...
        enabled: Whether mixed precision is requested.
        dtype: ``torch.float16`` or ``torch.bfloat16``; None: :func:`lower_dtype`.
    """
    dtype = dtype or lower_dtype(device_type)
    if enabled and supports(device_type, dtype):
        return torch.autocast(device_type, dtype=dtype)
    return full_precision(device_type)


def full_precision(device_type: str) -> AbstractContextManager:
    """Context without mixed precision.

    It does nothing where there is none: torch.export records what is within an autocast as a graph of its own.
    """
    return torch.autocast(device_type, enabled=False) if torch.is_autocast_enabled(device_type) else nullcontext()


def lower_dtype(device_type: str) -> torch.dtype:
    """Type of mixed precision: float16 on CUDA, elsewhere bfloat16, which needs no loss scaling."""
    return torch.float16 if device_type == "cuda" else torch.bfloat16


def supports(device_type: str, dtype: torch.dtype) -> bool:
    """Whether ``dtype`` is fast on a device. On CPUs that emulate bfloat16, convolutions are 12 to 17 times slower than
    in float32; that is logged once.
    """
    if device_type == "cpu":
        return dtype == torch.bfloat16 and _logged_cpu_has_bfloat16()
    if device_type == "cuda" and dtype == torch.bfloat16:
        return torch.version.hip is not None or torch.cuda.get_device_capability()[0] >= 8  # since Ampere
    return True


@lru_cache(maxsize=1)
def cpu_has_bfloat16() -> bool:
    """Whether this CPU computes in bfloat16 natively (AVX512-BF16, AMX, or ARM's BF16).

    Unless the list of instructions rules it out, one convolution is timed: libraries may be limited to fewer
    instructions than the processor has (``ONEDNN_MAX_CPU_ISA``).
    """
    capabilities = _capabilities()
    flags = [has for name, has in capabilities.items() if "bf16" in name]
    if flags and not any(flags):
        return False
    return _bfloat16_slowdown() < _EMULATED


@lru_cache(maxsize=1)
def _logged_cpu_has_bfloat16() -> bool:
    has = cpu_has_bfloat16()
    if not has:
        logger.info("mixed precision is off: this CPU has no bfloat16 instructions; running in float32")
    return has


def _capabilities() -> dict[str, bool]:
    """Instruction sets of the CPU that PyTorch lists; empty before PyTorch 2.9."""
    get = getattr(torch.cpu, "get_capabilities", None)
    return {} if get is None else {name: has for name, has in get().items() if isinstance(has, bool)}


def _bfloat16_slowdown() -> float:
    """Time of a 3x3 convolution of 64 channels in bfloat16 over its time in float32."""
    convolution = nn.Conv2d(64, 64, 3, padding=1)
    x = torch.zeros(1, 64, 32, 32)
    seconds = {}
    with torch.inference_mode():
        for lower in (False, True):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=lower):
                runs = []
                for _ in range(4):  # the first run also prepares the kernel
                    start = time.perf_counter()
                    convolution(x)
                    runs.append(time.perf_counter() - start)
            seconds[lower] = min(runs)
    return seconds[True] / seconds[False]
