"""The table of hand-made counts."""

import numpy as np
import pytest

from experiments.ablation.results import COUNTS_FILE, RESULTS_FILE, ResultsError, read_results, write_results
from experiments.ablation.table import TABLE_FILE, difference, format_results, write_table


def row(method: str, seed: int, counts: list[list[float]], idf1: float, form: str = "paper") -> dict:
    scores = {"video_ap": 0.25, "idf1": idf1, "assa": 0.5, "id_switches": 7.0, "seconds": 1.25}
    return {"method": method, "form": form, "seed": seed, "scores": [{"frame_skip": 16, **scores, "counts": counts}]}


# IDTP, IDFN, IDFP of two videos. All of `ic`: 20 / 40 = 0.5; of `ic+video`: 30 / 40.
ROWS = [
    row("ic", 1, [[5, 5, 5], [5, 5, 5]], 0.5),
    row("ic", 2, [[5, 5, 5], [5, 5, 5]], 0.4),
    row("ic+video", 1, [[8, 2, 2], [8, 2, 2]], 0.8),
    row("ic+video", 2, [[7, 3, 3], [7, 3, 3]], 0.7),
]


@pytest.fixture
def folder(tmp_path):
    write_results(tmp_path / "results", ROWS)
    return tmp_path / "results"


def test_what_is_written_is_read(folder):
    results = read_results(folder)
    assert results.scores["ic", "paper", 16][2] == {
        "video_ap": 0.25, "idf1": 0.4, "assa": 0.5, "id_switches": 7.0, "seconds": pytest.approx(1.25, abs=0.06)
    }  # fmt: skip
    assert results.counts["ic+video", "paper", 16][2, 1].tolist() == [7, 3, 3]
    header = (folder / RESULTS_FILE).read_text().splitlines()[0]
    assert header == "method,form,seed,frame_skip,video_ap,idf1,assa,id_switches,seconds"


def test_the_same_results_are_the_same_bytes(folder):
    before = (folder / COUNTS_FILE).read_bytes()
    write_results(folder, ROWS)
    assert (folder / COUNTS_FILE).read_bytes() == before


def test_difference_over_all_videos(folder):
    results = read_results(folder)
    found = difference(results, ("ic+video", "paper", 16), ("ic", "paper", 16))
    assert found.value == pytest.approx(0.25)
    # A draw may hold videos of one seed alone: 0.7 - 0.5, or 0.8 - 0.5.
    assert (found.low, found.high) == (pytest.approx(0.2), pytest.approx(0.3))
    assert found.seeds == 2
    assert difference(results, ("ic", "paper", 16), ("oracle", "paper", 16)) is None


def test_only_common_seeds_are_compared(tmp_path):
    write_results(tmp_path, ROWS[1:])
    found = difference(read_results(tmp_path), ("ic+video", "paper", 16), ("ic", "paper", 16))
    assert found.value == pytest.approx(0.2)
    assert found.seeds == 1


def test_the_table_says_what_holds(folder):
    text = format_results(read_results(folder))
    # Mean of 0.8 and 0.7 and their deviation, 0.05 * sqrt(2).
    assert "| ic+video | paper | 25.00 ± 0.00 | 75.00 ± 7.07 | +25.00 |" in text
    assert "| ic | paper | 25.00 ± 0.00 | 45.00 ± 7.07 |  |  | 50.00 ± 0.00 | 7 | 1 |" in text
    assert "`ic+video` > `ic` (paper): **holds**, +25.00" in text
    assert "`ic+video` > `ic+ic` (paper): not measured" in text


def test_a_difference_within_chance_does_not_hold(tmp_path):
    better_in_one = row("ic+video", 1, [[8, 2, 2], [3, 7, 7]], 0.55)
    write_results(tmp_path, [row("ic", 1, [[5, 5, 5], [5, 5, 5]], 0.5), better_in_one])
    assert "`ic+video` > `ic` (paper): **does not hold**, +5.00" in format_results(read_results(tmp_path))


def test_the_readme_shows_the_table(folder):
    readme = folder.parent / "README.md"
    readme.write_text("before\n<!-- ablation table: begin -->\nold\n<!-- ablation table: end -->\nafter\n")
    write_table(folder)
    shown = readme.read_text()
    table = (folder / TABLE_FILE).read_text()
    assert shown == (f"before\n<!-- ablation table: begin -->\n\n{table}\n<!-- ablation table: end -->\nafter\n")
    write_table(folder)
    assert readme.read_text() == shown


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("idf1", "f1"), "the columns are"),
        (lambda text: text.replace("0.40000", "nan"), "line 3: idf1 is 'nan', not a number"),
        (lambda text: text + "ic,paper\n", "line 6: 2 values in 9 columns"),
        (lambda text: text + "ic,paper,9,16,0,0,0,0,0\n", r"no counts of ic \(paper\), frame skip 16, seeds \[9\]"),
        (lambda text: text.replace("ic,paper,1,", "ic,paper,1.5,"), "seed is '1.5', not a whole number"),
    ],
)
def test_a_malformed_file_is_named(folder, change, message):
    path = folder / RESULTS_FILE
    path.write_text(change(path.read_text()))
    with pytest.raises(ResultsError, match=message):
        read_results(folder)


def test_missing_and_truncated_files(folder, tmp_path):
    with pytest.raises(ResultsError, match="cannot be read"):
        read_results(tmp_path / "nowhere")
    path = folder / COUNTS_FILE
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(ResultsError, match=COUNTS_FILE):
        read_results(folder)


def test_counts_are_compact(tmp_path):
    """All rows of three seeds and 60 videos stay small."""
    rng = np.random.default_rng(0)
    rows = [row(f"m{i}", 1, rng.integers(0, 60, (60, 3)).tolist(), 0.5) for i in range(30)]
    write_results(tmp_path, rows)
    assert (tmp_path / COUNTS_FILE).stat().st_size * 9 < 300_000
