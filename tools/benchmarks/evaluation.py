"""ICTrack's evaluation compared with the reference tools on synthetic data: CPU time, memory and scores."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ictrack.evaluation.reports.tables import format_table

from .blobs import YouTubeVISCase
from .generate_posetrack import PoseTrackCase, write_posetrack_case
from .generate_youtube_vis import write_youtube_vis_case
from .measure import ProcessError, measure_process

CASES: dict[str, YouTubeVISCase | PoseTrackCase] = {
    "ytvis": YouTubeVISCase(num_videos=302, num_frames=28, num_gt=2, num_pred=10),
    "ytvis-dense": YouTubeVISCase(num_videos=302, num_frames=28, num_gt=2, num_pred=100),
    "ovis-like": YouTubeVISCase(num_videos=20, num_frames=100, num_gt=10, num_pred=100, num_categories=25),
    "posetrack": PoseTrackCase(),
}
# Our run -> reference tool.
_YOUTUBE_VIS_PAIRS = {"ictrack-ap": "youtubevos", "ictrack-all": "trackeval"}
_POSETRACK_PAIRS = {"ictrack-pose": "poseval"}
_WORKER = "benchmarks.reference_tools"


@dataclass(frozen=True)
class References:
    """Available reference tools: name -> checkout, or "" for an installed package."""

    paths: dict[str, str]

    @classmethod
    def find(cls, folders: Iterable[Path]) -> References:
        """Checkouts among ``folders`` and the folders in them, and TrackEval if it is installed."""
        paths = {"trackeval": ""} if importlib.util.find_spec("trackeval") else {}
        for folder in folders:
            for path in (folder, *(child for child in sorted(folder.iterdir()) if child.is_dir())):
                if (path / "PythonAPI" / "pycocotools" / "ytvoseval.py").is_file():
                    paths["youtubevos"] = str(path)
                if (path / "poseval" / "evaluate.py").is_file():
                    paths["poseval"] = str(path)
        return cls(paths)


def benchmark_evaluation(
    *, cases: Sequence[str], reference_folders: Sequence[Path], scale: float = 1.0, seed: int = 0
) -> dict[str, Any]:
    """Generate each case and score it with every tool, one after the other in processes of their own.

    Args:
        cases: Names in ``CASES``.
        reference_folders: Folders in which checkouts of the reference tools are looked for.
        scale: Factor on the number of videos or sequences.
        seed: Seed of the data.

    Returns:
        Size of each case and, for each tool, CPU seconds, MiB and headline scores, with the reference's costs as ratios
        to ours; a missing or failed tool has an "error" instead.
    """
    references = References.find(reference_folders)
    return {"scale": scale, "cases": {name: _run_case(CASES[name], references, scale, seed) for name in cases}}


def _run_case(case: YouTubeVISCase | PoseTrackCase, references: References, scale: float, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if isinstance(case, YouTubeVISCase):
            case = replace(case, num_videos=max(1, round(scale * case.num_videos)))
            paths, pairs = write_youtube_vis_case(case, folder, seed), _YOUTUBE_VIS_PAIRS
        else:
            case = replace(case, num_sequences=max(1, round(scale * case.num_sequences)))
            paths, pairs = write_posetrack_case(case, folder, seed), _POSETRACK_PAIRS
        tools = dict(_run_tools(pairs, paths, references))
    return {"size": vars(case).copy(), "tools": tools}


def _run_tools(
    pairs: dict[str, str], paths: tuple[Path, Path], references: References
) -> Iterator[tuple[str, dict[str, Any]]]:
    for ours, reference in pairs.items():
        own = _run_tool(ours, paths, "")
        yield ours, own
        if reference not in references.paths:
            yield reference, {"error": "not found"}
            continue
        other = _run_tool(reference, paths, references.paths[reference])
        if "error" not in own and "error" not in other:
            other["cpu_ratio"] = other["cpu_seconds"] / own["cpu_seconds"]
            other["memory_ratio"] = other["peak_mb"] / own["peak_mb"]
            shared = own["numbers"].keys() & other["numbers"].keys()
            # -9 stands for NaN; no score has this value.
            ours, theirs = (np.nan_to_num([run["numbers"][key] for key in shared], nan=-9.0) for run in (own, other))
            other["largest_difference"] = float(np.abs(ours - theirs).max())
        yield reference, other


def _run_tool(tool: str, paths: tuple[Path, Path], checkout: str) -> dict[str, Any]:
    try:
        cost = measure_process(_WORKER, [tool, *map(str, paths), *([checkout] if checkout else [])])
    except ProcessError as error:
        return {"error": str(error)}
    return {"cpu_seconds": cost.cpu_seconds, "peak_mb": cost.peak_mb, "numbers": cost.output}


def evaluation_table(result: dict[str, Any]) -> str:
    """Result of :func:`benchmark_evaluation` as a text table."""
    rows = []
    for case, scored in result["cases"].items():
        for tool, cost in scored["tools"].items():
            if "error" in cost:
                rows.append([case, tool, cost["error"]])
                continue
            ratio = f"{cost['cpu_ratio']:.1f} x" if "cpu_ratio" in cost else ""
            difference = f"{cost['largest_difference']:.1e}" if "largest_difference" in cost else ""
            rows.append([case, tool, f"{cost['cpu_seconds']:.2f}", f"{cost['peak_mb']:.0f}", ratio, difference])
    return format_table(["case", "tool", "CPU s", "peak MiB", "CPU / ours", "difference"], rows)
