"""Values of files in messages."""

from __future__ import annotations

import reprlib
from typing import Any

_MAX_CHARACTERS = 80
_REPR = reprlib.Repr()
_REPR.maxlevel = 2  # whatever a file holds, deeply nested or endless, is described in a line
_REPR.maxstring = _REPR.maxlong = _REPR.maxother = _MAX_CHARACTERS // 2


def describe(value: Any) -> str:
    """``repr`` of a value on one line of printable characters, cut where it is long."""
    text = _REPR.repr(value)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 3]}..."
