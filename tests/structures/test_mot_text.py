import numpy as np
import pytest

from ictrack.structures.json_files import AnnotationError
from ictrack.structures.mot_text import duplicate_ids, parse_mot


@pytest.mark.parametrize(
    "text",
    [
        "1,7,0.5,2,30,40,0.9,1,0.25\n3,8,1,2,3,4,1,2,1\n",
        "1, 7, 0.5, 2, 30, 40, 0.9, 1, 0.25\r\n\r\n3, 8, 1, 2, 3, 4, 1, 2, 1",
        "1 7 0.5 2 30 40 0.9 1 0.25\n\n3\t8 1 2 3 4 1 2 1 \n",
        "1;7;0.5;2;30;40;0.9;1;0.25;\n\n3;8;1;2;3;4;1;2;1; \n",
        "\ufeff1.0,7.0,5e-1,2,30,40,.9,1,0.25,\n3,8,1,2,3,4,1,2,1,\n",
    ],
)
def test_rows_in_any_notation(text):
    rows = parse_mot(text.encode(), "gt.txt")
    assert rows.frames.tolist() == [1, 3] and rows.ids.tolist() == [7, 8]
    assert rows.boxes.tolist() == [[0.5, 2, 30, 40], [1, 2, 3, 4]]
    assert rows.scores.tolist() == [0.9, 1] and rows.classes().tolist() == [1, 2]
    assert rows.rest[:, 1:].tolist() == [[0.25], [1]]
    assert rows.lines.tolist() == [1, 1 + len(text.strip().splitlines()) - 1]


def test_rows_of_six_numbers_have_neither_score_nor_class():
    rows = parse_mot(b"1,-1,0,0,5,5\n", "det.txt")
    assert rows.scores is None and rows.classes() is None and rows.ids.tolist() == [-1]


def test_an_empty_file():
    for text in (b"", b"\n \n"):
        rows = parse_mot(text, "gt.txt")
        assert len(rows) == 0 and rows.boxes.shape == (0, 4)


GOOD = "1,7,0,2,30,40,0.9,1"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,2,3,4,5", "has 5 numbers, must have at least 6: frame, id, x, y, w, h"),
        (f"{GOOD},1", "has 9 numbers, the first row has 8"),
        ("1,x,0,2,30,40,0.9,1", "'x' is not a number"),
        ("1,1_0,0,2,30,40,0.9,1", "'1_0' is not a number"),
        ("1,,0,2,30,40,0.9,1", "'' is not a number"),
        ("0,1,0,2,30,40,0.9,1", "frames count from 1"),
        ("1.5,1,0,2,30,40,0.9,1", "frame 1.5 is not a whole number"),
        ("1,2.5,0,2,30,40,0.9,1", "id 2.5 is not a whole number"),
        ("1,1e12,0,2,30,40,0.9,1", "id 1e\\+12 is not a whole number"),
        ("1,1,nan,2,30,40,0.9,1", "number 3 is not finite"),
        ("1,1,0,2,30,inf,0.9,1", "number 6 is not finite"),
        ("1 1 0 2 30 40 0.9 1", "has 1 numbers"),
    ],
)
def test_a_bad_line_is_named(line, message):
    with pytest.raises(AnnotationError, match=f"gt.txt: line 3: {message}"):
        parse_mot(f"{GOOD}\n\n{line}\n{GOOD}\n".encode(), "gt.txt")


def test_a_first_row_that_is_too_short():
    with pytest.raises(AnnotationError, match=r"gt\.txt: line 2: has 5 numbers"):
        parse_mot(b"\n1,2,3,4,5\n1,2,3,4,5\n", "gt.txt")
    with pytest.raises(AnnotationError, match=r"gt\.txt: no text file"):
        parse_mot(b"\xff\xfe\x00\x01", "gt.txt")


def test_classes_are_whole():
    with pytest.raises(AnnotationError, match=r"gt.txt: line 1: class 10\.05 is not a whole number"):
        parse_mot(b"1,1,0,0,5,5,1,10.05", "gt.txt").classes()


def test_a_second_box_of_an_identity_in_a_frame():
    text = "".join(f"{frame},{identity},0,0,5,5\n" for frame, identity in [(2, 1), (1, 1), (2, 1), (1, 2), (2, 1)])
    assert duplicate_ids(parse_mot(text.encode(), "a")).tolist() == [False, False, True, False, True]
    assert duplicate_ids(parse_mot(b"", "a")).tolist() == []


def test_a_large_file_is_read_at_once():
    rng = np.random.default_rng(0)
    table = np.column_stack([np.arange(20_000) % 500 + 1, np.arange(20_000) % 40, rng.random((20_000, 6))])
    text = "\n".join(",".join(map(repr, row)) for row in table.tolist())
    rows = parse_mot(text.encode(), "a")
    assert np.array_equal(np.column_stack([rows.boxes, rows.scores, rows.rest]), table[:, 2:])
