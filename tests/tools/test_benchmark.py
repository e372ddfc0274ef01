"""The sub-commands of the benchmark."""

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


def test_update_of_100_detections_with_1000_tracks(benchmark):
    figures = benchmark("tracker", "--repeats", "10")
    assert figures["identities"] == 1000  # every detection found its track
    assert figures["median_cpu_ms"] > 0


def test_any_tracker_with_masks(benchmark):
    figures = benchmark(
        *("tracker", "--detections", "5", "--tracks", "20", "--repeats", "3", "--masks", "40", "60"),
        *("TRACKER_HEADS.TRACKER_NAME", "SpatialTracker", "TRACKER_HEADS.SPATIAL.COST", "iou"),
    )
    assert figures["tracker"] == "SpatialTracker" and figures["repeats"] == 3
    assert 0 < figures["median_ms"] <= figures["max_ms"]
