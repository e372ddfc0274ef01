"""Fenced blocks of code in Markdown."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "GETTING_STARTED.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?^```(?P<language>\w*)(?P<options>[^\n]*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        line: of the page, where it starts.
        language: "bash", "python", "yaml", ...
        title: name of the file that it is saved as, or "".
        code: its text.
        reason: why it is not run, or "".
    """

    line: int
    language: str
    title: str
    code: str
    reason: str

    def commands(self) -> list[list[str]]:
        """Words of each command of a shell block, without comments and with lines that go on joined."""
        joined = re.sub(r"\\\n\s*", " ", self.code)
        return [words for line in _logical_lines(joined) if (words := shlex.split(line, comments=True))]


def _logical_lines(code: str) -> list[str]:
    """Lines; one that ends within quotes goes on in the next."""
    lines, open_line = [], ""
    for line in code.splitlines():
        open_line = f"{open_line}\n{line}" if open_line else line
        try:
            shlex.split(open_line, comments=True)
        except ValueError:
            continue
        lines.append(open_line)
        open_line = ""
    return [*lines, open_line] if open_line else lines


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    found = []
    for match in _BLOCK.finditer(text):
        title = re.search(r'title="([^"]+)"', match["options"])
        line = text.count("\n", 0, match.start("language")) + 1
        found.append(
            Block(line, match["language"], title[1] if title else "", match["code"], (match["reason"] or "").strip())
        )
    return found
