"""The benchmark of long videos, on short ones."""

import pytest

from benchmarks.endless import benchmark_endless


@pytest.mark.parametrize("exported", [False, True])
def test_memory_and_a_kill(exported):
    """Processes with PyTorch take long to start: one is measured, and none killed."""
    lengths = [40, 80] if exported else [40]
    opts = ["TRACKER_HEADS.MAX_AGE", "30"]
    result = benchmark_endless(lengths, kills=int(exported), draw=False, exported=exported, opts=opts)
    for length, run in zip(lengths, result["runs"].values()):
        assert (run["frames"], run["detections"]) == (length, 10 * length)
        assert run["peak_mb"] > 50 and set(run["stages"]) == {"decode", "detect", "track", "save"}
    if exported:
        assert result["same_file"] and result["left"] == [] and len(result["began_at"]) == 2
