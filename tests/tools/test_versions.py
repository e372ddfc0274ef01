"""The oldest versions that tools/versions.sh tests are those that pyproject.toml allows."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
# The interpreter that tools/oldest.txt is for.
PYTHON = {"python_version": "3.11", "python_full_version": "3.11.0"}


def lower_bounds() -> dict[str, str]:
    """Oldest version by package, of the library's dependencies and those of Detectron2 that have one."""
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = {}
    for text in [*project["dependencies"], *project["optional-dependencies"]["detectron2-dependencies"]]:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(PYTHON):
            oldest = [one.version for one in requirement.specifier if one.operator == ">="]
            assert oldest or text not in project["dependencies"], f"{text}: no lower bound"
            bounds.update({canonicalize_name(requirement.name): version for version in oldest})
    return bounds


def test_every_lower_bound_is_tested():
    lines = (ROOT / "tools" / "oldest.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned = {canonicalize_name(name): version for name, version in pinned.items()}
    bounds = lower_bounds()
    assert list(pinned) == list(bounds)
    for name, version in bounds.items():
        # numpy>=1.23 is tested with the first release of 1.23 that there are wheels of.
        assert re.match(rf"{re.escape(version)}(\.|$)", pinned[name]), f"{name}: {pinned[name]} for >={version}"
