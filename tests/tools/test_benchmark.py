"""The sub-commands of the benchmark."""

import json

import pytest

from benchmark import main
from benchmarks.evaluation import References
from benchmarks.measure import measure_process


@pytest.fixture
def benchmark(tmp_path):
    def run(command, *arguments):
        out = tmp_path / "figures.json"
        main([command, "--json", str(out), *arguments])
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


def test_evaluation_equals_trackeval(benchmark, capsys):
    figures = benchmark("evaluation", "--cases", "ytvis", "posetrack", "--scale", "0.015")
    ours, reference = (figures["cases"]["ytvis"]["tools"][tool] for tool in ("ictrack-all", "trackeval"))
    assert ours["numbers"]["HOTA"] > 0.2
    assert reference["largest_difference"] < 1e-9
    assert reference["cpu_ratio"] > 0 and ours["peak_mb"] > 0
    assert figures["cases"]["ytvis"]["tools"]["youtubevos"] == {"error": "not found"}
    assert figures["cases"]["posetrack"]["tools"]["ictrack-pose"]["numbers"]["AP"] > 0.1
    assert figures["cases"]["posetrack"]["size"]["num_sequences"] == 1
    table = capsys.readouterr().out
    assert "trackeval" in table and "CPU / ours" in table


YTVOS = """
import numpy as np
from . import mask
class YTVOS:
    def __init__(self, path): self.path = path
    def loadRes(self, path): return YTVOS(path)
"""
YTVOSEVAL = """
import numpy as np
from pycocotools import mask
class YTVOSeval:
    def __init__(self, truth, found, kind): self.kind = kind
    def evaluate(self): self.thresholds = np.linspace(.5, .95, np.round((.95 - .5) / .05) + 1)
    def accumulate(self): self.last = np.float(self.thresholds[-1])
    def summarize(self): self.stats = np.full(12, self.last)
"""
POSEVAL = """
import argparse, json
def main():
    parser = argparse.ArgumentParser()
    for flag in "gpo": parser.add_argument("-" + flag)
    for flag in "et": parser.add_argument("-" + flag, action="store_true")
    args = parser.parse_args()
    assert args.g.endswith("/") and args.p.endswith("/") and args.e and args.t
    for kind, keys in (("AP", ["ap"]), ("MOT", ["mota", "motp", "pre", "rec"])):
        with open(args.o + "total_" + kind + "_metrics.json", "w") as file:
            json.dump({key: [1, 2, 3] for key in keys}, file)
"""


def test_reference_checkouts_are_found_and_run(tmp_path):
    for name, text in (
        ("cocoapi/PythonAPI/pycocotools/ytvos.py", YTVOS),
        ("cocoapi/PythonAPI/pycocotools/ytvoseval.py", YTVOSEVAL),
        ("poseval/poseval/__init__.py", ""),
        ("poseval/poseval/evaluate.py", POSEVAL),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    paths = References.find([tmp_path]).paths
    assert paths == {"trackeval": "", "youtubevos": str(tmp_path / "cocoapi"), "poseval": str(tmp_path / "poseval")}

    def numbers(tool):
        return measure_process("benchmarks.reference_tools", [tool, "gt", "results", paths[tool]]).output

    assert numbers("youtubevos")["ARl"] == 0.95 and len(numbers("youtubevos")) == 12
    assert numbers("poseval") == dict.fromkeys(("AP", "MOTA", "MOTP", "PRE", "REC"), 0.03)
