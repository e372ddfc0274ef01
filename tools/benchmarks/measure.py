"""Time and memory of calls and of whole processes."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


def measure_calls(function: Callable[[Any], Any], inputs: Sequence[Any]) -> dict[str, float]:
    """Milliseconds of ``function(input)`` over ``inputs``: median, 90th percentile, worst, and median of CPU time."""
    times, cpu_times = [], []
    for value in inputs:
        start, cpu_start = time.perf_counter(), time.process_time()
        function(value)
        times.append(1000 * (time.perf_counter() - start))
        cpu_times.append(1000 * (time.process_time() - cpu_start))
    return {
        "median_ms": statistics.median(times),
        "p90_ms": float(np.percentile(times, 90)),
        "max_ms": max(times),
        "median_cpu_ms": statistics.median(cpu_times),
        "repeats": len(times),
    }


@dataclass(frozen=True)
class ProcessCost:
    """Cost of a process, including its start and imports.

    Attributes:
        cpu_seconds: User and system time of the process and the children that it waited for.
        peak_mb: Largest resident memory in MiB.
        output: Result of the process.
    """

    cpu_seconds: float
    peak_mb: float
    output: Any


class ProcessError(RuntimeError):
    """Failed measured process; the message ends with the last line of its standard error."""


def measure_process(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str] | None = None,
    program: str | os.PathLike[str] = sys.executable,
) -> ProcessCost:
    """Run ``python -m module *arguments`` on one thread, and measure it.

    The module must end with :func:`finish_measured`. ``program`` is the Python that runs it.

    Raises:
        ProcessError: If the process ends with another status than 0, or without a result.
    """
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    variables = {**os.environ, **threads, **(environment or {})}
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, (_TOOLS, variables.get("PYTHONPATH"))))
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        result = subprocess.run(  # noqa: S603  a module of this package
            [program, "-m", module, *arguments],
            env={**variables, _REPORT: report},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        lines = result.stderr.strip().splitlines()
        if result.returncode != 0 or not os.path.exists(report):
            raise ProcessError(f"{' '.join([module, *arguments])}: {lines[-1] if lines else 'no result'}")
        with open(report) as file:
            return ProcessCost(**json.load(file))


_TOOLS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # folder of this package
_REPORT = "ICTRACK_BENCHMARK_REPORT"


def finish_measured(output: Any) -> None:
    """Report the result and the cost of a measured process to :func:`measure_process`."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cost = {
        "cpu_seconds": sum(usage.ru_utime + usage.ru_stime for usage in usages),
        "peak_mb": peak_bytes() / 2**20,
        "output": output,
    }
    with open(os.environ[_REPORT], "w") as file:
        json.dump(cost, file)


def peak_bytes() -> int:
    """Largest resident memory of this process in bytes.

    On Linux it is read from /proc, since the resource usage also counts the process that it was forked from.
    """
    with contextlib.suppress(OSError), open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def machine() -> dict[str, Any]:
    """Processor and versions that results depend on."""
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    if "torch" in sys.modules:
        versions["torch"] = sys.modules["torch"].__version__
    return {"machine": processor(), "versions": versions}


def hardware(device: str) -> str:
    """Description of the hardware of a device."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    threads = sys.modules["torch"].get_num_threads() if "torch" in sys.modules else 1
    return f"{processor()}, {threads} thread{'s' if threads > 1 else ''}"


def processor() -> str:
    """Name of the processor, or its architecture where the name is unknown."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
