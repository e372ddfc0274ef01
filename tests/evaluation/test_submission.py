import copy
import gzip
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from tiny_video_dataset import HEIGHT, WIDTH, ground_truth

from ictrack.evaluation.submission import Problem, ResultsWriter, find_problems, read_results, repair_results
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.rle import encode_mask

MASK = encode_mask(np.eye(HEIGHT, WIDTH, dtype=bool))


def good_results():
    return [
        {"video_id": 7, "category_id": 9, "score": 0.5, "segmentations": [MASK, None, MASK]},
        {"video_id": 2, "category_id": 4, "score": 1, "segmentations": [None] * 5},
    ]


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "folder" / "results.json"
    with ResultsWriter(path) as writer:
        assert read_results(path, ground_truth()) == []
        for i, entry in enumerate(good_results()):
            writer.write([entry])
            assert read_results(path, ground_truth()) == good_results()[: i + 1]
        writer.write([])
    assert read_results(path, ground_truth()) == good_results()
    packed = tmp_path / "results.json.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_results(packed, ground_truth()) == good_results()


def test_a_score_that_json_cannot_hold_is_refused_and_harms_nothing(tmp_path):
    path = tmp_path / "results.json"
    with ResultsWriter(path) as writer:
        writer.write(good_results())
        with pytest.raises(ValueError, match="JSON"):
            writer.write([{**good_results()[0], "score": float("nan")}])
    assert read_results(path, ground_truth()) == good_results()


def test_a_killed_run_leaves_what_it_wrote(tmp_path):
    script = (
        "import sys\n"
        "from ictrack.evaluation.submission import ResultsWriter\n"
        "writer = ResultsWriter(sys.argv[1])\n"
        "for i in range(50):\n"
        "    writer.write([{'i': i, 'text': 'x' * (i % 5000)}])\n"
        "print('written', flush=True)\n"
        "sys.stdin.read()\n"
    )
    path = tmp_path / "results.json"
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert [entry["i"] for entry in json.loads(path.read_text())] == list(range(50))


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4, 20, 60])
def test_half_an_entry_is_taken_off(tmp_path, cut):
    path = tmp_path / "results.json"
    with ResultsWriter(path) as writer:
        writer.write([{"i": i, "text": "]\n[" * i} for i in range(5)])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - cut])
    num_entries = 5 if cut <= 3 else 4 if cut <= 20 else 3
    assert repair_results(path) == num_entries
    assert [entry["i"] for entry in json.loads(path.read_text())] == list(range(num_entries))
    if cut == 0:
        assert path.read_bytes() == whole


def test_only_files_of_the_writer_are_repaired(tmp_path):
    path = tmp_path / "results.json"
    path.write_text('[{"i": 1}, {"i"')
    with pytest.raises(AnnotationError, match="ResultsWriter"):
        repair_results(path)
    assert path.read_text() == '[{"i": 1}, {"i"'


def change(index, **fields):
    results = copy.deepcopy(good_results())
    results[index].update(fields)
    return results


def without(index, key):
    results = copy.deepcopy(good_results())
    del results[index][key]
    return results


WRONG_SIZE = encode_mask(np.eye(WIDTH, HEIGHT, dtype=bool))


