import json
import math

import numpy as np
import pytest

from ictrack.evaluation.reports.tables import are_equal, format_count, format_percent, format_table, to_json, write_json


def test_columns_are_aligned_and_rows_may_be_short():
    table = format_table(["%", "all", "mean"], [["HOTA", "12.50", "-"], ["id switches", "3"]])
    assert table.splitlines() == [
        "%              all  mean",
        "-----------  -----  ----",
        "HOTA         12.50     -",
        "id switches      3",
    ]


def test_a_table_without_rows_is_its_headers():
    assert format_table(["a", "bc"], []).splitlines() == ["a  bc", "-  --"]


def test_percent():
    assert format_percent(0.12345) == "12.35"
    assert format_percent(math.nan) == "-"
    assert format_percent(-1.0) == "-100.00"
    assert format_percent(0.5, (0.25, 0.625)) == "50.00 [25.00, 62.50]"
    assert format_percent(0.5, (math.nan, 0.625)) == "50.00 [-, 62.50]"


def test_counts():
    assert format_count(12.0) == "12"
    assert format_count(np.float64(0.5)) == "0.50"


def test_json_is_strict(tmp_path):
    value = {"a": math.nan, 2: [np.float64("nan"), np.float64(0.1)], "c": np.array([1, 2]), "d": (None, True, "x")}
    write_json(value, tmp_path / "out.json")

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    assert json.loads((tmp_path / "out.json").read_text(), parse_constant=refuse) == {
        "a": None,
        "2": [None, 0.1],
        "c": [1, 2],
        "d": [None, True, "x"],
    }
    assert to_json(0.1 + 0.2) == 0.1 + 0.2
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json({"a": math.inf}, tmp_path / "out.json")


def test_parts_of_reports_are_equal_where_both_measure_nothing():
    one = {"AP": 0.5, "per_category": {"cat": [math.nan, 1.0]}}
    assert are_equal(one, {"AP": 0.5, "per_category": {"cat": [float("nan"), 1.0]}})
    assert not are_equal(one, {"AP": 0.5, "per_category": {"cat": [0.0, 1.0]}})
    assert not are_equal(one, {"AP": 0.5})
