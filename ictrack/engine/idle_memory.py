"""Memory that a process keeps for later: little of it, or what its next batch needs again."""

from __future__ import annotations

import ctypes
import os
import sys

# oneDNN's own number is 1024.
_FEW_KERNELS = "32"
# Parameters of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
# A tensor of up to 256 MiB is written where the one before it was; of what is free, up to 512 MiB are kept.
_LARGE, _MUCH = 2**28, 2**29


def keep_little_memory() -> None:
    """Limit on what oneDNN and the allocator keep in this process, unless the user's environment has one.

    oneDNN, PyTorch's library for convolutions on a CPU, keeps a kernel and its buffers for every shape that it has
    seen. glibc gives threads heaps of their own, each of which keeps what it once needed. Batches of ever other sizes,
    as those of tracklets in a few frames, would fill hundreds of MB. Call it before the first convolution and thread.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _FEW_KERNELS)
    if "MALLOC_ARENA_MAX" not in os.environ:
        _set({_ARENA_MAX: 1})


def keep_freed_memory() -> None:
    """Reuse of freed memory for large tensors in this process, unless the user's environment says how malloc works.

    glibc takes what is larger than 32 MiB from the system each time, and gives it back: a network whose maps are as
    large on a CPU spends a tenth of its time and more on pages that the system hands out filled with zeros. It is for
    batches that are of about one size, as in training and tracking.
    """
    if not any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        _set({_MMAP_THRESHOLD: _LARGE, _TRIM_THRESHOLD: _MUCH})


def _set(parameters: dict[int, int]) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # other C libraries have none
        for parameter, value in parameters.items():
            mallopt(parameter, value)
