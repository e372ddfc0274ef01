"""Natural order of file names."""

from __future__ import annotations

import re


def natural_key(path: str) -> list[str | tuple[int, str]]:
    """Sort key that puts ``2.jpg`` before ``10.jpg``."""
    return [_number(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", path))]


def _number(digits: str) -> tuple[int, str]:
    """Key of a number, which may have more digits than int() takes: the longer one is the larger one."""
    digits = digits.lstrip("0")
    return len(digits), digits
