"""``python`` in processes that are forked from one which has imported PyTorch and Detectron2: that takes seconds.

Nothing of ICTrack is imported before, so a command still has to find all of its own.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 300  # seconds
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["torchvision", "detectron2.engine", "detectron2.modeling", "detectron2.evaluation"])


def run_python(
    *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None, forks: bool = False
) -> subprocess.CompletedProcess[str]:
    """``python -W ignore *command``.

    Args:
        command: Path of a script, or ``-m`` and a module, and its arguments.
        cwd: Working directory.
        env: Environment; None: that of the test.
        forks: Whether processes that Detectron2's ``launch`` starts are forked, too.
    """
    words = list(map(str, command))
    with tempfile.TemporaryDirectory() as folder:
        arguments = (words, str(cwd), dict(os.environ if env is None else env), _bare_path(), folder, forks)
        process = _SERVER.Process(target=_run, args=arguments)
        process.start()
        process.join(TIMEOUT)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(words, TIMEOUT)
        return subprocess.CompletedProcess(
            words, process.exitcode, *(Path(folder, name).read_text() for name in ("stdout", "stderr"))
        )


@cache
def _bare_path() -> list[str]:
    """Path of an interpreter that was told nothing about the project."""
    command = [sys.executable, "-I", "-c", "import json, sys; print(json.dumps(sys.path))"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _run(words: list[str], cwd: str, env: dict[str, str], path: list[str], folder: str, forks: bool) -> None:
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(os.path.join(folder, name), os.O_CREAT | os.O_WRONLY | os.O_APPEND), descriptor)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    warnings.simplefilter("ignore")
    is_module = words[0] == "-m"
    sys.argv = words[is_module:]
    first = cwd if is_module else str(Path(words[0]).resolve().parent)
    sys.path[:] = [first, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep)), *path]
    if forks:
        import torch.multiprocessing as torch_processes

        torch_processes.start_processes = partial(torch_processes.start_processes, start_method="fork")
    if is_module:
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(words[0], run_name="__main__")
