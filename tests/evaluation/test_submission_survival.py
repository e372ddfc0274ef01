"""What other tools crash or hang on, or take for something else: each is refused, or scored with a warning."""

import copy
import json
import logging
import zipfile

import pytest
from vis_case import box, runs_of, small_case

from fuzzing.damage import time_limit
from ictrack.evaluation import evaluate_video_ap
from ictrack.evaluation.submission import read_results, validate_youtube_vis
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.youtube_vis_json import read_ground_truth


@pytest.fixture
def case():
    return copy.deepcopy(small_case())


@pytest.fixture
def survive(tmp_path, caplog):
    """Runs the whole chain. Returns (AP by protocol or the error's text, lines of the validator)."""

    def run(ground_truth, results, text=None, name="results.json"):
        truth_path, path = tmp_path / "gt.json", tmp_path / name
        truth_path.write_text(json.dumps(ground_truth))
        path.write_text(json.dumps(results) if text is None else text)
        with time_limit(), caplog.at_level(logging.WARNING):
            lines = [str(problem).replace(f"{tmp_path}/", "") for problem in validate_youtube_vis(truth_path, path)]
            try:
                truth = read_ground_truth(truth_path)
                found = read_results(path, truth)
                return {p: evaluate_video_ap(truth, found, protocol=p).summary()["AP"] for p in PROTOCOLS}, lines
            except AnnotationError as error:
                return str(error).replace(f"{tmp_path}/", ""), lines

    return run


PROTOCOLS = ("official", "strict")


def assert_refused(outcome, message):
    error, lines = outcome
    assert isinstance(error, str), error
    assert error.startswith(message)
    assert any(line.startswith(f"error: {message}") for line in lines)


def test_whole_results(survive, case):
    scores, lines = survive(*case)
    assert scores["official"] == scores["strict"] > 0.1
    assert lines == [
        f"warning: results.json: [{i}].segmentations[1]: 1 masks are polygons or run lists; servers take compressed "
        f"strings only (video 3 'clip3', track {i})"
        for i in (4, 5)
    ]


def test_list_shorter_than_the_video(survive, case):
    del case[1][0]["segmentations"][1:]
    assert_refused(
        survive(*case), "results.json: [0].segmentations: has 1 entries, the video 3 frames (video 7 'clip7'"
    )


@pytest.mark.parametrize("counts", ["garbage", "~~~~", "PPPPPPPPPPPPPPPP", "", "\ud800", "0", "o" * 10**6, "0" * 10**6])
def test_garbage_rle_string(survive, case, counts):
    case[1][1]["segmentations"][2] = {"size": [12, 16], "counts": counts}
    assert_refused(survive(*case), "results.json: [1].segmentations[2]: ")


@pytest.mark.parametrize("size", [[16, 12], [12], [0, 16], [-12, -16], [2**40, 2**40], ["12", 16], None, [12.0, 16]])
def test_wrong_rle_size(survive, case, size):
    case[1][1]["segmentations"][2] = {**box(1, 1, 2, 2), "size": size}
    assert_refused(survive(*case), "results.json: [1].segmentations[2]")


def test_empty_predictions(survive, case):
    scores, lines = survive(case[0], [])
    assert scores == {"official": 0.0, "strict": 0.0}
    assert lines == ["warning: results.json: $: there are no tracks; the official tool crashes on an empty list"]
    assert_refused(survive(case[0], [], text=""), "results.json: not valid JSON")


@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf"), "0.5", None, True, [1], 10**400])
def test_score_that_is_no_number(survive, case, score):
    case[1][2]["score"] = score
    assert_refused(survive(*case), "results.json: [2].score: must be a finite number")


@pytest.mark.parametrize("value", [0, 5, "7", None, 10**30, 7.5, True, [], {}])
def test_unknown_video(survive, case, value):
    case[1][3]["video_id"] = value
    assert_refused(survive(*case), "results.json: [3].video_id: there is no video ")


@pytest.mark.parametrize("value", ["7", None, 7.5, True, [], {}])
def test_category_that_is_no_number(survive, case, value):
    case[1][3]["category_id"] = value
    assert_refused(survive(*case), "results.json: [3].category_id: must be an integer, not ")


@pytest.mark.parametrize("value", [0, 5, 10**30])
def test_unknown_category(survive, case, value):
    without, _ = survive(case[0], case[1][:3] + case[1][4:])
    case[1][3]["category_id"] = value
    scores, lines = survive(*case)
    assert scores == without
    assert any(line.startswith("warning: results.json: [3].category_id: there is no category ") for line in lines)


