"""Generated tables in a README, between markers."""

from __future__ import annotations

from pathlib import Path


def show_in_readme(readme: Path, name: str, text: str) -> None:
    """Insert ``text`` between the markers of table ``name``, if the README exists and has them."""
    begin, end = f"<!-- {name} table: begin -->", f"<!-- {name} table: end -->"
    if not readme.is_file():
        return
    old = readme.read_text(encoding="utf-8")
    if begin in old and end in old:
        head, tail = old.split(begin)[0], old.split(end)[1]
        readme.write_text(f"{head}{begin}\n\n{text}\n{end}{tail}", encoding="utf-8")
