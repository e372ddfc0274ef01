"""Public names of a package that are imported when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, module_of: Mapping[str, str]) -> Callable[[str], Any]:
    """Function ``__getattr__`` of a package (PEP 562), of which some modules need PyTorch and others do not.

    Args:
        package: ``__name__`` of the package.
        module_of: Public name -> the package's module that has it, such as "association.hota".
    """

    def get(name: str) -> Any:
        if name in module_of:
            return getattr(import_module(f"{package}.{module_of[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get
