"""PyAV, in processes that may fork, as data loaders do.

A decoder or encoder has threads, and PyAV's objects refer to each other, so that garbage collection frees one some time
after it was used. In a forked process its threads are not there, and to free it would wait for them forever. Nothing
that was there before a fork is therefore collected after it.
"""

from __future__ import annotations

import gc
import os

import av

__all__ = ["av"]

if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=gc.freeze)
