from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as mask_util

from ictrack.structures.rle import RLEError, decode_runs, encode_mask, encode_runs, remove_empty_runs

MASKS = arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40)))


def coco(mask):
    rle = mask_util.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": rle["size"], "counts": rle["counts"].decode()}


def runs_of(runs, i):
    return runs.counts[runs.offsets[i] : runs.offsets[i + 1]].tolist()


@settings(max_examples=150, deadline=None)
@given(MASKS)
def test_encode_mask_gives_pycocotools_bytes(mask):
    assert encode_mask(mask) == coco(mask)


@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (7, 1), (1, 9), (720, 1280)])
def test_encode_mask_of_uniform_masks(shape, value):
    mask = np.full(shape, value)
    assert encode_mask(mask) == coco(mask)


def test_encode_mask_joins_runs_across_columns():
    mask = np.zeros((6, 8), dtype=bool)
    mask[:, 2:5] = True  # columns full from top to bottom: one run
    rle = encode_mask(mask)
    assert rle == coco(mask)
    assert runs_of(decode_runs([rle]), 0) == [12, 18, 18]


def test_encode_mask_takes_integers_and_refuses_other_shapes():
    mask = np.eye(5, dtype=np.uint8)
    assert encode_mask(mask) == coco(mask)
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        encode_mask(np.zeros((1, 5, 5), dtype=bool))


@settings(max_examples=100, deadline=None)
@given(st.lists(MASKS, min_size=1, max_size=5), st.data())
def test_decode_encode_round_trip_in_all_forms(masks, data):
    rles = [coco(mask) for mask in masks]
    strings = decode_runs(rles)
    assert [text.decode() for text in encode_runs(strings.counts, np.diff(strings.offsets))] == [
        rle["counts"] for rle in rles
    ]
    assert strings.areas().tolist() == [int(mask.sum()) for mask in masks]
    mixed = []
    for i, rle in enumerate(rles):
        numbers = runs_of(strings, i)
        forms = {"str": rle["counts"], "bytes": rle["counts"].encode(), "list": numbers, "array": array("i", numbers)}
        counts = forms[data.draw(st.sampled_from(list(forms)))]
        mixed.append({"size": rle["size"], "counts": counts})
    decoded = decode_runs(mixed)
    np.testing.assert_array_equal(decoded.counts, strings.counts)
    np.testing.assert_array_equal(decoded.offsets, strings.offsets)


def test_large_counts():
    height, width = 2**14, 2**15 - 1
    counts = np.array([0, 2**28, 5, 2**27, 2**20, 1], dtype=np.int64)
    counts[4] += height * width - counts.sum()
    (text,) = encode_runs(counts, np.array([len(counts)]))
    assert mask_util.area({"size": [height, width], "counts": text}) == counts[1::2].sum()
    assert runs_of(decode_runs([{"size": [height, width], "counts": text}]), 0) == counts.tolist()


GOOD = {"size": [4, 5], "counts": [3, 4, 13]}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"size": [60, 80], "counts": "garbage!!"}, "character"),
        ({"size": [60, 80], "counts": "PPPP0000"}, "add up"),
        ({"size": [60, 80], "counts": "ooooooooooooooooooooooo0"}, "too large"),
        ({"size": [60, 80], "counts": "P"}, "middle of a number"),
        ({"size": [60, 80], "counts": "äö"}, "character"),
        ({"size": [60, 80], "counts": ""}, "add up"),
        ({"size": [4, 5], "counts": [3, -4, 21]}, "add up"),
        ({"size": [4, 5], "counts": [3, 4, 12]}, "add up"),
        ({"size": [4, 5], "counts": [3, 4.5, 12.5]}, "integers"),
        ({"size": [4, 5], "counts": [True, 19]}, "integers"),
        ({"size": [4, 5], "counts": array("d", [3, 17])}, "integers"),
        ({"size": [4, 5], "counts": array("i", [3, 18])}, "add up"),
        ({"size": [4, 5], "counts": array("i", [3, -1, 18])}, "add up"),
        ({"size": [4, 5], "counts": array("i", [2**30, 20 - 2**30])}, "too large"),
        ({"size": [4, 5], "counts": [[3], [17]]}, "flat"),
        ({"size": [4, 5], "counts": [3, [17, 1]]}, "flat"),
        ({"size": [4, 5], "counts": [2**70, 1]}, "too large"),
        ({"size": [4, 5], "counts": None}, "counts must be"),
        ({"size": [4], "counts": [20]}, "size"),
        ({"size": [4, -5], "counts": [20]}, "size"),
        ({"size": [4.0, 5], "counts": [20]}, "size"),
        ({"size": [2**20, 2**20], "counts": [2**40]}, "more pixels"),
        ({"counts": [20]}, "size"),
        ([1, 2, 3, 4, 5, 6], "object"),
    ],
)
def test_bad_encodings_are_refused(bad, reason):
    with pytest.raises(RLEError, match=reason) as caught:
        decode_runs([GOOD, bad, GOOD])
    assert caught.value.index == 1


