"""Seconds that the stages of a pipeline take."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any


class StageClock:
    """Seconds by stage of a pipeline; each stage runs in one thread at a time.

    The time of a stage within another one of the same thread counts for the inner one only.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Context whose time is added to a stage."""
        outer_clock, outer_seconds = getattr(_running, "clock", None), getattr(_running, "seconds_within", 0.0)
        _running.clock, _running.seconds_within = self, 0.0
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[stage] = self.seconds.get(stage, 0.0) + elapsed - _running.seconds_within
            _running.clock, _running.seconds_within = outer_clock, outer_seconds + elapsed

    def __str__(self) -> str:
        return ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in self.seconds.items())


def stage_within(stage: str) -> AbstractContextManager[None]:
    """Context that is a stage of its own of the clock whose stage the calling thread is in; otherwise without effect.

    It is for parts of a stage, such as the embeddings that a detector computes, which are not handed a clock.
    """
    clock: StageClock | None = getattr(_running, "clock", None)
    return nullcontext() if clock is None else clock(stage)


# Of each thread: the clock whose stage it is in, and the seconds so far of the stages within that one.
_running: Any = threading.local()
