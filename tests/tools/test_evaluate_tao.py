"""The command line on TAO's and BURST's JSON, and on broken files."""

import copy
import json

import pytest
from evaluate_command import error_line, report
from tao_case import burst_case, tao_case, write_case

from ictrack.evaluation.reports.tao import tao_report
from ictrack.structures.federated_video import MAX_DETECTIONS


@pytest.mark.parametrize("make", [tao_case, burst_case])
def test_scores_and_tables(tmp_path, make):
    gt, results = write_case(tmp_path, make(0))
    arguments = ("tao", "--gt", gt, "--results", results, "--bootstrap", "20", "--by-category")
    first, result = report(tmp_path, *arguments)
    second, _ = report(tmp_path, *arguments, "--workers", "2")
    assert first == second and first["bootstrap"]["unit"] == "video"
    assert first["shapes"] == ("masks" if make is burst_case else "boxes")
    low, high = first["intervals"]["teta.TETA"]
    assert low <= first["teta"]["TETA"] <= high
    assert f"{100 * first['teta']['TETA']:.2f} [{100 * low:.2f}, " in result.stdout
    assert "By category" in result.stdout and "class average" in result.stdout
    some, _ = report(tmp_path, "tao", "--gt", gt, "--results", results, "--metrics", "teta")
    assert some["teta"] == first["teta"] and "hota" not in some


def test_of_a_picture_the_best_300_results_count(tmp_path):
    gt, results = tao_case(0)
    box, image = gt["annotations"][0]["bbox"], gt["annotations"][0]["image_id"]
    category = gt["annotations"][0]["category_id"]
    crowd = [
        {"image_id": image, "track_id": 9000 + i, "category_id": category, "bbox": box, "score": 2.0}
        for i in range(MAX_DETECTIONS)
    ]
    elsewhere = [entry for entry in results if entry["image_id"] != image]
    with_others = tao_report(*write_case(tmp_path, (gt, results + crowd)))
    assert with_others == tao_report(*write_case(tmp_path, (gt, elsewhere + crowd)))


def changed(case, edit):
    case = copy.deepcopy(case)
    edit(*case)
    return case


@pytest.mark.parametrize(
    ("make", "edit", "message"),
    [
        (tao_case, lambda gt, r: r[3].pop("track_id"), "results.json: [3].track_id: must be an integer, not None"),
        (tao_case, lambda gt, r: r[3].update(bbox=[0, 0, 1]), "results.json: [3].bbox: must be [x, y, w, h]"),
        (tao_case, lambda gt, r: r[3].pop("score"), "results.json: [3].score: must be a number"),
        (tao_case, lambda gt, r: r.append(dict(r[0])), ".json: [{last}]: track 1 is in this picture already"),
        (tao_case, lambda gt, r: gt["videos"][0].pop("neg_category_ids"), "gt.json: videos[0].neg_category_ids: must"),
        (tao_case, lambda gt, r: gt["images"][1].update(video_id=4), "gt.json: images[1].video_id: 4 is none"),
        (
            tao_case,
            lambda gt, r: gt["annotations"][0].update(category_id=99),
            "annotations[0].category_id: there is no",
        ),
        (
            tao_case,
            lambda gt, r: gt["annotations"][2].update(image_id=9999),
            "gt.json: annotations[2].image_id: there is no picture 9999",
        ),
        (
            tao_case,
            lambda gt, r: gt["annotations"][2].update(video_id=11),
            "gt.json: annotations[2].video_id: 11 is not the video of its picture",
        ),
        (tao_case, lambda gt, r: gt["categories"][0].update(id=10**30), "gt.json: categories: category 1000000000"),
        (tao_case, lambda gt, r: r[0].update(track_id=10**30), "results.json: [0].track_id: must be an integer"),
        (tao_case, lambda gt, r: gt.pop("images"), "gt.json: images: must be a list"),
        (
            burst_case,
            lambda gt, r: r.update(split="test"),
            "results.json: split: 'test' is not the ground truth's, 'val'",
        ),
        (
            burst_case,
            lambda gt, r: r["sequences"][1].update(width=90, height=60),
            "results.json: sequences[1]: 'set/video1' has height and width (60, 90), in the ground truth (120, 160)",
        ),
        (
            burst_case,
            lambda gt, r: gt["sequences"].append(gt["sequences"][1]),
            "gt.json: sequences[4]: 'set/video1' is there twice",
        ),
        (burst_case, lambda gt, r: r["sequences"][0].pop("width"), "results.json: sequences[0].width: must be of the"),
        (
            burst_case,
            lambda gt, r: r["sequences"][0]["segmentations"].pop(),
            "results.json: sequences[0].segmentations: ",
        ),
        (
            burst_case,
            lambda gt, r: next(s for s in r["sequences"][0]["segmentations"] if s).update({"1": {"rle": "~"}}),
            "results.json: sequences[0].segmentations[",
        ),
    ],
)
def test_broken_files(tmp_path, make, edit, message):
    case = changed(make(0), edit)
    gt, results = write_case(tmp_path, case)
    last = len(case[1]) - 1
    assert message.replace("{last}", str(last)) in error_line("tao", "--gt", gt, "--results", results)


