import zipfile

import numpy as np
import pytest
import trackeval
from pycocotools import mask as mask_util

from ictrack.evaluation.submission import MOTSWriter, read_mots, validate_mots
from ictrack.evaluation.submission.mots import without_overlaps
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.rle import RLEError, encode_mask, encode_runs

SIZE = (20, 30)


def box(x, y, width=6, height=5, size=SIZE):
    mask = np.zeros(size, dtype=bool)
    mask[y : y + height, x : x + width] = True
    return encode_mask(mask)


def line(frame, track_id, class_id, rle):
    return f"{frame} {track_id} {class_id} {rle['size'][0]} {rle['size'][1]} {rle['counts']}\n"


GOOD = [line(1, 2001, 2, box(0, 0)), line(1, 2002, 2, box(10, 0)), line(3, 2001, 2, box(2, 0))]


@pytest.fixture
def truth(tmp_path):
    folder = tmp_path / "gt"
    folder.mkdir()
    (folder / "0002.txt").write_text("".join([*GOOD, line(2, 10000, 10, box(20, 10))]))
    return folder


def problems(truth, tmp_path, lines, **options):
    folder = tmp_path / "results"
    folder.mkdir(exist_ok=True)
    (folder / "0002.txt").write_text("".join(lines))
    return [str(p).replace(str(folder), "R") for p in validate_mots(truth, folder, **options)]


def test_what_is_written_is_read(tmp_path, truth):
    path = tmp_path / "out" / "0002.txt"
    with MOTSWriter(path) as writer:
        writer.add(1, [7, 5], [2, 1], [0.5, 0.9], [box(0, 0), box(10, 0)])
        assert not path.exists()
        writer.add(2, [], [], [], [])
        writer.add(4, [5], [1], [0.9], [{"size": [20, 30], "counts": [0, 5, 595]}])
    (found,) = read_mots(tmp_path / "out").values()
    assert [(item.frame, item.track_id, item.class_id) for item in found] == [(1, 7, 2), (1, 5, 1), (4, 5, 1)]
    assert [item.rle for item in found] == [box(0, 0), box(10, 0), box(0, 0, 1, 5)]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "data/0002.txt")
    assert read_mots(tmp_path / "a.zip") == read_mots(path) == {"0002": found}


def test_trackeval_reads_the_same(tmp_path):
    """The writer's file through the reader of the official kit."""
    path = tmp_path / "0002.txt"
    with MOTSWriter(path) as writer:
        writer.add(1, [7, 5], [2, 2], [0.5, 0.9], [box(0, 0), box(3, 0)])
    read, _ = trackeval.datasets.MOTSChallenge._load_simple_text_file(str(path), force_delimiters=" ")
    ((_, first, second),) = [(key, *rows) for key, rows in read.items()]
    masks = [{"size": [int(row[3]), int(row[4])], "counts": row[5].encode()} for row in (first, second)]
    assert list(read) == ["1"] and first[:3] == ["1", "7", "2"]
    assert mask_util.area(mask_util.merge(masks, intersect=True)) == 0


def test_a_pixel_goes_to_the_highest_score():
    masks = [box(0, 0), box(3, 0), box(3, 0), box(0, 0, 1, 1), box(29, 19)]
    separate = without_overlaps(masks, [0.5, 0.9, 0.9, 0.1, 0.2])
    assert separate == [box(0, 0, 3), box(3, 0), None, None, box(29, 19)]
    assert without_overlaps([], []) == []
    assert without_overlaps([box(0, 0, 0, 0)], [1.0]) == [None]
    with pytest.raises(ValueError, match="different sizes"):
        without_overlaps([box(0, 0), box(0, 0, size=(9, 9))], [1, 2])
    with pytest.raises(RLEError):
        without_overlaps([{"size": [5, 5], "counts": "~"}], [1])


def test_the_writer_refuses_what_no_server_takes(tmp_path):
    with pytest.raises(ValueError, match="twice"), MOTSWriter(tmp_path / "a.txt") as writer:
        writer.add(1, [7, 7], [2, 1], [0.5, 0.9], [box(0, 0), box(10, 0)])
    assert list(tmp_path.iterdir()) == []
    with MOTSWriter(tmp_path / "a.txt") as writer:
        writer.add(3, [7], [2], [0.5], [box(0, 0)])
        with pytest.raises(ValueError, match=r"a\.txt: frame 3 came after frame 3"):
            writer.add(3, [7], [2], [0.5], [box(0, 0)])
        with pytest.raises(ValueError, match="differ in number"):
            writer.add(4, [7], [2], [0.5], [])
    assert len(read_mots(tmp_path)["a"]) == 1


