"""Short representations of a file's values, for messages."""

from __future__ import annotations

import reprlib
from typing import Any

_MAX_CHARACTERS = 80
_REPR = reprlib.Repr()
_REPR.maxlevel = 2  # deep nesting is cut
_REPR.maxstring = _REPR.maxlong = _REPR.maxother = _MAX_CHARACTERS // 2


def describe(value: Any) -> str:
    """One line of printable characters for a value: its ``repr``, cut if it is long."""
    text = _REPR.repr(value)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 3]}..."
