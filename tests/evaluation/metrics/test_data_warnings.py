from ictrack.evaluation.metrics.data_warnings import DataWarnings


def test_cases_are_counted_and_the_first_told():
    warnings, more = DataWarnings(), DataWarnings()
    warnings.add("too long", "a")
    for place in "bcde":
        more.add("too long", place)
    more.add("too short", "f")
    warnings.update(more)
    assert warnings.lines() == ["a, b, c and 2 more: too long", "f: too short"]
