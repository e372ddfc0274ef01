"""Generated tables in a README, between markers."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def show_in_readme(readme: Path, name: str, text: str) -> None:
    """Insert ``text`` between the markers of table ``name``, if the README exists and has them."""
    begin, end = f"<!-- {name} table: begin -->", f"<!-- {name} table: end -->"
    if not readme.is_file():
        return
    old = readme.read_text(encoding="utf-8")
    if begin in old and end in old:
        head, tail = old.split(begin)[0], old.split(end)[1]
        readme.write_text(f"{head}{begin}\n\n{text}\n{end}{tail}", encoding="utf-8")


def percent(values: np.ndarray) -> str:
    """Mean and sample standard deviation of fractions, in percent."""
    mean = f"{100 * values.mean():.2f}"
    return mean if len(values) < 2 else f"{mean} ± {100 * values.std(ddof=1):.2f}"
