"""NumPy's matrix products on one thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar, cast

from threadpoolctl import ThreadpoolController

F = TypeVar("F", bound=Callable[..., Any])


def on_one_thread(function: F) -> F:
    """Function whose matrix products run on one thread of the linear algebra library that NumPy uses.

    A tracker's products take less than a millisecond. Several threads wait for each other at each one, which takes a
    hundred times as long where other work, such as the detection of the next frame, needs the same cores. The library
    has one setting for all threads of a process; it is set back afterwards (both take 0.02 ms).
    """

    @wraps(function)
    def limited(*args: Any, **kwargs: Any) -> Any:
        libraries = _libraries()
        if all(library.num_threads == 1 for library in libraries.lib_controllers):
            return function(*args, **kwargs)
        with libraries.limit(limits=1):
            return function(*args, **kwargs)

    return cast(F, limited)


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")
