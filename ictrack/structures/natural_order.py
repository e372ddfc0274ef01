"""Natural order of file names."""

from __future__ import annotations

import re


def natural_key(path: str) -> list[str | int]:
    """Sort key that puts ``2.jpg`` before ``10.jpg``."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path)]
