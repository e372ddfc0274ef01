"""Natural order of file names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ictrack.structures.natural_order import natural_key


@pytest.mark.parametrize(
    "names",
    [
        ["2.jpg", "10.jpg", "a.jpg"],
        ["0.jpg", "1.jpg", "002.jpg", "3.jpg"],
        ["a/9/2.png", "a/10/1.png", "b.png"],
        ["x" + "9" * 4999, "x1" + "0" * 4999],
    ],
)
def test_numbers_go_by_their_values(names):
    keys = list(map(natural_key, names))
    assert all(before < after for before, after in zip(keys, keys[1:]))


@given(st.lists(st.integers(0, 10**30)))
def test_whole_numbers(numbers):
    assert sorted(numbers, key=lambda number: natural_key(f"{number}.jpg")) == sorted(numbers)
