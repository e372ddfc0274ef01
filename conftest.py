"""Settings shared by all tests: one thread a process, fixed seeds."""

import gc
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("DETECTRON2_DATASETS", None)  # tests have data of their own, not the user's

import numpy as np
import pytest

try:
    import torch
except ImportError:  # the evaluation part is tested without torch, too
    torch = None  # type: ignore[assignment]


try:
    import hypothesis
except ImportError:
    pass
else:  # a busy machine is no fault of the code
    hypothesis.settings.register_profile("ictrack", deadline=None)
    hypothesis.settings.load_profile("ictrack")


def pytest_collection_finish():
    """Let garbage be looked for seldom: each time it is among the objects of thousands of tests."""
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(autouse=True)
def _reproducible():
    np.random.seed(0)
    if torch is not None:
        torch.set_num_threads(1)
        torch.manual_seed(0)


@pytest.fixture
def bfloat16_cpu(monkeypatch):
    """The CPU counts as one with bfloat16 instructions; where it has none, they are emulated, exactly but slowly."""
    from ictrack.modeling import mixed_precision

    monkeypatch.setattr(mixed_precision, "supports", lambda device_type, dtype: True)
