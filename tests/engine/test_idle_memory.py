import os
import platform
import subprocess
import sys

import pytest

from ictrack.engine.idle_memory import keep_little_memory

NAME = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
HEAPS = """
import ctypes, sys, threading
if sys.argv[1] == "little":
    from ictrack.engine.idle_memory import keep_little_memory
    keep_little_memory()
libc = ctypes.CDLL(None)
together = threading.Barrier(4)
def allocate():
    together.wait()
    libc.malloc(100_000)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""


def test_the_environment_of_the_user_is_kept(monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "8")
    monkeypatch.setenv(NAME, "7")
    keep_little_memory()
    assert os.environ[NAME] == "7"


def test_few_kernels_are_kept_otherwise(monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "8")  # the process of the tests stays as it is
    monkeypatch.setenv(NAME, "")  # so that what is set is taken back
    monkeypatch.delenv(NAME)
    keep_little_memory()
    assert 1 <= int(os.environ[NAME]) < 1024


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have other allocators")
def test_threads_share_one_heap():
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}

    def heaps(which):
        command = [sys.executable, "-c", HEAPS, which]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.count("<heap nr=")

    assert heaps("little") == 1 < heaps("as it is")