@pytest.mark.parametrize(
    ("results", "problem"),
    [
        ({}, "$: must be a list"),
        ([3], "[0]: must be an object"),
        (change(1, score=float("nan")), "[1].score: must be a finite number, not nan"),
        (change(1, score=float("-inf")), "[1].score: must be a finite number, not -inf"),
        (change(1, score="0.5"), "[1].score: must be a finite number, not '0.5'"),
        (without(1, "score"), "[1].score: must be a finite number, not None"),
        (change(0, video_id=8), "[0].video_id: there is no video 8"),
        (change(0, video_id="7"), "[0].video_id: there is no video '7'"),
        (change(0, category_id="9"), "[0].category_id: must be an integer, not '9'"),
        (without(0, "segmentations"), "[0].segmentations: must be a list with one entry a frame"),
        (change(0, segmentations=[MASK]), "[0].segmentations: has 1 entries, the video 3 frames"),
        (
            change(0, segmentations=[None, None, WRONG_SIZE]),
            f"[0].segmentations[2].size: is [{WIDTH}, {HEIGHT}], the video's frames are [{HEIGHT}, {WIDTH}]",
        ),
        (
            change(0, segmentations=[None, {"size": [HEIGHT, WIDTH], "counts": "PPP0o1"}, None]),
            f"[0].segmentations[1]: the runs of counts do not add up to {HEIGHT} x {WIDTH} = {HEIGHT * WIDTH} pixels",
        ),
        (
            change(0, segmentations=[None, {"size": [HEIGHT, WIDTH], "counts": "garbage"}, None]),
            "[0].segmentations[1]: counts holds a character that is not of the encoding: 'r'",
        ),
        (change(0, segmentations=[None, [1, 2, 3], None]), "[0].segmentations[1][0]: a polygon is a list of"),
        (change(0, segmentations=[None, 5, None]), "[0].segmentations[1]: an RLE is an object"),
    ],
)
def test_problems_are_located(tmp_path, results, problem):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results))
    with pytest.raises(AnnotationError) as caught:
        read_results(path, ground_truth())  # the official tool hangs on some of these
    assert str(caught.value).startswith(f"{path}: {problem}")


def test_all_problems_are_found():
    bad = {"size": [HEIGHT, WIDTH], "counts": "0"}
    results = change(0, score=None, segmentations=[bad, MASK, WRONG_SIZE, bad])
    results.append({**good_results()[1], "video_id": 99})
    assert [problem.path for problem in find_problems(results, ground_truth()) if problem.severity == "error"] == [
        "[0].score",
        "[0].segmentations",
        "[0].segmentations[0]",
        "[0].segmentations[3]",
        "[0].segmentations[2].size",
        "[2].video_id",
    ]
    (empty,) = find_problems(good_results(), ground_truth())
    assert str(empty).startswith(
        "warning: [1].segmentations: holds no mask in any frame: it counts as a false positive"
    )
    assert str(empty).endswith(" (video 2 'clip2', track 1)")


def test_what_the_official_tool_passes_over_is_a_warning():
    results = [{**good_results()[0], "id": 3}, {**good_results()[1], "id": 3}, {**good_results()[0], "id": 3}]
    results += [{**good_results()[0], "id": "a"}, *change(0, category_id=10**30)[:1]]
    problems = list(find_problems(results, ground_truth()))
    for problem in (
        Problem("warning", "[2].id", "3 is the id of [0] in the same video"),
        Problem("warning", "[3].id", "must be an integer, not 'a'"),
        Problem("warning", "[4].category_id", f"there is no category {10**30}; it is not scored"),
    ):
        assert problem in problems
    assert {problem.severity for problem in problems} == {"warning"}


def test_copies_are_a_warning(tmp_path, caplog):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(good_results() * 2))
    assert len(read_results(path, ground_truth())) == 4
    assert "[2]: is a copy of [0] (video 7 'clip7', track 2)" in caplog.text
    assert "[3]: is a copy of [1] (video 2 'clip2', track 3)" in caplog.text


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(good_results())[:-30])
    with pytest.raises(AnnotationError, match=r"results\.json: not valid JSON, line 1"):
        read_results(path, ground_truth())


def test_thousands_of_bad_masks_are_told():
    videos = {"videos": [{"id": 1, "height": 50, "width": 50, "file_names": ["a/b"] * 5000}], "categories": []}
    result = {"video_id": 1, "score": 1.0, "segmentations": [{"size": [50, 50], "counts": "~~"}] * 5000}
    assert len(list(find_problems([result], videos))) == 5001
