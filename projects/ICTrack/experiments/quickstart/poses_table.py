"""Pose quick-start over several seeds: results on disk, and their table with paired bootstrap intervals by clip."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.association.poses import unit_scores
from experiments.readme_table import percent, show_in_readme
from ictrack.evaluation.metrics import paired_bootstrap

from .poses import BASELINE, IMAGE_ONLY, OURS, PoseConfigs, run_pose_quickstart

RESULTS_FILE, TABLE_FILE = "pose.json.gz", "pose.md"
NUM_SAMPLES = 1000
_HEADERS = ("method", "MOTA", "IDF1", "HOTA", "AP", "id switches", "IDF1 - KEM", "95 %")
# Claims that the first method is above the second at the largest frame skip.
CLAIMS = (
    (IMAGE_ONLY, BASELINE),
    (IMAGE_ONLY, "OKS"),
    (IMAGE_ONLY, "untrained KEM"),
    (IMAGE_ONLY, "AE, scalar tags"),
    (IMAGE_ONLY, "AE, vector tags"),
    (IMAGE_ONLY, "AE, vector tags, by cosine"),
    (IMAGE_ONLY, "person IC only"),
    (IMAGE_ONLY, "KEM, mean over joints"),
    (OURS, IMAGE_ONLY),
)


def run_pose_seeds(configs: PoseConfigs, output: Path, results: Path, seeds: Iterable[int], num_processes: int) -> None:
    """Run the pose quick-start for each seed in ``output/seed_<n>``, and write the results and their table."""
    measured = []
    for seed in seeds:
        folder = output / f"seed_{seed}"
        run_pose_quickstart(configs, folder, seed, num_processes, [])
        measured.append(json.loads((folder / "metrics.json").read_text()))
    results.mkdir(parents=True, exist_ok=True)
    # No time stamp: equal results give equal bytes.
    (results / RESULTS_FILE).write_bytes(gzip.compress(json.dumps(measured).encode(), mtime=0))
    write_pose_table(results)


def write_pose_table(results: Path) -> None:
    """Write ``pose.md`` from the results beside it, and insert it between the markers of ``../README.md``.

    Raises:
        OSError: If there are no results.
    """
    text = format_pose_results(json.loads(gzip.decompress((results / RESULTS_FILE).read_bytes())))
    (results / TABLE_FILE).write_text(text, encoding="utf-8")
    show_in_readme(results.parent / "README.md", "pose", text)


def format_pose_results(measured: Sequence[Mapping[str, Any]]) -> str:
    """Markdown table of each frame skip, and the claims.

    Args:
        measured: Contents of the pose quick-start's "metrics.json", one a seed.
    """
    stills = {scale: np.array([one["stills"][scale]["AP"] for one in measured]) for scale in measured[0]["stills"]}
    parts = [
        f"{len(measured)} seed(s) of data, detector and heads: {', '.join(str(one['seed']) for one in measured)}. "
        f"OKS-AP on unseen stills {percent(stills['single_scale'])} at one scale, "
        f"{percent(stills['multi_scale'])} at several. Means and standard deviations over seeds in %; differences are "
        "over all clips, their intervals a paired bootstrap by clip. Detections are the same in all rows."
    ]
    skips = list(measured[0]["skips"])
    for skip in skips:
        rows = [_row(measured, skip, name) for name in measured[0]["skips"][skip]]
        rule = ["---", *["---:"] * (len(_HEADERS) - 1)]
        lines = "\n".join(f"| {' | '.join(cells)} |" for cells in (_HEADERS, rule, *rows))
        parts.append(f"### Every {skip}th frame\n\n{lines}")
    claims = "\n".join(_claim(measured, skips[-1], better, worse) for better, worse in CLAIMS)
    parts.append(f"### Claims, at every {skips[-1]}th frame\n\n{claims}")
    return "\n\n".join(parts) + "\n"


def difference(
    measured: Sequence[Mapping[str, Any]], skip: str, a: str, b: str
) -> dict[str, tuple[float, float, float]]:
    """Differences in IDF1 and MOTA of methods ``a`` and ``b`` over all clips and seeds: (value, low, high), 95 %."""
    ours, theirs = (
        np.concatenate([np.array(one["skips"][skip][name]["counts"]) for one in measured]) for name in (a, b)
    )
    ends = paired_bootstrap(
        lambda weights: unit_scores(weights @ ours),
        lambda weights: unit_scores(weights @ theirs),
        len(ours),
        num_samples=NUM_SAMPLES,
    )
    values = (unit_scores(counts.sum(axis=0)) for counts in (ours, theirs))
    first, second = values
    return {key: (first[key] - second[key], *ends[key]) for key in first}


def _row(measured: Sequence[Mapping[str, Any]], skip: str, name: str) -> list[str]:
    scores = [one["skips"][skip][name] for one in measured]
    shown = [percent(np.array([f[key] for f in scores])) for key in ("MOTA", "IDF1", "HOTA", "AP")]
    switches = f"{np.mean([f['IDSW'] for f in scores]):.0f}"
    if name == IMAGE_ONLY:
        return [name, *shown, switches, "", ""]
    value, low, high = difference(measured, skip, name, IMAGE_ONLY)["IDF1"]
    return [name, *shown, switches, f"{100 * value:+.2f}", f"[{100 * low:+.2f}, {100 * high:+.2f}]"]


def _claim(measured: Sequence[Mapping[str, Any]], skip: str, better: str, worse: str) -> str:
    differences = difference(measured, skip, better, worse)
    shown = ", ".join(
        f"{key} **{'holds' if low > 0 else 'does not hold'}** {100 * value:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"
        for key, (value, low, high) in differences.items()
    )
    return f"- {better} > {worse}: {shown}"