def test_a_bad_string_among_lists_is_located():
    with pytest.raises(RLEError) as caught:
        decode_runs([GOOD, {"size": [4, 5], "counts": "d0"}, GOOD, {"size": [4, 5], "counts": "~"}])
    assert caught.value.index == 3


def test_remove_empty_runs():
    assert remove_empty_runs(np.array([1, 3, 3, 5, 5, 5, 9])).tolist() == [1, 5, 9]
    assert remove_empty_runs(np.array([2, 2])).tolist() == []
    assert remove_empty_runs(np.array([], dtype=np.int64)).tolist() == []


@settings(max_examples=100, deadline=None)
@given(st.lists(MASKS, min_size=1, max_size=5))
def test_columns_and_areas_are_those_of_the_masks(masks):
    runs = decode_runs([coco(mask) for mask in masks])
    for mask, area, limits in zip(masks, runs.areas(), runs.columns()):
        columns = np.flatnonzero(mask.any(axis=0))
        assert area == mask.sum()
        assert limits.tolist() == ([columns[0], columns[-1]] if len(columns) else [0, -1])


@settings(max_examples=100, deadline=None)
@given(st.lists(MASKS, min_size=1, max_size=5))
def test_boxes_are_those_of_the_masks(masks):
    boxes = decode_runs([coco(mask) for mask in masks]).boxes()
    for mask, box in zip(masks, boxes.tolist()):
        rows, columns = np.nonzero(mask)
        assert box == ([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if len(rows) else [0] * 4)


def test_boxes_with_empty_runs():
    counts = [[5, 0, 1, 3, 0, 1, 0, 0, 2], [12], [0, 12], [0, 0, 12], [11, 1]]
    boxes = decode_runs([{"size": [3, 4], "counts": one} for one in counts]).boxes()
    assert boxes.tolist() == [[2, 0, 4, 3], [0] * 4, [0, 0, 4, 3], [0] * 4, [3, 2, 4, 3]]
    assert decode_runs([]).boxes().shape == (0, 4)


def test_blocks_of_strings_are_parsed_as_one(monkeypatch):
    rng = np.random.default_rng(0)
    rles = [coco(rng.random((9, 9)) < 0.5) for _ in range(30)]
    expected = decode_runs(rles)
    monkeypatch.setattr("ictrack.structures.rle._BLOCK_LENGTH", 100)
    runs = decode_runs(rles)
    np.testing.assert_array_equal(runs.counts, expected.counts)
    np.testing.assert_array_equal(runs.offsets, expected.offsets)
    rles[23] = {"size": [9, 9], "counts": "oo0 "}
    with pytest.raises(RLEError) as error:
        decode_runs(rles)
    assert error.value.index == 23


def test_sums_do_not_wrap_around():
    # As 32-bit numbers, the runs would add up to the 16 pixels.
    counts = [2**28] * 15 + [2**28 + 16]
    with pytest.raises(RLEError, match="do not add up"):
        decode_runs([{"size": [4, 4], "counts": counts}])


@pytest.mark.parametrize("size", [[4.0, 4], [True, 16]])
def test_sizes_that_only_equal_integers_are_refused(size):
    good = {"size": [4, 4], "counts": [16]}
    with pytest.raises(RLEError, match="size must be") as error:
        decode_runs([good, {"size": size, "counts": [16]}])
    assert error.value.index == 1


@pytest.mark.parametrize("groups", [3, 4, 5, 6])
def test_numbers_of_many_groups_at_the_ends_of_strings(groups):
    # The one string ends with a number of many groups, the next begins with one.
    height, width = 2**14, 2**15 - 1
    large = 2 ** (5 * groups - 2) + 3
    counts = [[height * width - large, large], [large, height * width - large], [0, 1, 2, height * width - 3]]
    texts = encode_runs(np.concatenate(counts), np.array([2, 2, 4]))
    runs = decode_runs([{"size": [height, width], "counts": text} for text in texts])
    assert [runs_of(runs, i) for i in range(3)] == counts
