"""The rooms of the library and of the project and who may import whom: no import runs up, and none in a circle."""

import ast
import graphlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Where each top-level package is found.
PACKAGES = {"ictrack": ".", "experiments": "projects/ICTrack", "synthetic": "projects/ICTrack", "benchmarks": "tools"}

_LIBRARY = {
    "ictrack",
    *(
        f"ictrack.{room}"
        for room in (
            "checkpoint", "config", "data", "engine", "evaluation", "evaluation.metrics", "evaluation.reports",
            "evaluation.submission", "identities", "losses", "model_zoo", "modeling", "structures", "tracking",
            "visualization",
        )
    ),
}  # fmt: skip
_METRICS = "ictrack.evaluation.metrics"
# room -> other rooms that it may import. A room may always import itself.
ALLOWED = {
    "ictrack": set(),
    "ictrack.config": set(),
    "ictrack.doctor": {"ictrack", "ictrack.modeling"},
    "ictrack.structures": set(),
    "ictrack.losses": set(),
    "ictrack.tracking": {"ictrack.structures"},
    "ictrack.model_zoo": set(),
    "ictrack.checkpoint": {"ictrack.model_zoo", "ictrack.structures"},
    _METRICS: {"ictrack.structures"},
    f"{_METRICS}.association": set(),
    f"{_METRICS}.data_warnings": set(),
    f"{_METRICS}.mot_challenge": {"ictrack.structures", f"{_METRICS}.association"},
    f"{_METRICS}.tao": {"ictrack.structures", f"{_METRICS}.association"},
    f"{_METRICS}.youtube_vis": {"ictrack.structures", f"{_METRICS}.association", f"{_METRICS}.data_warnings"},
    f"{_METRICS}.posetrack": {"ictrack.structures", f"{_METRICS}.association", f"{_METRICS}.data_warnings"},
    "ictrack.identities": {_METRICS, "ictrack.losses", "ictrack.structures", "ictrack.tracking"},
    "ictrack.modeling": {"ictrack.identities", "ictrack.losses", "ictrack.model_zoo", "ictrack.structures"},
    "ictrack.data": {"ictrack.structures"},
    "ictrack.evaluation.submission": {"ictrack.structures"},
    "ictrack.evaluation.reports": {_METRICS, "ictrack.evaluation.submission", "ictrack.structures"},
    "ictrack.evaluation": {
        _METRICS,
        "ictrack.evaluation.reports",
        "ictrack.evaluation.submission",
        "ictrack.structures",
        "ictrack.tracking",
    },
    "ictrack.visualization": {"ictrack.structures"},
    "ictrack.engine": _LIBRARY,
    "ictrack.command": {*_LIBRARY, "ictrack.doctor"},
    "ictrack.__main__": {"ictrack.command"},
    "synthetic": _LIBRARY,
    "experiments": {*_LIBRARY, "synthetic"},
    "benchmarks": _LIBRARY,
}
_TENSORS = {"torch", "torchvision", "detectron2", "fvcore", "cv2"}
FORBIDDEN_PACKAGES = {
    "ictrack.structures": _TENSORS,
    _METRICS: _TENSORS,
    "ictrack.evaluation.reports": _TENSORS,
    "ictrack.evaluation.submission": _TENSORS,
    "ictrack.losses": {"detectron2"},
    # Trackers on arrays, and what an exported model is run by.
    **dict.fromkeys(
        (
            f"ictrack.tracking.{module}"
            for module in (
                "association", "assignment_rules", "base_tracker", "class_votes", "continuity", "detections",
                "embedding_tracker", "memory_bank", "spatial_tracker",
            )
        ),
        _TENSORS,
    ),
    **dict.fromkeys(
        ("ictrack.engine.frame_tracker", "ictrack.engine.onnx_tracker", "ictrack.engine.video_run"),
        _TENSORS - {"cv2"},
    ),
}  # fmt: skip


def module_of(path: Path, base: Path) -> str:
    """The dotted name of a file below ``base``, which is on the path."""
    return ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path, base: Path) -> set[str]:
    """Absolute dotted names that a file imports when it runs, at any depth of its code."""
    package = path.relative_to(base).parts[:-1]
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) - node.level + 1] if node.level else ()
            prefix = ".".join([*parent, *([node.module] if node.module else [])])
            found |= {f"{prefix}.{alias.name}" for alias in node.names}
    return found


