"""Comparison of calibrated and tuned thresholds: true objects of detections, differences, and the table."""

import csv

import numpy as np
import pytest

from experiments.calibration.clips import true_labels
from experiments.calibration.compare import RESULTS_FILE, format_table, idf1_and_difference, write_results
from ictrack.evaluation.metrics import TrackedSequence

ROW = {
    "task": "masks", "every": 4, "head": "image", "thresholds": "calibrated", "tracker": "EmbeddingTracker",
    "min_score": 0.29, "new_object_cosine": 0.55, "scale": 13.3, "IDF1": 48.031, "minus_tuned": -0.114, "low": -1.877,
    "high": 1.521, "gap": 4,
    "accuracy": 99.671, "accuracy_low": 95.424, "accuracy_high": 99.977, "true_accuracy": 96.722,
}  # fmt: skip


def test_a_detection_is_the_object_that_it_covers_best():
    """Two detections of object 5, of which the better counts, one of object 7, and one of nothing."""
    similarity = np.array([[0.6, 0.8, 0.0, 0.1], [0.0, 0.3, 0.7, 0.4]])
    ids = np.arange(4)
    sequence = TrackedSequence(
        [np.array([0, 1]), np.zeros(0, int)], [ids, ids[:1]], [similarity, np.zeros((0, 1))], 2, 4
    )
    assert [label.tolist() for label in true_labels(sequence)] == [[-1, 0, 1, -1], [-1]]


def test_idf1_and_its_difference_to_the_tuned():
    """IDTP, IDFN and IDFP of two clips: 2 x 6 / (2 x 6 + 2 + 2) is 75 %, the tuned 2 x 4 / (2 x 4 + 4 + 4) is 50 %."""
    counts, tuned = np.array([[3, 1, 1], [3, 1, 1]]), np.array([[2, 2, 2], [2, 2, 2]])
    scores = idf1_and_difference(counts, tuned)
    assert scores == pytest.approx({"IDF1": 75, "minus_tuned": 25, "low": 25, "high": 25})


def test_results_of_another_task_are_kept_and_shown(tmp_path):
    (tmp_path / "README.md").write_text("<!-- calibration table: begin -->\n<!-- calibration table: end -->\n")
    write_results(tmp_path / "results", [{**ROW, "IDF1": 1.0}])
    write_results(tmp_path / "results", [{**ROW, "task": "pose"}])
    write_results(tmp_path / "results", [ROW])
    path = tmp_path / "results" / RESULTS_FILE
    assert [(row["task"], row["IDF1"]) for row in csv.DictReader(path.open())] == [
        ("masks", "48.03"),
        ("pose", "48.03"),
    ]
    assert format_table(path) in (tmp_path / "README.md").read_text()


def test_the_table_has_what_was_measured(tmp_path):
    own = {key: value for key, value in ROW.items() if "accuracy" not in key and key != "gap"}
    write_results(tmp_path, [{**own, "thresholds": "tuned on labeled clips"}, ROW])
    tuned, calibrated = format_table(tmp_path / RESULTS_FILE).splitlines()[2:]
    assert tuned == "| masks | 4 | image | tuned on labeled clips | 0.29 | 0.55 | 13.30 | 48.03 |  |  |  |  |"
    assert calibrated.endswith("| 48.03 | -0.11 | [-1.88, 1.52] | 99.67 [95.42, 99.98] at 4 | 96.72 |")
