"""Runs of a reader on damaged files of its corpus."""

from __future__ import annotations

import ctypes
import json
import os
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from .damage import Hang, mutate_bytes, mutate_value, time_limit
from .readers import CORPUS, READERS, Reader

MAX_SECONDS = 2.0
# A process may grow by so much from the first fifth of its runs on.
MAX_GROWTH_BYTES = 2**25


@dataclass
class Result:
    """What came of the runs of a reader.

    Attributes:
        name: Reader.
        runs: Number of files.
        refused: Number of those that were refused by the declared error.
        slowest: Longest time of one, in seconds of work.
        growth: Bytes by which the process grew after the first fifth of the runs.
        faults: What should not have been, with the file that shows it.
    """

    name: str
    runs: int = 0
    refused: int = 0
    slowest: float = 0.0
    growth: int = 0
    faults: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Figures in one line."""
        return (
            f"{self.name}: {self.runs} files, {self.refused} refused, slowest {self.slowest:.2f} s, "
            f"grown by {self.growth / 2**20:.1f} MiB, {len(self.faults)} faults"
        )


def corpus_of(name: str) -> list[Path]:
    """Files of a reader's corpus, by name."""
    places = [CORPUS / place for place in READERS[name].corpus or (name,)]
    return sorted(path for place in places for path in ([place] if place.is_file() else place.iterdir()))


def fuzz(name: str, runs: int, seed: int, scratch: Path) -> Result:
    """Read the whole corpus, and damaged files until there are ``runs``, each in a folder of its own below ``scratch``.

    Files that show a fault stay there.
    """
    result, files = Result(name), corpus_of(name)
    for path in files:
        # What a reader imports at its first file is no work of that file.
        with tempfile.TemporaryDirectory() as folder, suppress(Exception, SystemExit):
            READERS[name].read(Path(shutil.copy(path, folder)))
    before = 0
    for number, (file_name, data) in enumerate(_files(files, runs, seed)):
        folder = scratch / f"{name}_{seed}_{number}"
        folder.mkdir(parents=True)
        path = folder / file_name
        path.write_bytes(data)
        if _try(READERS[name], path, result):
            shutil.rmtree(folder)
        if number == runs // 5:
            before = _size()
    result.growth = max(_size() - before, 0)
    if result.growth > MAX_GROWTH_BYTES:
        result.faults.append(f"the process grew by {result.growth} bytes in {runs * 4 // 5} runs")
    return result


def _files(files: list[Path], runs: int, seed: int) -> Iterator[tuple[str, bytes]]:
    whole = [(path.name, path.read_bytes()) for path in files]
    yield from whole[:runs]
    rng = random.Random(seed)  # noqa: S311  damage, no secret
    for _ in range(runs - len(whole)):
        name, data = rng.choice(whole)
        is_json = Path(name).suffix in (".json", ".labelme") and rng.random() < 0.6
        if is_json and _is_json(data):
            yield name, mutate_value(rng, data)
            continue
        for _ in range(rng.choice([1, 1, 2, 3])):
            data = mutate_bytes(rng, data) if data else data
        yield name, data


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _try(reader: Reader, path: Path, result: Result) -> bool:
    """Read a file, and count what comes of it; whether all is well."""
    peak, start = _peak(), time.process_time()
    fault = ""
    try:
        with time_limit(MAX_SECONDS):
            reader.read(path)
    except reader.error as error:
        result.refused += 1
        if reader.names_file and path.name not in str(error):
            fault = f"the error does not name the file: {error}"
    except Hang:
        fault = f"more than {MAX_SECONDS} seconds of work"
    except BaseException as error:  # MemoryError and SystemExit, too
        if isinstance(error, KeyboardInterrupt):
            raise
        fault = f"{type(error).__name__}: {error}"
    result.runs += 1
    result.slowest = max(result.slowest, time.process_time() - start)
    if not fault and _peak() - peak > reader.max_bytes:
        fault = f"took {_peak() - peak} bytes of memory"
    if fault:
        result.faults.append(f"{path}: {fault[:300]}")
    return not fault


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _size() -> int:
    """Bytes of memory that the process has now; where the system does not say, the most that it had.

    What the C library keeps for the next use is no part of it: after a freed block, up to 32 MiB with glibc.
    """
    with suppress(AttributeError):  # other C libraries
        ctypes.CDLL(None).malloc_trim(0)
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return _peak()
