import pytest

from ictrack.structures.categories import class_name


@pytest.mark.parametrize(
    ("names", "index", "expected"),
    [(["only"], 0, "only"), (["only"], 2, "class 2"), ([], 0, "class 0"), (None, 1, "class 1")],
)
def test_a_class_without_a_name_has_its_number(names, index, expected):
    assert class_name(names, index) == expected
