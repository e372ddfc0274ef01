import pytest

from ictrack.structures.categories import class_indices, class_name


@pytest.mark.parametrize(
    ("names", "index", "expected"),
    [(["only"], 0, "only"), (["only"], 2, "class 2"), ([], 0, "class 0"), (None, 1, "class 1")],
)
def test_a_class_without_a_name_has_its_number(names, index, expected):
    assert class_name(names, index) == expected


def test_classes_by_name():
    assert class_indices(["Traffic_Light", "dog"], ["dog", "cat", "traffic light"]) == [2, 0]
    with pytest.raises(ValueError, match="no class 'dgo'; did you mean 'dog'"):
        class_indices(["dgo"], ["dog", "cat"])
    with pytest.raises(ValueError, match="no class 'zzz'; its classes are dog, cat"):
        class_indices(["zzz"], ["dog", "cat"])
    with pytest.raises(ValueError, match="its classes are unknown"):
        class_indices(["dog"], None)