def parents_of(name: str) -> list[str]:
    """The name and the packages that it is in, from the inside out."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]


def room_of(module: str) -> str:
    return next(name for name in parents_of(module) if name in ALLOWED)


def violations(module: str, imports: set[str]) -> list[str]:
    """The imports of a module that its room may not have."""
    room = room_of(module)
    # A room within another one, such as a benchmark's metrics, also keeps the rules of that one.
    forbidden = set().union(*(FORBIDDEN_PACKAGES.get(name, set()) for name in parents_of(module)))
    allowed = {name for inner in (room, *ALLOWED[room]) for name in ALLOWED if inside(name, inner)}
    return [
        name
        for name in sorted(imports)
        if (room_of(name) not in allowed if name.split(".")[0] in PACKAGES else name.split(".")[0] in forbidden)
    ]


def inside(room: str, outer: str) -> bool:
    """Whether who may import ``outer`` may import ``room``: benchmarks' metrics, where metrics are allowed."""
    return room == outer or (outer == _METRICS and room.startswith(f"{_METRICS}."))


SOURCES = {
    module_of(path, ROOT / base): (path, ROOT / base)
    for package, base in PACKAGES.items()
    for path in sorted((ROOT / base / package).rglob("*.py"))
}
IMPORTS = {module: imports_of(*source) for module, source in SOURCES.items()}


def test_all_rooms_are_there():
    assert {room_of(module) for module in SOURCES} == set(ALLOWED)


@pytest.mark.parametrize("module", SOURCES)
def test_imports_only_what_its_room_may(module):
    assert violations(module, IMPORTS[module]) == []


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("ictrack/data/x.py", "from ictrack.engine.setup import load_config"),
        ("ictrack/data/datasets/x.py", "from ...modeling import solo"),
        ("ictrack/data/datasets/x.py", "import synthetic.characters"),
        ("ictrack/engine/x.py", "from experiments import ablation"),
        ("ictrack/engine/x.py", "from ictrack.command.main import main"),
        ("ictrack/x.py", "from .command import train"),
        ("ictrack/engine/x.py", "def f():\n    from benchmarks.measure import machine"),
        ("ictrack/evaluation/metrics/x.py", "from ..submission import read_results"),
        ("ictrack/evaluation/metrics/posetrack/x.py", "def f():\n    import torch"),
        ("ictrack/evaluation/metrics/posetrack/x.py", "from ..youtube_vis import track_iou"),
        ("ictrack/evaluation/metrics/association/x.py", "from ictrack.evaluation.metrics import evaluate_pose"),
        ("ictrack/evaluation/reports/x.py", "import torch.nn"),
        ("ictrack/structures/x.py", "import ictrack.tracking.build"),
        ("synthetic/people/x.py", "from experiments import html_report"),
    ],
)
def test_a_forbidden_import_is_noticed(where, line, tmp_path):
    path = tmp_path / where
    path.parent.mkdir(parents=True)
    path.write_text(line)
    assert len(violations(module_of(path, tmp_path), imports_of(path, tmp_path))) == 1


def graph_of(imports: dict[str, set[str]]) -> dict[str, set[str]]:
    """module -> modules that it imports; a name that is no module is its package's."""

    def modules(names: set[str]) -> set[str]:
        return {next((module for module in parents_of(name) if module in imports), "") for name in names} - {""}

    return {module: modules(names) - {module} for module, names in imports.items()}


def test_no_import_runs_in_a_circle():
    graphlib.TopologicalSorter(graph_of(IMPORTS)).prepare()


def test_a_circle_is_noticed():
    circle = {"ictrack.a": {"ictrack.b.c.name"}, "ictrack.b.c": {"ictrack.d"}, "ictrack.d": {"ictrack.a.other"}}
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(graph_of(circle)).prepare()


def test_what_a_person_runs_is_short():
    for folder in ("tools", "projects/ICTrack"):
        for path in (ROOT / folder).glob("*.py"):
            assert len(path.read_text().splitlines()) <= 150, f"{path.name}: what is longer belongs in a package"


def test_masks_or_poses_is_asked_in_one_module():
    """Everything else asks `configured_joints` and `needs_masks`, or a head what it reads."""
    asks = re.compile(
        r"META_ARCHITECTURE (==|!=|in)\b|KEYPOINT_ON\b(?!.: )|isinstance\([^)]*(SOLO|PointSetAnchor|Keypoint\w*Module)"
    )
    found = {
        path.relative_to(ROOT).as_posix()
        for room in ("ictrack", "tools", "projects/ICTrack/experiments")
        for path in (ROOT / room).rglob("*.py")
        for line in path.read_text().splitlines()
        if asks.search(line) and not line.lstrip().startswith(("#", "raise")) and '"""' not in line
    }
    assert found == {"ictrack/structures/joints.py"}
