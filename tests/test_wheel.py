"""What an installation holds: the library, small, typed, and nothing of the project's data and experiments."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from quick_python import run_python

import ictrack

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # the build leaves files beside what it builds
    shutil.copytree(ROOT / "ictrack", source / "ictrack", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_what_it_holds(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = [PurePosixPath(name) for name in archive.namelist()]
    installed = {str(name) for name in names if not name.parts[0].endswith(".dist-info")}
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "ictrack").rglob("*.py")}
    configs = {str(path.relative_to(ROOT)) for path in (ROOT / "ictrack/model_zoo/configs").iterdir()}
    others = {
        "ictrack/py.typed",
        "ictrack/modeling/point_set_anchor/coco_pose_template.json",
        "ictrack/visualization/identity_report.html",
    }
    assert installed == sources | configs | others
    assert wheel.stat().st_size < 10**6
    assert wheel.name.startswith(f"ictrack-{ictrack.__version__}-")


def test_it_works_where_nothing_else_of_the_project_is(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = tmp_path / "program.py"
    program.write_text(
        "import ictrack.engine.video_tracker, ictrack.modeling.point_set_anchor.anchors as anchors\n"
        f"assert ictrack.__file__.startswith({str(tmp_path)!r})\n"
        "print(anchors.DEFAULT_TEMPLATE.is_file())"
    )
    done = run_python(program, cwd=tmp_path, env={})
    assert done.stdout.split() == ["True"], done.stderr
