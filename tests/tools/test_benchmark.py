"""The benchmark's sub-commands, and the tracker's promise of speed."""

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "benchmark.py"


@pytest.fixture
def benchmark(tmp_path):
    spec = importlib.util.spec_from_file_location("benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(command, *arguments):
        out = tmp_path / "figures.json"
        module.main([command, "--json", str(out), *arguments])
        return json.loads(out.read_text())

    return run


def test_update_of_100_detections_with_1000_tracks_in_3_ms(benchmark):
    figures = [benchmark("tracker", "--repeats", "100") for _ in range(3)]
    assert [one["identities"] for one in figures] == [1000] * 3  # every detection found its track
    assert min(one["median_cpu_ms"] for one in figures) < 3  # CPU time: other processes do not count


def test_any_tracker_with_masks(benchmark):
    figures = benchmark(
        *("tracker", "--detections", "5", "--tracks", "20", "--repeats", "3", "--masks", "40", "60"),
        *("TRACKER_HEADS.TRACKER_NAME", "SpatialTracker", "TRACKER_HEADS.SPATIAL.COST", "iou"),
    )
    assert figures["tracker"] == "SpatialTracker" and figures["repeats"] == 3
    assert 0 < figures["median_ms"] <= figures["max_ms"]
