import json
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ictrack.structures.json_files import AnnotationError, read_json
from ictrack.structures.json_runs import load_with_packed_runs

RUNS = st.lists(st.integers(0, 10**9 - 1), min_size=1, max_size=8)


def document(lists):
    masks = [{"size": [4, 5], "counts": counts} for counts in lists]
    return {"videos": [{"id": 1, "file_names": ["ä/0.jpg"]}], "annotations": [{"segmentations": [None, *masks]}]}


@given(st.lists(RUNS, min_size=1, max_size=5), st.sampled_from([(", ", ": "), (",", ":")]), st.booleans())
def test_lists_of_runs_become_arrays_and_all_else_is_as_it_was(lists, separators, ascii_only):
    text = json.dumps(document(lists), separators=separators, ensure_ascii=ascii_only)
    content = load_with_packed_runs(text.encode())
    for mask in content["annotations"][0]["segmentations"][1:]:
        assert type(mask["counts"]) is array
        assert mask["counts"].typecode == "i"
        mask["counts"] = mask["counts"].tolist()
    assert content == document(lists)


def test_blocks_of_lists_are_decoded_as_one(monkeypatch):
    monkeypatch.setattr("ictrack.structures.json_runs._BLOCK_BYTES", 10)
    lists = [[1234567, 0, 9], [12], [7, 80, 900, 1000] * 5, [0], [99999]]
    content = load_with_packed_runs(json.dumps(document(lists)).encode())
    assert [mask["counts"].tolist() for mask in content["annotations"][0]["segmentations"][1:]] == lists


@pytest.mark.parametrize(
    "written",
    ["[]", "[-1, 2]", "[1.5]", "[1e3]", "[true]", "[null]", '["1"]', "[[1], 2]", "[01]", "[1, 00]", "[1 2]", "[1,, 2]",
     "[, 1]", "[1,]", "[1, 2 ]", "[1,\n2]", "[1234567890]", "[1, 2", "[1;2]", "[12:3]", '{"a": [1]}', "[1]]"],
)  # fmt: skip
def test_other_lists_are_left_to_the_usual_parser(written):
    text = f'{{"first": {{"counts": [1, 2]}}, "second": {{"counts": {written}}}}}'
    content = load_with_packed_runs(text.encode())
    if content is not None:  # what holds no list of its own may be read
        assert content["second"] == json.loads(text)["second"]
        assert written.startswith("{")


@pytest.mark.parametrize(
    "text",
    [
        '{"size": [1, 2]}',
        r'{"a": {"my\"counts": [3, 4]}}',
        '{"counts": [1], "counts": [2]}',
        '{"counts": [1], "name": "run lengths 0"}',
        '{"counts": [1], "name": "\xff"}',
        '{"counts": [1]',
        "[" * 100000 + '{"counts": [1]}',
    ],
)
def test_what_only_looks_like_it_is_left_to_the_usual_parser(text):
    assert load_with_packed_runs(text.encode("latin-1")) is None


def test_a_string_that_looks_like_a_list_stays_a_string():
    text = json.dumps({"a": '"counts": [1, 2]', "counts": "run", "b": {"counts": [3]}})
    content = load_with_packed_runs(text.encode())
    content["b"]["counts"] = content["b"]["counts"].tolist()
    assert content == json.loads(text)


def test_errors_are_located_in_the_file_itself(tmp_path):
    path = tmp_path / "gt.json"
    path.write_text('{"a": {"counts": [1, 2, 3]},\n "b": {"counts": [1, 2, 3]}, x}')
    for pack_runs in (False, True):
        with pytest.raises(AnnotationError, match="line 2 column 30"):
            read_json(path, pack_runs=pack_runs)
    path.write_text('{"counts": [1, true]}')
    assert read_json(path, pack_runs=True) == {"counts": [1, True]}
