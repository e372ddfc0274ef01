"""README's tables of ``identify.csv``: the exact tests, with paired intervals, and the whole videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.readme_table import show_in_readme
from ictrack.evaluation.metrics.bootstrap import Statistic, paired_bootstrap

_SAMPLES = 10_000
_TESTS = {"halves": "halves", "cut": "50 frames hidden"}
_OURS = "tracklet"

Rows = Sequence[Mapping[str, object]]


def show_tables(readme: Path, rows: Rows) -> None:
    """Write both tables into a README, where it has their markers."""
    show_in_readme(readme, "identities", identities_table(rows))
    show_in_readme(readme, "whole videos", whole_videos_table(rows))


def identities_table(rows: Rows) -> str:
    """Markdown: a row for each method and test, with the shares of all seeds, and the difference of the mean from that
    of tracklets with its 95 % interval by a bootstrap over cuts, which are the same for all methods.

    Args:
        rows: Of ``identify.csv``.
    """
    lines = [
        "| video | method | test | matched, by seed | minus tracklets, points [95 %] | CPU s | peak MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for video in dict.fromkeys(row["video"] for row in rows):
        for test, name in _TESTS.items():
            of_test = [row for row in rows if row["video"] == video and row["test"] == test]
            ours = [row for row in of_test if row["method"] == _OURS]
            for method in dict.fromkeys(row["method"] for row in of_test):
                group = [row for row in of_test if row["method"] == method]
                shares = ", ".join(f"{float(str(row['value'])):.3f}" for row in group)
                difference = "" if method == _OURS or not ours else _difference(group, ours)
                seconds, mib = (max(int(str(row[key])) for row in group) for key in ("cpu_seconds", "peak_mib"))
                number = group[0]["num_pairs"]
                lines.append(f"| {video} | {method} | {name}, {number} | {shares} | {difference} | {seconds} | {mib} |")
    return "\n".join(lines) + "\n"


def whole_videos_table(rows: Rows) -> str:
    """Markdown: for each video and method, the identities of all detections against the reference, by seed.

    Args:
        rows: Of ``identify.csv``.
    """
    lines = [
        "| video | method | identity accuracy, % | identity kept over crossings | switches "
        "| estimate without labels, % | CPU s | peak MiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    whole = [row for row in rows if row["test"] in ("reference", "continuity", "estimate")]
    for video, method in dict.fromkeys((row["video"], row["method"]) for row in whole):
        group = [row for row in rows if (row["video"], row["method"]) == (video, method)]
        values = {
            test: [float(str(row["value"])) for row in group if row["test"] == test]
            for test in ("reference", "continuity", "passages", "switches", "estimate", "estimate_low", "estimate_high")
        }
        accuracy = ", ".join(f"{100 * x:.1f}" for x in values["reference"])
        if values["continuity"]:
            accuracy = f"is the reference; {100 * values['continuity'][0]:.2f} within tracklets"
        totals = [int(str(row["num_pairs"])) for row in group if row["test"] == "passages"]
        kept = ", ".join(f"{round(share * of)} of {of}" for share, of in zip(values["passages"], totals))
        switches = ", ".join(f"{x:.0f}" for x in values["switches"])
        ends = zip(values["estimate"], values["estimate_low"], values["estimate_high"])
        estimates = ", ".join(f"{100 * x:.1f} [{100 * low:.1f}, {100 * high:.1f}]" for x, low, high in ends)
        if not estimates:  # another program's, without an interval
            estimates = ", ".join(f"{100 * x:.2f}" for x in values["estimate"])
        seconds, mib = (max(int(str(row[key])) for row in group) for key in ("cpu_seconds", "peak_mib"))
        lines.append(f"| {video} | {method} | {accuracy} | {kept} | {switches} | {estimates} | {seconds} | {mib} |")
    return "\n".join(lines) + "\n"


def _difference(theirs: Rows, ours: Rows) -> str:
    statistics = _share(theirs), _share(ours)
    num_cuts = len(_counts(ours[0]))
    ones = np.ones(num_cuts, dtype=int)
    low, high = paired_bootstrap(*statistics, num_cuts, num_samples=_SAMPLES)["share"]
    difference = statistics[0](ones)["share"] - statistics[1](ones)["share"]
    return f"{100 * difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _share(rows: Rows) -> Statistic:
    """Mean over seeds of the share of the halves of drawn cuts that were matched."""
    counts = np.stack([_counts(row) for row in rows])  # seeds, cuts, (matched, pairs)

    def statistic(weights: np.ndarray) -> dict[str, float]:
        sums = np.einsum("c,sck->sk", weights, counts)
        return {"share": float((sums[:, 0] / sums[:, 1]).mean())}

    return statistic


def _counts(row: Mapping[str, object]) -> np.ndarray:
    """(cuts, 2) int64 number of halves that were matched, and of all."""
    return np.array([[int(x) for x in cut.split("/")] for cut in str(row["by_cut"]).split()])
