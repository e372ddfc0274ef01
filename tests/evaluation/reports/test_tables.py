import json
import math

import numpy as np

from ictrack.evaluation.reports.tables import format_count, format_percent, format_table, to_json, write_json


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
    assert format_percent(-1.0) == format_percent(math.nan) == "-"
    assert format_percent(-1.0, undefined=None) == "-100.00"
    assert format_percent(43.21, scale=1) == "43.21"
    assert format_percent(0.5, (0.25, 0.625)) == "50.00 [25.00, 62.50]"
    assert format_percent(0.5, (math.nan, 0.625)) == "50.00 [-, 62.50]"


def test_counts():
    assert format_count(12.0) == "12"
    assert format_count(np.float64(0.5)) == "0.50"


def test_json_is_strict(tmp_path):
    value = {"a": math.nan, 2: [math.inf, -math.inf, np.float64(0.1)], "c": np.array([1, 2]), "d": (None, True, "x")}
    write_json(value, tmp_path / "out.json")

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    assert json.loads((tmp_path / "out.json").read_text(), parse_constant=refuse) == {
        "a": "nan",
        "2": ["inf", "-inf", 0.1],
        "c": [1, 2],
        "d": [None, True, "x"],
    }
    assert to_json(0.1 + 0.2) == 0.1 + 0.2
