"""Stages that overlap in threads, with bounded queues between them.

Decoding, encoding and most of PyTorch's and OpenCV's work release Python's lock. The caller's thread is the middle of
the pipeline: it takes items from a :class:`Prefetcher` and puts results into :class:`Sink` s, so that Ctrl-C, which
Python delivers to the main thread, finds the sinks able to finish what they were given; see :class:`.Channel`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar

from ictrack.structures.stage_clock import StageClock

from .channel import Channel

T = TypeVar("T")

# Items that wait between two stages. More would only take memory: a stage that is slower stays slower.
DEPTH = 2
# Seconds after which a waiting thread looks whether it is to end.
_PATIENCE = 0.1


class Prefetcher(Generic[T]):
    """Iterator over items that a thread takes from an iterable, at most ``DEPTH`` ahead. Also a context manager.

    An exception of the iterable comes after the items before it.
    """

    def __init__(
        self, items: Iterable[T], clock: StageClock, stage: str, stop: Callable[[], None] | None = None
    ) -> None:
        """
        Args:
            items: Iterable, which only the thread uses.
            clock: Clock that gets the time which the iterable takes.
            stage: Name of the stage.
            stop: Function that lets an iterable that waits for something end soon.
        """
        self._items = items
        self._stop = stop
        self._clock = clock
        self._stage = stage
        self._channel: Channel[tuple[str, Any]] = Channel(DEPTH)
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=stage, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            iterator = iter(self._items)
            while not self._stopped:
                with self._clock(self._stage):
                    item = next(iterator, _END)
                # The last reference is the queue's, so that nothing of a frame stays here after its turn.
                if item is _END or not self._put(("item", item)):
                    break
                del item
            self._put(("end", None))
        except BaseException as error:  # KeyboardInterrupt too, which the consumer raises again
            self._put(("error", error))

    def _put(self, entry: tuple[str, Any]) -> bool:
        while not self._stopped:
            if self._channel.put(entry, timeout=_PATIENCE):
                return True
        return False

    def __iter__(self) -> Iterator[T]:
        while True:
            kind, value = self._channel.get()
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value
            del value

    def close(self) -> None:
        """End the thread, once its present item is there."""
        self._stopped = True
        if self._stop is not None:
            self._stop()
        self._thread.join()

    def __enter__(self) -> Prefetcher[T]:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Sink(Generic[T]):
    """Thread that consumes items one after another. As a context manager, it finishes what it was given at the end.

    After an exception of the consumer the following items are dropped, and the next :meth:`put`, :meth:`flush` or
    :meth:`close` raises it once.
    """

    def __init__(self, consume: Callable[[T], None], stage: str) -> None:
        """
        Args:
            consume: Function that only the thread calls.
            stage: Name of the thread.
        """
        self._consume = consume
        self._channel: Channel[tuple[str, Any]] = Channel(DEPTH)
        self._error: BaseException | None = None
        self._failed = False
        self._thread = threading.Thread(target=self._run, name=stage, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            kind, item = self._channel.get()
            if kind == "end":
                return
            if kind == "flush":
                item.put(None)
                continue
            try:
                if not self._failed:
                    self._consume(item)
            except BaseException as error:
                self._error, self._failed = error, True
            del item

    def put(self, item: T) -> None:
        """Append an item; waits while ``DEPTH`` items wait."""
        self._raise()
        self._channel.put(("item", item))

    def flush(self) -> None:
        """Wait until all items so far are consumed."""
        done: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._channel.put_beyond(("flush", done))
        done.get()
        self._raise()

    def close(self) -> None:
        """Wait until all items are consumed, and end the thread."""
        if self._thread.is_alive():
            self._channel.put_beyond(("end", None))
            self._thread.join()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def __enter__(self) -> Sink[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_END: Any = object()
