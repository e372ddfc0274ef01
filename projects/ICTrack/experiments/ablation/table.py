"""Markdown table of the ablation: means and deviations over seeds, intervals by video, and which claims hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.readme_table import percent, show_in_readme
from ictrack.evaluation.metrics import paired_bootstrap
from ictrack.evaluation.metrics.association.counts import ASSOCIATION_METRICS

from .methods import COMPARISONS, ROWS, Comparison
from .results import SCORES, Key, Results, read_results

TABLE_FILE = "ablation.md"
REFERENCE = "ic"
NUM_SAMPLES = 1000
_HEADERS = ("method", "form", "video AP", "IDF1", "IDF1 - ic", "95 %", "AssA", "id switches", "CPU s")
_TARGETS = {
    "a": "(a) position < frozen features < image head",
    "b": "(b) in the paper's form the video head adds to the image head, more than controls",
    "c": "(c) video adds more than augmented frames without time",
    "room": "room for (c): true identities add more than augmented frames",
    "d": "(d) correspondence adds to the image head, more than an untrained second head",
    "e": "(e) it is learnt on all levels that are read, and at the size of the frames that are tracked",
    "f": "(f) in the paper's form tracklets add more than correspondence",
    "g": "(g) the image head does without the maximum-entropy term, and the video head still adds to it",
}


@dataclass(frozen=True)
class Difference:
    """Difference in IDF1 of two methods over all videos of their common seeds.

    Attributes:
        value: IDF1 of the first minus that of the second, as a fraction.
        low, high: 95 % interval of ``value``, by a paired bootstrap of videos.
        seeds: Number of common seeds.
    """

    value: float
    low: float
    high: float
    seeds: int


def difference(results: Results, better: Key, worse: Key) -> Difference | None:
    """Difference in IDF1 of two rows; None where they have no video in common."""
    ours, theirs = results.counts.get(better, {}), results.counts.get(worse, {})
    units = sorted(set(ours) & set(theirs))
    if not units:
        return None
    a, b = (np.stack([counts[unit] for unit in units]) for counts in (ours, theirs))
    low, high = paired_bootstrap(
        lambda weights: {"IDF1": _idf1(weights @ a)},
        lambda weights: {"IDF1": _idf1(weights @ b)},
        len(units),
        num_samples=NUM_SAMPLES,
    )["IDF1"]
    value = _idf1(a.sum(axis=0)) - _idf1(b.sum(axis=0))
    return Difference(value, low, high, len({seed for seed, _ in units}))


def format_results(results: Results) -> str:
    """Markdown table of each frame skip, and the claims."""
    skips = sorted({skip for _, _, skip in results.scores})
    seeds = sorted({seed for by_seed in results.scores.values() for seed in by_seed})
    measured = {(method, form) for method, form, _ in results.scores}
    known = [(row.method, row.form) for row in ROWS]
    rows = [row for row in known if row in measured] + sorted(measured - set(known))
    parts = [
        f"Means and standard deviations over {len(seeds)} seed(s) (of data, detector and heads), in %; the difference "
        f"to `{REFERENCE}` of the same form is over all videos, its interval a paired bootstrap by video. Detections "
        "are the same in all rows, video AP takes all categories as one. CPU seconds are those of the row's heads, of "
        "tuning and of measuring."
    ]
    for skip in skips:
        lines = [_row(results, method, form, skip) for method, form in rows]
        parts.append(f"### Every {skip}th frame\n\n{_markdown(_HEADERS, [line for line in lines if line])}")
    if skips:
        claims = "\n".join(_claim(results, comparison, skips[-1]) for comparison in COMPARISONS)
        parts.append(f"### Claims, at every {skips[-1]}th frame\n\n{claims}")
    return "\n\n".join(parts) + "\n"


def write_table(folder: Path) -> None:
    """Write ``ablation.md`` from the results beside it, and insert it between the markers of ``../README.md``."""
    text = format_results(read_results(folder))
    (folder / TABLE_FILE).write_text(text, encoding="utf-8")
    show_in_readme(folder.parent / "README.md", "ablation", text)


def _row(results: Results, method: str, form: str, skip: int) -> list[str]:
    by_seed = results.scores.get((method, form, skip))
    if by_seed is None:
        return []
    values = {name: np.array([scores[name] for scores in by_seed.values()]) for name in SCORES}
    against = None
    if method != REFERENCE:
        against = difference(results, (method, form, skip), (REFERENCE, form, skip))
    return [
        method,
        form,
        percent(values["video_ap"]),
        percent(values["idf1"]),
        f"{100 * against.value:+.2f}" if against else "",
        _interval(against) if against else "",
        percent(values["assa"]),
        f"{values['id_switches'].mean():.0f}",
        f"{values['seconds'].mean():.0f}",
    ]


def _claim(results: Results, claim: Comparison, skip: int) -> str:
    found = difference(results, (claim.better, claim.form, skip), (claim.worse, claim.form, skip))
    text = f"- {_TARGETS[claim.target]}: `{claim.better}` > `{claim.worse}` ({claim.form})"
    if found is None:
        return f"{text}: not measured"
    verdict = "holds" if found.low > 0 else "does not hold"
    return f"{text}: **{verdict}**, {100 * found.value:+.2f} {_interval(found)}, {found.seeds} seed(s)"


def _idf1(counts: np.ndarray) -> float:
    return ASSOCIATION_METRICS["identity"].scores(counts)["IDF1"]


def _interval(of: Difference) -> str:
    return f"[{100 * of.low:+.2f}, {100 * of.high:+.2f}]"


def _markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", "---", *["---:"] * (len(headers) - 2)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headers, rule, *rows))
