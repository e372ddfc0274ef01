"""NumPy's matrix products on one thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar, cast

from threadpoolctl import ThreadpoolController

F = TypeVar("F", bound=Callable[..., Any])


def on_one_thread(function: F) -> F:
    """Function whose matrix products run on one thread of the linear algebra library that NumPy uses.

    A tracker's products take less than a millisecond. Several threads wait for each other at each one, which takes a
    hundred times as long where other work, such as the detection of the next frame, needs the same cores. The library
    has one setting for all threads of a process; it is set back when the last such function has returned (both take
    0.02 ms).
    """

    @wraps(function)
    def limited(*args: Any, **kwargs: Any) -> Any:
        with _limit:
            return function(*args, **kwargs)

    return cast(F, limited)


class _Limit:
    """Context with a limit of one thread, in which several threads of the process can be at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_within = 0
        self._limits: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._num_within and any(x.num_threads != 1 for x in _libraries().lib_controllers):
                self._limits = _libraries().limit(limits=1)
            self._num_within += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._num_within -= 1
            if not self._num_within and self._limits is not None:
                self._limits.restore_original_limits()
                self._limits = None


_limit = _Limit()


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")
