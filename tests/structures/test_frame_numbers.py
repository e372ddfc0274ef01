import pytest

from ictrack.structures.frame_numbers import Numbering, frame_indices


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["00005.jpg", "00010.jpg"], [5, 10]),
        (["walk/frame_000005.png", "walk/frame_000000.png"], [5, 0]),
        (["9f3a1c07-frame_00012.jpg", "00aa11bb-frame_00003.jpg"], [12, 3]),
        (["walk_mp4-0004_jpg.rf.0a1b2c3d4e5f6789.jpg", "walk_mp4-0002_jpg.rf.ff.jpg"], [4, 2]),
        ([r"C:\labels\frame.7.json"], [7]),
        (["street_12.txt"], [12]),
        ([], []),
    ],
)
def test_names_with_numbers_count_from_0(names, expected):
    assert frame_indices(names) == (expected, Numbering.NAMES)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["street_12.txt", "street_3.txt"], [11, 2]),
        (["clip1_10.txt"], [9]),
        (["frame_12.txt"], [12]),
        (["my_frame_12.txt"], [12]),
        (["frame_000005.txt"], [5]),
        (["street_000012.txt"], [12]),
        (["street_0.txt", "street_12.txt"], [0, 12]),
        (["12.txt"], [12]),
    ],
)
def test_ultralytics_names_count_from_1(names, expected):
    assert frame_indices(names, ultralytics=True) == (expected, Numbering.NAMES)


@pytest.mark.parametrize("more", ["frame_000000.txt", "frame_000001.txt", "frame_012345.txt"])
def test_the_number_of_a_frame_does_not_depend_on_the_others(more):
    names = ["frame_000005.txt", "frame_000010.txt"]
    for ultralytics in (False, True):
        assert frame_indices([*names, more], ultralytics=ultralytics)[0][:2] == [5, 10]


@pytest.mark.parametrize(
    ("names", "from_one", "expected"),
    [
        (["000002.jpg", "000001.jpg", "000003.jpg"], False, [1, 0, 2]),
        (["000001.jpg", "000003.jpg"], False, [1, 3]),
        (["000001.jpg"], False, [1]),
        (["000001.jpg"], True, [0]),
        (["000005.jpg", "000003.jpg"], True, [4, 2]),
        (["000005.jpg", "000000.jpg"], True, [5, 0]),
    ],
)
def test_names_of_all_frames_from_1_on_count_from_1(names, from_one, expected):
    assert frame_indices(names, from_one=from_one) == (expected, Numbering.NAMES)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["b.jpg", "a.jpg"], [1, 0]),
        (["walk10.jpg", "walk2.jpg", "walk2.png"], [2, 0, 1]),
        (["7.jpg", "seven.jpg"], [0, 1]),
        (["20240131093015.jpg", "20240131093002.jpg"], [1, 0]),
    ],
)
def test_other_names_are_in_their_natural_order(names, expected):
    assert frame_indices(names) == (expected, Numbering.ORDER)
