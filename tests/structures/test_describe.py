import sys

from ictrack.structures.describe import describe


def test_values_take_one_short_printable_line():
    assert describe(5) == "5" and describe("a'b") == '"a\'b"' and describe([1, None]) == "[1, None]"
    assert describe(float("nan")) == "nan" and describe({"a": 1.5}) == "{'a': 1.5}"
    deep = []
    for _ in range(sys.getrecursionlimit()):
        deep = [deep]
    for value in (
        "x" * 10**6,
        "\n\0\ud800",
        10**4000,
        deep,
        [["abcdefgh" * 9] * 9] * 9,
        {str(i): "y" * 99 for i in range(99)},
    ):
        text = describe(value)
        assert len(text) <= 80 and text.isprintable()
