"""``ictrack``: its help, its sub-commands, and the one line that a user's mistake is told in."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from quick_python import run_python

from ictrack.command import benchmark
from ictrack.command.main import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
# tools/NAME.py -> the sub-command that it is.
TOOLS = {
    "adapt": "adapt",
    "evaluate": "evaluate",
    "prepare_data": "prepare",
    "track_video": "track",
    "train_net": "train",
    "tune_tracker": "tune",
}
HEAVY = ("numpy", "torch", "detectron2", "cv2")


def text_of_help(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "--help"])
    assert stopped.value.code == 0
    return capsys.readouterr().out


def test_help_has_a_line_for_each_command_and_fits_a_terminal(capsys):
    lines = text_of_help(capsys).splitlines()
    for name, summary in COMMANDS.items():
        assert [line.split() for line in lines if line.startswith(f"  {name} ")] == [[name, *summary.split()]]
    assert max(map(len, lines)) <= 80


def test_help_imports_nothing_heavy():
    program = (
        "import sys, ictrack.command.main as command\n"
        "try: command.main(['--help'])\n"
        f"finally: print({set(HEAVY)!r} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("set()\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name, capsys, monkeypatch):
    if name == "benchmark":
        monkeypatch.setattr(subprocess, "call", lambda command: 0)
        assert main([name, "--help"]) == 0
        return
    text = text_of_help(capsys, name)
    assert text.startswith("usage: ictrack ") and f"\n  ictrack {name} " in text.replace("doctor\n", "doctor \n")
    assert importlib.import_module(f"ictrack.command.{name}").__doc__ in text


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_is_its_command(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = run_python(ROOT / "tools" / f"{name}.py", "--help")
    assert done.stdout == text_of_help(capsys, TOOLS[name])


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["track"], ["doctor", "now"], ["prepare", "local-split"]])
def test_wrong_usage_has_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2 and "usage: ictrack" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("track --input 0 --output {}/a.mp4 --config-file no.yaml", "no.yaml: no such configuration file"),
        ("track --input a.mp4 --output {}", "is a folder"),
        ("track --input 0 --output {}/a.mp4 MODEL.DEVICE cuda:99", "MODEL.DEVICE 'cuda:99': this machine has"),
        ("adapt --videos a.mp4 --output {} --config-file no.yaml", "no.yaml: no such configuration file"),
        ("tune --dataset x --metric AP --output {}/a.yaml --config-file no.yaml", "no.yaml: no such configuration"),
        ("train --config-file no.yaml", "no.yaml: no such configuration file"),
        ("train MODEL.SOLO.NUM_CLASES 1", "command line: Non-existent key: MODEL.SOLO.NUM_CLASES; did"),
        ("check MODEL.SOLO.NUM_CLASES 1", "command line: Non-existent key: MODEL.SOLO.NUM_CLASES; did"),
        ("evaluate ytvis --gt no.json --results no.json", "no.json: No such file or directory"),
        ("prepare local-split no.json {}/a.json", "no.json: No such file or directory"),
        ("prepare pose-template no.json {}/a.json", "no.json: No such file or directory"),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ictrack.command.log.setup_logger", lambda **kwargs: None)
    assert main([part.format(tmp_path) for part in arguments.split()]) == 1
    line = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("no GPU found")]
    assert len(line) == 1 and line[0].startswith("error: ") and message in line[0]


def test_benchmarks_are_in_a_checkout_only(monkeypatch, tmp_path, capsys):
    called = []
    monkeypatch.setattr(benchmark.subprocess, "call", lambda command: called.append(command) or 3)
    assert main(["benchmark", "tracker", "--repeats", "2"]) == 3
    assert called[0][1:] == [str(ROOT / "tools" / "benchmark.py"), "tracker", "--repeats", "2"]
    monkeypatch.setattr(benchmark, "SCRIPT", tmp_path / "benchmark.py")
    assert main(["benchmark", "tracker"]) == 1
    assert capsys.readouterr().err == "error: benchmarks are in tools/ of the repository, not in an installed ICTrack\n"


WITHOUT_PACKAGES = f"""
import sys
sys.modules.update(dict.fromkeys({(*HEAVY, "pycocotools", "scipy", "av", "torchvision")!r}))  # cannot be imported
from ictrack.command.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["track", "--input", "a.mp4", "--output", "a.mp4"],
        ["train"],
        ["evaluate", "ytvis", "--gt", "a.json", "--results", "a.json"],
        ["validate", "--format", "ytvis", "--gt", "a.json", "--results", "a.json"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_missing_packages_are_told_in_one_line(arguments, tmp_path):
    command = [sys.executable, "-c", WITHOUT_PACKAGES, *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=_environment(), capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ") and "`ictrack doctor`" in done.stderr


def test_the_doctor_comes_where_packages_are_missing(tmp_path):
    command = [sys.executable, "-c", WITHOUT_PACKAGES, "doctor"]
    done = subprocess.run(command, cwd=tmp_path, env=_environment(), capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "FAIL  evaluation: cannot import numpy" in done.stdout and "FAIL  PyTorch" in done.stdout


def _environment():
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_warnings_of_others_are_hidden_also_in_other_processes():
    """But not where the user asks for warnings."""
    warn = "import warnings; [warnings.warn(text) for text in ('pkg_resources is deprecated as an API. See', 'mine')]"
    program = (
        "import subprocess, sys; from ictrack.command.main import main\n"
        "try: main(['--version'])\n"
        f"except SystemExit: pass\n{warn}; sys.exit(subprocess.call([sys.executable, '-c', {warn!r}]))"
    )
    environment = {name: value for name, value in _environment().items() if name != "PYTHONWARNINGS"}
    for options, expected in (([], 0), (["-W", "default"], 1)):
        command = [sys.executable, *options, "-c", program]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr.count("mine") == 2
        assert (done.stderr.count("pkg_resources") > 0) == expected, done.stderr


def test_as_a_module():
    done = subprocess.run([sys.executable, "-m", "ictrack", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("ictrack ")
