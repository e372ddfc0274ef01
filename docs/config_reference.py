"""The configuration reference: every key of ``ictrack/config``, its default, and the comment above it."""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path


@dataclass
class Key:
    """A configuration key.

    Attributes:
        name: Dotted, such as "MODEL.SOLO.NUM_GRIDS".
        default: Its source.
        comment: What stands above it; that of the key before it where several share one.
    """

    name: str
    default: str
    comment: str


@dataclass
class _Reader:
    source: str
    paths: dict[str, str] = field(default_factory=lambda: {"cfg": ""})  # local name -> the node that it stands for
    keys: list[Key] = field(default_factory=list)

    def __post_init__(self) -> None:
        tokens = tokenize.generate_tokens(StringIO(self.source).readline)
        self.comments = {t.start[0]: t.string for t in tokens if t.type == tokenize.COMMENT}

    def read(self) -> list[Key]:
        for node in ast.walk(ast.parse(self.source)):
            if isinstance(node, ast.FunctionDef):
                self._read_statements(node.body)
        return self.keys

    def _read_statements(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            if isinstance(statement, ast.If):
                self._read_statements(statement.body)
            elif isinstance(statement, ast.Assign):
                self._read_assignment(statement)

    def _read_assignment(self, node: ast.Assign) -> None:
        is_group = ast.unparse(node.value) == "CN()" or isinstance(node.value, ast.Attribute)
        path = next(
            (self._path(x) for x in (*node.targets, node.value) if isinstance(x, ast.Attribute)),
            "",
        )
        if is_group:
            self.paths.update({target.id: path for target in node.targets if isinstance(target, ast.Name)})
        elif path:
            comment = self._comment_above(node.lineno) or (self.keys[-1].comment if self.keys else "")
            if not comment:
                raise ValueError(f"{path} has no comment")
            self.keys.append(Key(path, _source(node.value), comment))

    def _path(self, node: ast.Attribute) -> str:
        *outer, last = ast.unparse(node).split(".")
        return ".".join(filter(None, [self.paths[outer[0]], *outer[1:], last]))

    def _comment_above(self, line: int) -> str:
        lines: list[str] = []
        while line - 1 in self.comments:
            line -= 1
            lines.insert(0, self.comments[line].removeprefix("#").removeprefix(" "))
        return _join(lines)


def _source(value: ast.expr) -> str:
    """Source of a default: for a node of several keys, the dictionary in it."""
    return ast.unparse(value.args[0] if isinstance(value, ast.Call) and value.args else value)


def _join(lines: list[str]) -> str:
    """One line; but items of a list, which are indented by two, and what follows a list have lines of their own."""
    text, was_item = "", False
    for line in lines:
        indent = len(line) - len(line.lstrip())
        text += ("\n" if indent == 2 or (was_item and not indent) else " ") + line.strip()
        was_item = indent > 0
    return text.strip()


def config_sources(folder: Path) -> list[str]:
    """Contents of the files of a package such as ``ictrack/config``, beginning with the package's own."""
    paths = sorted(folder.glob("*.py"), key=lambda path: (path.name != "__init__.py", path.name))
    return [path.read_text() for path in paths]


def read_keys(source: str) -> list[Key]:
    """Keys of a file of ``ictrack/config``, in its order."""
    return _Reader(source).read()


def reference_page(sources: Sequence[str]) -> str:
    """Page in Markdown: the first source's docstring, and a table for each group of keys of all sources."""
    keys = [key for source in sources for key in read_keys(source)]
    groups: dict[str, list[Key]] = {}
    for key in keys:
        groups.setdefault(key.name.rpartition(".")[0], []).append(key)
    docstring = ast.get_docstring(ast.parse(sources[0])) or ""
    parts = ["# Configuration", docstring, "Detectron2's own keys are in its documentation."]
    for group, members in groups.items():
        rows = [f"| `{key.name.rpartition('.')[2]}` | `{key.default}` | {_escape(key.comment)} |" for key in members]
        parts.append("\n".join([f"## {group}", "", "| key | default | meaning |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _escape(comment: str) -> str:
    """Text of a cell of a table, in which Markdown is not meant."""
    for mark in ("\\", "|", "*", "_", "[", "<"):
        comment = comment.replace(mark, f"\\{mark}")
    return comment.replace("\n", "<br>")
