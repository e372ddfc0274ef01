"""The rooms of the package and who may import whom: no import runs up, metrics need neither torch nor Detectron2."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "ictrack"

# room -> other rooms that it may import. A room may always import itself.
ALLOWED = {
    "config": set(),
    "doctor": {"", "modeling"},
    "structures": set(),
    "losses": set(),
    "checkpoint": set(),
    "evaluation.metrics": {"structures"},
    "tracking": set(),
    "modeling": {"losses", "structures"},
    "data": {"structures"},
    "evaluation": {"evaluation.metrics", "structures", "tracking"},
    "visualization": {"structures"},
    "engine": {
        "",
        "checkpoint",
        "config",
        "data",
        "evaluation",
        "evaluation.metrics",
        "losses",
        "modeling",
        "structures",
        "tracking",
        "visualization",
    },
    "": set(),
}
FORBIDDEN_PACKAGES = {
    "structures": {"torch", "torchvision", "detectron2", "fvcore", "cv2"},
    "evaluation.metrics": {"torch", "torchvision", "detectron2", "fvcore", "cv2"},
    "losses": {"detectron2"},
}
SOURCES = sorted(PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    """The room of a dotted module name inside the package ("" is the package itself)."""
    return max((room for room in ALLOWED if f"{module}.".startswith(f"{room}." if room else "")), key=len)


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


def imports_of(path: Path) -> set[str]:
    """Absolute dotted names that a file imports, at any depth of its code."""
    package = ["ictrack", *path.relative_to(PACKAGE).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{prefix}.{alias.name}" for alias in node.names}
    return found


def violations(module: str, imports: set[str]) -> list[str]:
    """The imports of a module of the package that its room may not have."""
    room = room_of(module)
    found = []
    for name in sorted(imports):
        top, _, rest = name.partition(".")
        if top != "ictrack":
            found += [name] if top in FORBIDDEN_PACKAGES.get(room, set()) else []
        elif room_of(rest) not in {room, *ALLOWED[room]}:
            found.append(name)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_what_its_room_may(path):
    assert violations(module_of(path), imports_of(path)) == []


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("data/x.py", "from ictrack.engine.setup import load_config"),
        ("data/datasets/x.py", "from ...modeling import solo"),
        ("evaluation/metrics/x.py", "from ..submission import read_results"),
        ("evaluation/metrics/x.py", "def f():\n    import torch"),
        ("structures/x.py", "import ictrack.tracking.build"),
    ],
)
def test_a_forbidden_import_is_noticed(where, line, tmp_path, monkeypatch):
    path = tmp_path / where
    path.parent.mkdir(parents=True)
    path.write_text(line)
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    assert len(violations(module_of(path), imports_of(path))) == 1


def test_tools_are_short():
    for path in (PACKAGE.parent / "tools").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 150, f"{path.name} belongs in the library"