def test_duplicate_track(survive, case, caplog):
    case[1].append(copy.deepcopy(case[1][0]))
    scores, lines = survive(*case)
    assert isinstance(scores, dict)
    assert "warning: results.json: [7]: is a copy of [0] (video 7 'clip7', track 7)" in lines
    assert "[7]: is a copy of [0]" in caplog.text
    case[1][0]["id"] = case[1][7]["id"] = 12
    same, lines = survive(*case)
    assert same == scores and "warning: results.json: [7].id: 12 is the id of [0] in the same video" in lines


def test_polygons_and_run_lists(survive, case):
    whole, _ = survive(*case)
    case[1][0]["segmentations"] = [runs_of(mask) for mask in case[1][0]["segmentations"]]
    scores, lines = survive(*case)
    assert scores == whole
    assert lines[0].startswith("warning: results.json: [0].segmentations[0]: 3 masks are polygons or run lists")
    for polygon in ([1, 2, 3, 4], [0, 0, 1e5, 0, 5, 5], [0, 0, float("nan"), 1, 2, 3], ["x"] * 6, []):
        case[1][1]["segmentations"][1] = [polygon]
        assert_refused(survive(*case), "results.json: [1].segmentations[1][0]: a polygon is")


def test_crowd(survive, case):
    scores, _ = survive(*case)
    # What lies in the crowd is neither right nor wrong, without it wrong: but for the crowd all dogs of video 7 were.
    case[0]["annotations"][2]["iscrowd"] = 0
    others, _ = survive(*case)
    assert scores != others
    case[0]["annotations"][2]["iscrowd"] = 2
    error, lines = survive(*case)
    assert error == "gt.json: annotations[2].iscrowd: must be 0 or 1, not 2"
    assert lines == [f"error: {error}"]


def test_annotation_id_0(survive, case):
    case[0]["annotations"][0]["id"] = 0
    scores, _ = survive(*case)
    assert scores["official"] < scores["strict"]


def test_huge_ids(survive, case):
    whole, _ = survive(*case)
    for entry in case[0]["annotations"] + case[1]:
        entry["video_id"] += 10**30
        entry["category_id"] += 10**25
    for entry in case[0]["annotations"]:
        entry["id"] += 2**63
    for video in case[0]["videos"]:
        video["id"] += 10**30
    for category in case[0]["categories"]:
        category["id"] += 10**25
    assert survive(*case)[0] == whole


@pytest.mark.parametrize("key", ["video_id", "category_id", "score", "segmentations"])
def test_missing_keys(survive, case, key):
    del case[1][4][key]
    assert_refused(survive(*case), f"results.json: [4].{key}: ")


@pytest.mark.parametrize("key", ["size", "counts"])
def test_missing_keys_of_an_rle(survive, case, key):
    del case[1][0]["segmentations"][0][key]
    assert_refused(survive(*case), "results.json: [0].segmentations[0]: ")


def test_truncated_json(survive, case):
    text = json.dumps(case[1])
    for length in (1, len(text) // 2, len(text) - 1):
        assert_refused(survive(case[0], None, text=text[:length]), "results.json: not valid JSON, line 1 column")


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 100_000, '{"a":' * 100_000, "{}", "3", "null", '"x"'])
def test_json_of_another_kind(survive, case, text):
    assert_refused(survive(case[0], None, text=text), "results.json: ")


def test_wrong_zip(survive, case, tmp_path):
    assert_refused(survive(*case, name="results.zip"), "results.zip: not a zip")
    with zipfile.ZipFile(tmp_path / "results.zip", "w") as archive:
        archive.writestr("out/results.json", json.dumps(case[1]))
    problems = list(validate_youtube_vis(tmp_path / "gt.json", tmp_path / "results.zip"))
    assert [str(problem).rsplit(": ", 1)[-1] for problem in problems] == [
        "must lie at the top of the zip, in no folder"
    ]


def test_runs_of_no_pixels(survive, case):
    """pycocotools finds no overlap of such a mask with itself."""
    truth = case[0]["annotations"][0]
    mask = runs_of(box(1, 2, 6, 5))
    split = {"size": mask["size"], "counts": [10, 0, *(mask["counts"][0] - 10, *mask["counts"][1:])]}
    split["counts"][4:4] = [0, 0]
    truth["segmentations"][0] = case[1][0]["segmentations"][0] = mask
    whole, _ = survive(*case)
    truth["segmentations"][0] = case[1][0]["segmentations"][0] = split
    scores, lines = survive(*case)
    assert scores == whole
    assert any("[0].segmentations[0].counts: has a run of no pixels within" in line for line in lines)


def test_more_than_100_tracks(survive, case):
    case[1].extend({**case[1][3], "score": 0.2 - i / 1000} for i in range(100))
    scores, lines = survive(*case)
    assert isinstance(scores, dict)
    assert [line for line in lines if "more than 100" in line] == [
        "warning: results.json: [104]: more than 100 tracks of category 4 (video 7 'clip7'): only the best count"
    ]
