"""README's table of look-alikes, by hand."""

import pytest

from experiments.identities.table import identities_table


def row(method, seed, by_cut, test="halves"):
    counts = [[int(x) for x in cut.split("/")] for cut in by_cut.split()]
    matched, pairs = (sum(x) for x in zip(*counts))
    return {
        "video": "fish", "method": method, "seed": seed, "test": test, "value": matched / pairs, "num_pairs": pairs,
        "by_cut": by_cut, "cpu_seconds": "12", "peak_mib": str(100 + seed),
    }  # fmt: skip


def test_shares_by_seed_and_the_difference_of_their_means():
    rows = [row("tracklet", 0, "4/4 2/4"), row("tracklet", 1, "4/4 4/4"), row("frozen", 0, "2/4 0/4")]
    lines = identities_table(rows).splitlines()[2:]
    assert lines[0] == "| fish | tracklet | halves, 8 | 0.750, 1.000 |  | 12 | 101 |"
    # Means are 7/8 and 2/8. The first cut alone gives 1 and 1/2, the second 3/4 and 0.
    assert lines[1] == "| fish | frozen | halves, 8 | 0.250 | -62.5 [-75.0, -50.0] | 12 | 100 |"


def test_equal_outcomes_have_no_width():
    rows = [row(method, 0, "3/4 1/4", test) for test in ("halves", "cut") for method in ("tracklet", "augmented")]
    lines = identities_table(rows).splitlines()[2:]
    assert [line.split("|")[3].strip() for line in lines] == 2 * ["halves, 8"] + 2 * ["50 frames hidden, 8"]
    assert lines[1].split("|")[5].strip() == "+0.0 [+0.0, +0.0]"


@pytest.mark.parametrize("rows", [[], [row("frozen", 0, "1/2")]])
def test_without_tracklets_there_is_nothing_to_compare_with(rows):
    assert len(identities_table(rows).splitlines()) == 2 + len(rows)
