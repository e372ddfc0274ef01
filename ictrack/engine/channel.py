"""Bounded queue between threads that Ctrl-C cannot leave locked."""

from __future__ import annotations

import queue
from typing import Generic, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """Queue of at most ``depth`` items.

    Ctrl-C may raise KeyboardInterrupt at any instruction of Python code, so also within ``queue.Queue.put``: after its
    lock is taken and before it is noted that it must be given back, or after the item is there and before the thread
    that waits for it is woken. That thread would then wait for ever. SimpleQueue does both in C, without a gap. An
    interrupted :meth:`put` or :meth:`get` can lose its item or room for one, but locks nobody out.
    """

    def __init__(self, depth: int) -> None:
        self._items: queue.SimpleQueue[T] = queue.SimpleQueue()
        self._room: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(depth):
            self._room.put(None)

    def put(self, item: T, timeout: float | None = None) -> bool:
        """Append an item; returns whether there was room within ``timeout`` seconds, None: it waits."""
        try:
            self._room.get(timeout=timeout)
        except queue.Empty:
            return False
        self._items.put(item)
        return True

    def put_beyond(self, item: T) -> None:
        """Append an item without waiting for room."""
        self._items.put(item)

    def get(self) -> T:
        """Take the first item; waits for one."""
        item = self._items.get()
        self._room.put(None)
        return item
