"""Process that scores a pair of files with one evaluation tool.

    python -m benchmarks.reference_tools TOOL GROUND_TRUTH RESULTS [REFERENCE_PATH]

Each tool reads the files, scores them, and hands its headline scores, as fractions or NaN where there is nothing to
measure, to :func:`~benchmarks.measure.finish_measured`. The references run as they are published; only what newer
versions of NumPy dropped is put back for them.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .measure import finish_measured
from .reference_trackeval import trackeval


def ictrack_ap(gt: Path, results: Path) -> dict[str, float]:
    """AP and AR of YouTube-VIS by ICTrack, official protocol."""
    from ictrack.evaluation.reports.youtube_vis import youtube_vis_report

    report = youtube_vis_report(gt, results, protocols=("official",), metrics=("ap",))
    return {key: value for key, value in report["official"].items() if isinstance(value, float)}


def ictrack_all(gt: Path, results: Path) -> dict[str, float]:
    """AP of both protocols, HOTA, CLEAR and Identity."""
    from ictrack.evaluation.reports.youtube_vis import youtube_vis_report

    report = youtube_vis_report(gt, results)
    return {
        "AP": report["official"]["AP"],
        **{key: report[metric][key] for metric, key in (("hota", "HOTA"), ("clear", "MOTA"), ("identity", "IDF1"))},
    }


def ictrack_pose(gt: Path, results: Path) -> dict[str, float]:
    """ICTrack's AP and MOT of PoseTrack, both protocols."""
    from ictrack.evaluation.reports.posetrack import posetrack_report

    report = posetrack_report(gt, results, metrics=("ap", "mot"))
    return {
        "AP": report["official"]["AP"]["ap"]["total"],
        **{key.upper(): report["official"]["MOT"][key]["total"] for key in ("mota", "motp", "pre", "rec")},
    }


def official_youtube_vis(gt: Path, results: Path, checkout: Path) -> dict[str, float]:
    """AP and AR of YouTube-VIS by the official tool; ``checkout`` is of github.com/youtubevos/cocoapi.

    Its modules are loaded from the checkout beside the installed pycocotools, whose compiled part they use.
    """
    from pycocotools import mask

    _restore_numpy_of_2019()
    package = types.ModuleType("youtubevos")
    package.__path__ = [str(checkout / "PythonAPI" / "pycocotools")]
    package.mask = mask  # type: ignore[attr-defined]
    sys.modules.update({"youtubevos": package, "youtubevos.mask": mask})
    official_gt = importlib.import_module("youtubevos.ytvos").YTVOS(str(gt))
    evaluation = importlib.import_module("youtubevos.ytvoseval").YTVOSeval(
        official_gt, official_gt.loadRes(str(results)), "segm"
    )
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    names = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
    return {name: float(value) if value >= 0 else math.nan for name, value in zip(names, evaluation.stats)}


def poseval(gt: Path, results: Path, checkout: Path) -> dict[str, float]:
    """PoseTrack's tool: ``checkout`` is of github.com/leonid-pishchulin/poseval; it needs motmetrics and shapely."""
    _restore_numpy_of_2019()
    sys.path.insert(0, str(checkout))
    tool = importlib.import_module("poseval.evaluate")
    with tempfile.TemporaryDirectory() as folder:
        sys.argv = ["poseval", "-g", f"{gt}/", "-p", f"{results}/", "-e", "-t", "-o", f"{folder}/"]
        tool.main()
        ap, mot = (json.loads((Path(folder) / f"total_{kind}_metrics.json").read_text()) for kind in ("AP", "MOT"))
    percent = {"AP": ap["ap"][-1], **{key.upper(): mot[key][-1] for key in ("mota", "motp", "pre", "rec")}}
    return {key: value / 100 for key, value in percent.items()}


def _restore_numpy_of_2019() -> None:
    """Names and a leniency that the references use and NumPy has dropped: ``np.float``, a float number of points."""
    for name, kind in (("float", float), ("int", int), ("bool", bool)):
        if not hasattr(np, name):
            setattr(np, name, kind)
    linspace = np.linspace

    def lenient(start: Any, stop: Any, num: Any = 50, **options: Any) -> Any:
        return linspace(start, stop, int(num), **options)

    np.linspace = lenient  # type: ignore[assignment]


TOOLS: dict[str, Callable[..., dict[str, float]]] = {
    "ictrack-ap": ictrack_ap,
    "ictrack-all": ictrack_all,
    "ictrack-pose": ictrack_pose,
    "youtubevos": official_youtube_vis,
    "trackeval": trackeval,
    "poseval": poseval,
}

if __name__ == "__main__":
    tool_name, *paths = sys.argv[1:]
    finish_measured(TOOLS[tool_name](*map(Path, paths)))
