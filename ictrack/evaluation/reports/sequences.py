"""Association metrics over the sequences of a data set: counted by processes, as plain data, and as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import numpy as np

from ..metrics.association.clear_mot import CLEAR_COUNTS
from ..metrics.association.counts import AssociationCounts, count_sequence
from ..metrics.association.tracked_sequence import TrackedSequence
from .association import SHOWN_RATIOS
from .intervals import report_intervals
from .tables import Interval, format_count, format_percent, format_table

METRICS = tuple(SHOWN_RATIOS)
# Columns of the table: header, metric, score, and whether it is a count.
_COLUMNS = (
    ("HOTA", "hota", "HOTA", False), ("DetA", "hota", "DetA", False), ("AssA", "hota", "AssA", False),
    ("LocA", "hota", "LocA", False), ("MOTA", "clear", "MOTA", False), ("MOTP", "clear", "MOTP", False),
    ("Rcll", "clear", "CLR_Re", False), ("Prcn", "clear", "CLR_Pr", False), ("FP", "clear", "CLR_FP", True),
    ("FN", "clear", "CLR_FN", True), ("IDSW", "clear", "IDSW", True), ("Frag", "clear", "Frag", True),
    ("MT", "clear", "MT", True), ("PT", "clear", "PT", True), ("ML", "clear", "ML", True),
    ("IDF1", "identity", "IDF1", False), ("IDP", "identity", "IDP", False), ("IDR", "identity", "IDR", False),
)  # fmt: skip
_COMBINED = "COMBINED"
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@contextmanager
def shared_map(workers: int) -> Iterator[Callable[[Callable[[_Item], _Result], Iterable[_Item]], Iterator[_Result]]]:
    """Function like ``map`` that spreads its calls over ``workers`` processes; 1: this one."""
    if workers <= 1:
        yield map
        return
    with ProcessPoolExecutor(workers) as pool:
        yield pool.map


def count_all(
    make: Callable[[_Item], TrackedSequence], items: Sequence[_Item], metrics: Sequence[str], workers: int
) -> AssociationCounts:
    """Counts of the sequences that ``make`` gives for ``items``, in their order."""
    counts = AssociationCounts(len(items), metrics)
    with shared_map(workers) as each:
        for position, rows in enumerate(each(partial(_count, make=make, metrics=metrics), items)):
            counts.add(position, rows)
    return counts


def _count(item: Any, make: Callable[[Any], TrackedSequence], metrics: Sequence[str]) -> dict[str, np.ndarray]:
    return count_sequence(make(item), metrics)


def scores_of(names: Sequence[str], counts: AssociationCounts) -> dict[str, Any]:
    """Scores as fractions, and counts, under TrackEval's names: ``{"sequences": {name: {metric: {...}}}, "combined":
    {metric: {...}}}``; the combined ones are of the sums of the sequences' counts."""
    each = np.eye(len(names))
    return {
        "sequences": {name: _of_sequence(counts.scores(each[i])) for i, name in enumerate(names)},
        "combined": counts.scores(),
    }


def _of_sequence(scores: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Scores of one sequence. Without ground truth or detections, TrackEval sets CLEAR's ratios by hand: MLR to 1, the
    others, which would be meaningless, to 0."""
    clear = scores.get("clear", {"CLR_Frames": 1.0})
    if clear["CLR_Frames"] == 0:
        scores["clear"] = {**dict.fromkeys(clear, 0.0), **{key: clear[key] for key in CLEAR_COUNTS}, "MLR": 1.0}
    return scores


def intervals_of(counts: AssociationCounts, num_sequences: int, bootstrap: int, seed: int) -> dict[str, Any]:
    """ "intervals" of the combined scores, see :func:`report_intervals`."""
    return report_intervals(counts.resample, num_sequences, "sequence", bootstrap, seed)


def sequence_table(scores: Mapping[str, Any], intervals: Mapping[str, Interval], labels: Mapping[str, str]) -> str:
    """Table with a row a sequence and one of all, which has the intervals; ``labels`` rename columns."""
    columns = [column for column in _COLUMNS if column[1] in scores["combined"]]

    def row(name: str, of: Mapping[str, Any], bounds: Mapping[str, Interval]) -> list[str]:
        cells = (
            format_count(of[metric][key])
            if is_count
            else format_percent(of[metric][key], bounds.get(f"{metric}.{key}"))
            for _, metric, key, is_count in columns
        )
        return [name, *cells]

    rows = [row(name, one, {}) for name, one in scores["sequences"].items()]
    headers = ["%, counts", *(labels.get(header, header) for header, *_ in columns)]
    return format_table(headers, [*rows, row(_COMBINED, scores["combined"], intervals)])
