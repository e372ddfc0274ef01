"""README's table of look-alikes, by hand."""

import pytest

from experiments.identities.table import identities_table, whole_videos_table


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


def test_whole_videos():
    def value(method, seed, test, value, num_pairs):
        return {**row(method, seed, "1/1", test), "value": value, "num_pairs": num_pairs}

    estimates = ("estimate", "estimate_low", "estimate_high")
    rows = [
        *(value("full", seed, "reference", share, 100) for seed, share in ((0, 1.0), (1, 0.985))),
        *(value("full", seed, "passages", share, 8) for seed, share in ((0, 1.0), (1, 0.75))),
        *(value("full", seed, "switches", count, 8) for seed, count in ((0, 0.0), (1, 1.0))),
        *(value("full", 0, test, x, 100) for test, x in zip(estimates, (0.9, 0.8, 1.0))),
        value("idtrackerai", 0, "continuity", 0.9995, 120),
        value("idtrackerai", 0, "estimate", 0.9989, 130),
        row("tracklet", 0, "1/1"),
    ]  # fmt: skip
    ours, theirs = whole_videos_table(rows).splitlines()[2:]
    assert ours == "| fish | full | 100.0, 98.5 | 8 of 8, 6 of 8 | 0, 1 | 90.0 [80.0, 100.0] | 12 | 101 |"
    assert theirs == "| fish | idtrackerai | is the reference; 99.95 within tracklets |  |  | 99.89 | 12 | 100 |"
