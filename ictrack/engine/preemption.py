"""End of a training that is asked to stop by SIGTERM, as by a cluster that takes its machine back."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from detectron2.engine import HookBase

from ictrack.modeling.processes import any_process

logger = logging.getLogger(__name__)

# Exit status of a training that wrote a checkpoint because of SIGTERM: EX_TEMPFAIL of sysexits.h, "try again later".
PREEMPTED = 75
# Seconds that a process may need to end. After them it is taken to wait for another one that has failed.
GRACE = 45.0


def end_within_grace() -> None:
    """End this process with status 1 in :data:`GRACE` seconds, unless it has ended by then."""
    timer = threading.Timer(GRACE, os._exit, [1])
    timer.daemon = True
    timer.start()


class CheckpointOnSigterm(HookBase):
    """Hook that ends all processes with status :data:`PREEMPTED` after the step in which one of them got SIGTERM, and
    writes a checkpoint, from which ``--resume`` goes on. An evaluation ends at once.

    Outside of a main thread, and on Windows, where signals cannot be handled, it does nothing.
    """

    def __init__(self) -> None:
        self._asked = self._evaluates = self._leaves = False
        self._restore: tuple[Any, int] | None = None

    def before_train(self) -> None:
        if threading.current_thread() is not threading.main_thread() or os.name != "posix":
            return
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        self._restore = signal.signal(signal.SIGTERM, self._ask), signal.set_wakeup_fd(writer)
        # Python's handler waits for the end of a collective operation, which may never come; the thread does not.
        threading.Thread(target=self._end_if_stuck, args=(reader,), daemon=True).start()

    def after_step(self) -> None:
        if any_process(self._asked):
            self._leave()

    def after_train(self) -> None:
        if self._leaves:
            logger.warning("SIGTERM: writing a checkpoint, from which --resume goes on")
            self.trainer.checkpointer.save(f"model_{self.trainer.iter:07d}", iteration=self.trainer.iter)
        elif self._restore is not None:
            handler, wakeup = self._restore
            signal.signal(signal.SIGTERM, handler)
            os.close(signal.set_wakeup_fd(wakeup))

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """Context in which SIGTERM does not wait for the end of a step."""
        self._evaluates = True
        try:
            yield
        finally:
            self._evaluates = False

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        if self._evaluates:
            self._leave()

    def _leave(self) -> None:
        self._leaves, self._evaluates = True, False
        raise SystemExit(PREEMPTED)

    def _end_if_stuck(self, reader: int) -> None:
        while received := os.read(reader, 1):
            if received[0] == signal.SIGTERM:
                time.sleep(GRACE)
                if not self._leaves:
                    os._exit(1)
        os.close(reader)
