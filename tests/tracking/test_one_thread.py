"""Products of a tracker run on one thread, and those of others on as many as before."""

import os
import subprocess
import sys

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from ictrack.tracking import EmbeddingTracker
from ictrack.tracking.one_thread import on_one_thread


def num_threads():
    """Threads of the libraries that can have several, which the one in OpenCV 4.6 cannot."""
    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    return {library["num_threads"] for library in libraries if library["threading_layer"] != "disabled"}


@pytest.fixture
def two_threads():
    with threadpool_limits(2, user_api="blas"):
        assert num_threads() == {2}
        yield


def test_an_update(make_cfg, make_detections, monkeypatch, two_threads):
    tracker, seen = EmbeddingTracker(make_cfg()), []
    compare = tracker._compare
    monkeypatch.setattr(tracker, "_compare", lambda observed: seen.append(num_threads()) or compare(observed))
    for _ in range(2):
        tracker.update(make_detections([[1.0, 0.0], [0.0, 1.0]]))
    assert seen == [{1}] and num_threads() == {2}


def test_after_an_error(two_threads):
    @on_one_thread
    def fail():
        assert num_threads() == {1}
        raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert num_threads() == {2}


_TWO_THREADS = """
import threading
import numpy
from threadpoolctl import threadpool_info
from ictrack.tracking.one_thread import on_one_thread

def num_threads():
    return {x["num_threads"] for x in threadpool_info() if x["user_api"] == "blas"}

entered, may_leave = threading.Barrier(2, timeout=60), threading.Event()

@on_one_thread
def stay(leaves_first):
    entered.wait()
    if not leaves_first:
        assert may_leave.wait(60)
    print(num_threads(), flush=True)

assert num_threads() == {2}
first, second = (threading.Thread(target=stay, args=(leaves_first,)) for leaves_first in (True, False))
first.start()
second.start()
first.join()
may_leave.set()
second.join()
print(num_threads())
"""


def test_in_two_threads_that_overlap():
    """In a process that has two threads from its beginning: OpenBLAS heeds other threads only then."""
    two = {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    finished = subprocess.run(
        [sys.executable, "-c", _TWO_THREADS],
        env={**os.environ, **two, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.split("\n")[:3] == ["{1}", "{1}", "{2}"]
