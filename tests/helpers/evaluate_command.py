"""Runs tools/evaluate.py where only NumPy, SciPy and pycocotools can be imported, as a user without PyTorch would."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "data"
BLOCKED = (
    "torch", "torchvision", "detectron2", "fvcore", "iopath", "cv2", "tabulate", "PIL", "matplotlib", "timm", "av",
    "yacs", "yaml", "tqdm", "lap", "trackeval", "motmetrics", "pandas", "shapely",
)  # fmt: skip
SCRIPT = f"""
import runpy, sys
sys.modules.update(dict.fromkeys({BLOCKED!r}))  # importing one of them raises ImportError
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(*arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT, str(ROOT / "tools" / "evaluate.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def report(tmp_path: Path, *arguments: Any) -> tuple[dict[str, Any], subprocess.CompletedProcess[str]]:
    """What ``--json`` holds, and the run."""
    result = run(*arguments, "--json", tmp_path / "report.json")
    assert result.returncode == 0, result.stderr
    return json.loads((tmp_path / "report.json").read_text(), parse_constant=_refuse), result


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def error_line(*arguments: Any) -> str:
    """The one line of a run that fails; there is no traceback."""
    result = run(*arguments)
    assert result.returncode == 1 and result.stdout == ""
    (line,) = [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
    assert line.startswith("error: ")
    return line


def assert_equal(ours: Any, expected: Any, tolerance: float, where: str = "") -> None:
    """Nested numbers are equal; ``ours`` may hold more keys."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert_equal(ours[key], value, tolerance, f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(ours) == len(expected), where
        for i, (a, b) in enumerate(zip(ours, expected)):
            assert_equal(a, b, tolerance, f"{where}[{i}]")
    elif expected is None or ours is None:
        assert ours is expected, where
    else:
        assert abs(ours - expected) <= tolerance, f"{where}: {ours} is not {expected}"
