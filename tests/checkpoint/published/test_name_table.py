import pytest
from hypothesis import given
from hypothesis import strategies as st

from ictrack.checkpoint.published.name_table import NameTable, NameTemplate


@pytest.mark.parametrize(
    ("template", "name", "values"),
    [
        ("layer{stage}.{block}.bn{conv}.{leaf}", "layer3.22.bn1.running_var", (3, 22, 1, "running_var")),
        ("tower.{3*conv}.weight", "tower.9.weight", (3,)),
        ("tower.{3*conv+1}.{leaf}", "tower.10.bias", (3, "bias")),
        ("res{stage+1}.{rest}", "res2.0.conv1.norm.weight", (1, "0.conv1.norm.weight")),
        ("fc.weight", "fc.weight", ()),
    ],
)
def test_values_are_read_and_written(template, name, values):
    read = NameTemplate(template).read(name)
    assert tuple(read.values()) == values
    assert NameTemplate(template).write(read) == name


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("tower.{3*conv}.weight", "tower.1.weight"),
        ("tower.{3*conv+1}.weight", "tower.0.weight"),
        ("res{stage+1}.{leaf}", "res0.x"),
        ("a.{leaf}", "a.b.c"),
        ("a.{level}", "a.b"),
        ("a.b", "axb"),
        ("a.{level}", "a.1\n"),
    ],
)
def test_other_names_are_not_read(template, name):
    assert NameTemplate(template).read(name) is None


@given(st.integers(0, 99), st.integers(1, 9), st.integers(0, 9))
def test_a_number_survives_both_directions(value, factor, offset):
    table = NameTable([(f"a.{{{factor}*n+{offset}}}.b", "c{n}")])
    published = f"a.{factor * value + offset}.b"
    assert table.ours(published) == f"c{value}"
    assert table.published(f"c{value}") == published


def test_the_first_row_that_fits_counts():
    table = NameTable([("a.0.{leaf}", "first.{leaf}"), ("a.{n}.{leaf}", "x.{n}.{leaf}")])
    assert [table.ours(name) for name in ("a.0.w", "a.1.w", "b")] == ["first.w", "x.1.w", None]
    assert [table.published(name) for name in ("first.w", "x.1.w", "b")] == ["a.0.w", "a.1.w", None]
