from ictrack.evaluation.reports.association import association_rows


def test_rows_with_intervals_and_averages():
    identity = {"IDF1": 0.5, "IDP": 0.25, "IDR": 1.0}
    report = {
        "identity": {**identity, "class_averaged": dict.fromkeys(identity, 0.125)},
        "intervals": {"identity.IDF1": [0.25, 0.75]},
    }
    assert association_rows(report) == [
        ["IDF1", "50.00 [25.00, 75.00]", "12.50"],
        ["IDP", "25.00", "12.50"],
        ["IDR", "100.00", "12.50"],
    ]
    assert association_rows({"intervals": {}}) == []
