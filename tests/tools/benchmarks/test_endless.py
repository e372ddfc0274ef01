"""The benchmark of long videos, on short ones."""

from benchmarks.endless import benchmark_endless


def test_memory_and_a_kill():
    figures = benchmark_endless([40, 80], kills=1, draw=False, opts=["TRACKER_HEADS.MAX_AGE", "30"])
    assert figures["same_file"] and figures["left"] == [] and len(figures["began_at"]) == 2
    short, long = figures["runs"]["40"], figures["runs"]["80"]
    assert (short["frames"], long["frames"], long["detections"]) == (40, 80, 800)
    assert long["peak_mb"] > 50 and set(long["stages"]) == {"decode", "detect", "track", "save"}
