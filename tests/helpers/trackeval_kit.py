"""Scores of the official kit, TrackEval, on files in a folder."""

from __future__ import annotations

from typing import Any

import numpy as np
import trackeval

METRICS = {
    "hota": trackeval.metrics.HOTA(),
    "clear": trackeval.metrics.CLEAR({"PRINT_CONFIG": False}),
    "identity": trackeval.metrics.Identity({"PRINT_CONFIG": False}),
}


def official_scores(dataset: Any, tracker: str) -> dict[str, dict[str, Any]]:
    """``{"sequences": {name: {metric: scores}}, "combined": {metric: scores}}`` of each class, and by class name."""
    _, sequences, classes = dataset.get_eval_info()
    raw = {name: dataset.get_raw_seq_data(tracker, name) for name in sequences}
    result: dict[str, dict[str, Any]] = {}
    for cls in classes:
        each = {}
        for name in sequences:
            data = dataset.get_preprocessed_seq_data(raw[name], cls)
            each[name] = {key: metric.eval_sequence(data) for key, metric in METRICS.items()}
        combined = {
            key: metric.combine_sequences({name: one[key] for name, one in each.items()})
            for key, metric in METRICS.items()
        }
        result[cls] = {"sequences": each, "combined": combined}
    return result


def assert_scores_equal(ours: dict[str, Any], official: dict[str, Any], what: object = "") -> None:
    """Every score of ours that the kit has is the kit's, to 1e-9; the kit has no score that we lack."""
    for metric, scores in ours.items():
        for key, value in scores.items():
            if key in official[metric]:
                assert abs(value - float(np.mean(official[metric][key]))) < 1e-9, (what, metric, key)
        missing = {key for key, value in official[metric].items() if np.isscalar(value)} - set(scores) - {"MOTP_sum"}
        assert not missing, (what, missing)


def assert_report_equal(ours: dict[str, Any], official: dict[str, Any]) -> None:
    """Sequences and their combination in a report, and in :func:`official_scores` of a class."""
    assert set(ours["sequences"]) == set(official["sequences"])
    for name, scores in ours["sequences"].items():
        assert_scores_equal(scores, official["sequences"][name], name)
    assert_scores_equal(ours["combined"], official["combined"], "combined")
