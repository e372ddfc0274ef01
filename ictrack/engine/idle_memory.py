"""Memory that libraries keep for later, in a process whose batches are of ever other sizes."""

from __future__ import annotations

import ctypes
import os
import sys

# oneDNN's own number is 1024.
_FEW_KERNELS = "32"
# M_ARENA_MAX of glibc's malloc.h.
_ARENA_MAX = -8


def keep_little_memory() -> None:
    """Limit on what oneDNN and the allocator keep in this process, unless the user's environment has one.

    oneDNN, PyTorch's library for convolutions on a CPU, keeps a kernel and its buffers for every shape that it has
    seen. glibc gives threads heaps of their own, each of which keeps what it once needed. Batches of ever other sizes,
    as those of tracklets in a few frames, would fill hundreds of MB. Call it before the first convolution and thread.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _FEW_KERNELS)
    if sys.platform == "linux" and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
        if mallopt is not None:
            mallopt(_ARENA_MAX, 1)