def test_good_results_have_no_problems(tmp_path, truth):
    assert problems(truth, tmp_path, GOOD) == []
    assert problems(truth, tmp_path, GOOD, num_frames={"0002": 3}) == []
    assert problems(truth, tmp_path, ["\n", *GOOD, "\n"]) == []


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["1 2001 2 20 30\n"], "error: R/0002.txt: line 1: has 5 fields, not 6"),
        ([GOOD[0], GOOD[0]], "error: R/0002.txt: line 2: id 2001 is that of line 1 in the same frame 1"),
        (["1 x 2 20 30 abc\n"], "error: R/0002.txt: line 1: frame, id, class, height and width must be whole numbers"),
        (["1 -1 2 20 30 abc\n"], "error: R/0002.txt: line 1: frame, id, class, height and width must be whole numbers"),
        (["1 1 2 20 30 550\n"], "error: R/0002.txt: line 1: the runs of counts do not add up to 20 x 30"),
        (["1 1 2 20 30 a\u20acc\n"], "error: R/0002.txt: line 1: the RLE holds a character"),
        (["1 1 2 0 30 abc\n"], "error: R/0002.txt: line 1: size must be positive, not [0, 30]"),
        (
            [line(0, 1, 2, box(0, 0))],
            "error: R/0002.txt: line 1: frame 0 is none of the sequence's, which count from 1",
        ),
        ([line(1, 1, 2, box(0, 0, size=(30, 20)))], "error: R/0002.txt: line 1: size [30, 20] is not that of"),
        ([line(1, 1, 5, box(0, 0))], "warning: R/0002.txt: line 1: class 5 is none of the ground truth's"),
        ([line(1, 1, 2, box(0, 0)), line(2, 1, 1, box(0, 0))], "warning: R/0002.txt: line 2: class 1 is none of"),
        (
            [line(1, 1, 2, box(0, 0)), line(2, 1, 2, box(0, 0)), line(1, 2, 2, box(5, 4))],
            "error: R/0002.txt: line 3: the mask overlaps that of line 1 in frame 1",
        ),
    ],
)
def test_problems_are_located(tmp_path, truth, lines, message):
    assert problems(truth, tmp_path, lines)[0].startswith(message)


def test_overlaps_are_found_in_masks_with_runs_of_no_pixels(tmp_path, truth):
    """pycocotools finds no overlap of such masks."""
    runs = np.array([5, 0, 5, 0, 10, 10, 570])
    odd = {"size": [20, 30], "counts": encode_runs(runs, np.array([len(runs)]))[0].decode()}
    assert mask_util.iou([odd], [odd], [0]) == 0
    lines = [line(1, 1, 2, odd), line(1, 2, 2, odd)]
    assert problems(truth, tmp_path, lines) == [
        "error: R/0002.txt: line 2: the mask overlaps that of line 1 in frame 1"
    ]


def test_frames_beyond_the_end(tmp_path, truth):
    (text,) = problems(truth, tmp_path, [*GOOD, line(4, 9, 2, box(0, 0))], num_frames={"0002": 3})
    assert text == "error: R/0002.txt: line 4: frame 4 is none of the sequence's, which are 1 to 3"


def test_folders_are_compared(tmp_path, truth):
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "0009.txt").write_text("")
    lines = [str(problem) for problem in validate_mots(truth, folder)]
    assert lines == [
        f"error: {folder}: 0002.txt is missing",
        f"warning: {folder}/0009.txt: the ground truth has no such sequence; it is not scored",
    ]
    (line,) = validate_mots(truth, tmp_path / "none")
    assert line.message == "cannot be read: No such file or directory"
    with pytest.raises(AnnotationError, match=r"holds no \.txt file"):
        (tmp_path / "empty").mkdir()
        read_mots(tmp_path / "empty")
    (folder / "0009.txt").write_text("1 2")
    with pytest.raises(AnnotationError, match=r"0009\.txt: line 1: has 2 fields"):
        read_mots(folder)
