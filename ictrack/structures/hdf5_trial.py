"""Trial of HDF5 files in another process, since some damaged ones end the process that reads them, or keep it for ever.

The process starts with the first file, and ends with this one, when its input does. As a script, this file is the
process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

# Time that a file may take, of which SLEAP's without pictures take a hundredth of a second.
_SECONDS = 60.0
# Larger arrays are pictures, which nothing here reads.
_MAX_BYTES = 2**28
_lock = threading.Lock()
_started: list[subprocess.Popen] = []


def try_hdf5(path: Path) -> None:
    """Raise ValueError if a process that reads all of a file ends or takes too long.

    What else may be wrong, also that the file is of no HDF5, is left to the reader.
    """
    with _lock:
        if not _started:
            command, pipe = [sys.executable, __file__], subprocess.PIPE
            _started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL))  # noqa: S603
        process = _started[0]
        assert process.stdin is not None and process.stdout is not None
        timer = threading.Timer(_SECONDS, process.kill)
        timer.start()
        answer = b""
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps(str(path.absolute())).encode() + b"\n")
                process.stdin.flush()
            answer = process.stdout.readline()
        finally:  # also after Ctrl-C: a late answer must not be taken for that of the next file
            timer.cancel()
            if not answer:
                _started.clear()
                process.kill()
                process.communicate()
    if not answer:
        raise ValueError("it is damaged: the HDF5 library cannot read it to its end")


def _read_all(path: str) -> None:
    import h5py

    def read(_: str, item: Any) -> None:
        with suppress(Exception):
            for key in item.attrs:
                with suppress(Exception):
                    item.attrs[key]
        with suppress(Exception):
            if isinstance(item, h5py.Dataset) and item.nbytes <= _MAX_BYTES:
                item[()]

    with suppress(Exception), h5py.File(path) as file:
        read("", file)
        file.visititems(read)


if __name__ == "__main__":
    for line in sys.stdin:
        _read_all(json.loads(line))
        print("done", flush=True)
