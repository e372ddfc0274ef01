"""The rooms of the package and who may import whom: no import runs up, metrics need neither torch nor Detectron2."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "ictrack"

# room -> other rooms that it may import. A room may always import itself.
ALLOWED = {
    "config": set(),
    "doctor": {""},
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


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_what_its_room_may(path):
    room = room_of(module_of(path))
    for name in imports_of(path):
        top, _, rest = name.partition(".")
        if top != "ictrack":
            assert top not in FORBIDDEN_PACKAGES.get(room, set()), f"{room} imports {name}"
            continue
        target = room_of(rest)
        assert target == room or target in ALLOWED[room], f"{room or 'the package'} imports {target}: {name}"


def test_an_upward_import_is_noticed(tmp_path):
    assert room_of("evaluation.metrics.video_ap") == "evaluation.metrics"
    assert room_of("evaluation.submission") == "evaluation"
    assert "engine" not in ALLOWED["data"]
    assert "evaluation" not in ALLOWED["evaluation.metrics"]


def test_tools_are_short():
    for path in (PACKAGE.parent / "tools").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 150, f"{path.name} belongs in the library"