def rename_pictures(gt, results):
    sequence = next(s for s in results["sequences"] if sum(map(len, s["segmentations"])))
    sequence["annotated_image_paths"] = [f"other/{path}" for path in sequence["annotated_image_paths"]]


def listed_categories(gt, results):
    gt["categories"] = [{"id": number, "name": f"thing {number}"} for number in (1, 2, 3, 5)]
    gt["sequences"] = [s for s in gt["sequences"] if 8 not in s["track_category_ids"].values()]


@pytest.mark.parametrize(
    ("make", "edit", "places", "message"),
    [
        (tao_case, lambda gt, r: r[3].update(image_id=9999), "[3]", "a picture that the ground truth lacks; the"),
        (tao_case, lambda gt, r: [e.update(image_id=-1) for e in r[:9]], "[2] and 6 more", "a picture that the ground"),
        (tao_case, lambda gt, r: r[3].update(category_id=99), "[3]", "a category that the ground truth lacks"),
        (tao_case, lambda gt, r: r[3].update(video_id=12), "[3]", "video_id is not the video of its picture"),
        (burst_case, lambda gt, r: r["sequences"][1].update(seq_name="x"), " more", "a picture that the ground truth"),
        (burst_case, rename_pictures, "sequences[0].segmentations[", "a picture that the ground truth lacks; the"),
        (burst_case, listed_categories, ".segmentations[", "a category that the ground truth lacks"),
    ],
)
def test_what_does_not_fit_the_ground_truth_is_counted_in_warnings(tmp_path, make, edit, places, message):
    paths = write_case(tmp_path, changed(make(0), edit))
    lines = [line for line in tao_report(*paths)["warnings"] if message in line]
    assert len(lines) == 1 and str(paths[1]) in lines[0] and places in lines[0].split(": a ")[0]


def test_pictures_without_objects_and_right_videos_are_no_warnings(tmp_path):
    gt, results = tao_case(0)
    of_picture = {image["id"]: image["video_id"] for image in gt["images"]}
    with_videos = [{**entry, "video_id": of_picture[entry["image_id"]]} for entry in results]
    assert {entry["image_id"] for entry in results} - {entry["image_id"] for entry in gt["annotations"]}
    assert tao_report(*write_case(tmp_path, (gt, with_videos)))["warnings"] == []
    assert tao_report(*write_case(tmp_path, burst_case(0)))["warnings"] == []


def test_results_of_another_form(tmp_path):
    gt, results = write_case(tmp_path, (tao_case(0)[0], burst_case(0)[1]))
    assert "results must be a list" in error_line("tao", "--gt", gt, "--results", results)
    gt.write_text(json.dumps([]))
    assert "a ground truth is an object" in error_line("tao", "--gt", gt, "--results", results)


def test_folders_of_the_official_kit(tmp_path):
    gt, results = write_case(tmp_path, tao_case(0))
    expected, _ = report(tmp_path, "tao", "--gt", gt, "--results", results)
    found, _ = report(tmp_path, "tao", "--gt", gt.parent, "--results", results.parent.parent)
    assert found == expected
    (gt.parent / "more.json").write_text("{}")
    assert "/gt: has 2 .json files, must have one" in error_line("tao", "--gt", gt.parent, "--results", results)
