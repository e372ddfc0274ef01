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


FAULTS = """
import resource, sys, torch
if sys.argv[1] == "keeps":
    from ictrack.engine.idle_memory import keep_freed_memory
    keep_freed_memory()
for _ in range(30):  # small blocks come to lie between large ones in the first passes
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have other allocators")
@pytest.mark.parametrize(
    ("which", "environment", "is_kept"),
    [("keeps", {}, True), ("as it is", {}, False), ("keeps", {"MALLOC_MMAP_THRESHOLD_": str(2**20)}, False)],
)
def test_large_tensors_are_written_where_others_were(which, environment, is_kept):
    """64 MiB are 16,384 pages; the user's environment goes first."""
    mine = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    command = [sys.executable, "-c", FAULTS, which]
    done = subprocess.run(command, env={**mine, **environment}, capture_output=True, text=True, check=True)
    assert (int(done.stdout) < 100) == is_kept
