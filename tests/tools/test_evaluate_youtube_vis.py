"""The command line on YouTube-VIS results, against the official tool's and TrackEval's numbers, and on broken files."""

import gzip
import json
import shutil
import zipfile

import pytest
from evaluate_command import GOLDEN, assert_equal, error_line, report, run

from ictrack.structures.json_files import read_json

CASES = GOLDEN / "golden_vis"


def files(case):
    return next((CASES / case).glob("gt.json*")), next((CASES / case).glob("pred.json*"))


def evaluate(tmp_path, case, *options):
    truth, results = files(case)
    return report(tmp_path, "ytvis", "--gt", truth, "--results", results, *options)


def category_names(case):
    return {str(category["id"]): category["name"] for category in read_json(files(case)[0])["categories"]}


@pytest.mark.parametrize(
    "case", ["vis_medium_mixed_s0", "vis_medium_hd_s2", "vis_tiny_basic_s0", "vis_tiny_crowd_s0", "vis_tiny_maxdet_s0"]
)
def test_numbers_of_the_official_tool(tmp_path, case):
    ours, _ = evaluate(tmp_path, case, "--metrics", "ap")
    assert set(ours) == {"official", "strict", "intervals", "warnings"}
    expected = read_json(CASES / case / "expected.json")["ytvos"]
    names = category_names(case)
    scores = {key: value for key, value in expected.items() if isinstance(value, float)}
    assert len(scores) == 12
    assert_equal(ours["official"], or_null(scores), 1e-12)
    per_category = {names[key]: or_null(numbers) for key, numbers in expected["per_category"].items()}
    assert set(ours["official"]["per_category"]) == set(per_category)
    assert_equal(ours["official"]["per_category"], per_category, 1e-12)
    assert_equal(ours["official"]["per_threshold"], expected["per_iou_threshold"], 1e-12)


def or_null(official):
    """null for the official tool's -1, nothing to measure."""
    return {key: None if value == -1 else value for key, value in official.items()}


@pytest.mark.parametrize("case", ["vis_medium_std_s0", "vis_medium_hd_s0"])
def test_numbers_of_trackeval(tmp_path, case):
    ours, result = evaluate(tmp_path, case)
    expected = read_json(CASES / case / "expected.json")["trackeval"]
    fields = {
        "hota": ("HOTA", "DetA", "AssA", "DetRe", "DetPr", "AssRe", "AssPr", "LocA", "OWTA", "HOTA(0)", "LocA(0)"),
        "clear": ("MOTA", "MOTP", "MODA", "IDSW", "MT", "PT", "ML", "Frag", "sMOTA"),
        "identity": ("IDF1", "IDP", "IDR", "IDTP", "IDFN", "IDFP"),
    }
    for metric, keys in fields.items():
        for part, source in ((ours[metric], "cls_comb_det_av"), (ours[metric]["class_averaged"], "cls_comb_cls_av")):
            assert_equal(part, {key: expected[source][key] for key in keys}, 1e-9, f"{metric}.{source}")
        for name in category_names(case).values():
            numbers = {key: expected[name][key] for key in keys}
            assert_equal(ours[metric]["per_category"][name], numbers, 1e-9, f"{metric}.{name}")
    assert f"{100 * ours['hota']['HOTA']:.2f}" in result.stdout


def test_one_column_where_the_protocols_agree_and_two_where_not(tmp_path):
    same, result = evaluate(tmp_path, "vis_tiny_basic_s0")
    assert same["official"] == same["strict"]
    assert "official = strict" in result.stdout
    different, result = evaluate(tmp_path, "vis_tiny_quirkshort_s0")
    assert "official = strict" not in result.stdout and "official" in result.stdout and "strict" in result.stdout
    assert different["official"]["AP"] > different["strict"]["AP"]
    expected = read_json(CASES / "vis_tiny_quirkshort_s0" / "expected.json")["ytvos"]
    assert different["official"]["AP"] == pytest.approx(expected["AP"], abs=1e-12)
    assert different["warnings"] and all(f"warning: {text}" in result.stderr for text in different["warnings"])
    assert "pred.json: [" in different["warnings"][0]


def test_where_strict_cannot_score_the_official_numbers_stand(tmp_path):
    ours, result = evaluate(tmp_path, "vis_tiny_quirksize_s0", "--metrics", "ap")
    expected = read_json(CASES / "vis_tiny_quirksize_s0" / "expected.json")["ytvos"]
    assert ours["official"]["AP"] == pytest.approx(expected["AP"], abs=1e-12)
    assert set(ours["strict"]) == {"error"}
    assert "pred.json: [" in result.stderr and ".segmentations[" in result.stderr
    truth, results = files("vis_tiny_quirksize_s0")
    line = error_line("ytvis", "--gt", truth, "--results", results, "--protocol", "strict", "--metrics", "ap")
    assert line.startswith(f"error: {results}: [") and ".segmentations[" in line


def test_by_category_bootstrap_and_workers(tmp_path):
    options = ("--bootstrap", "50", "--by-category")
    first, result = evaluate(tmp_path, "vis_medium_std_s0", *options, "--seed", "3")
    second, _ = evaluate(tmp_path, "vis_medium_std_s0", *options, "--seed", "3", "--workers", "2")
    assert first == second
    other, _ = evaluate(tmp_path, "vis_medium_std_s0", *options, "--seed", "4")
    assert other["intervals"] != first["intervals"] and other["official"] == first["official"]
    assert first["bootstrap"] == {"samples": 50, "seed": 3, "level": 0.95, "unit": "video"}
    for headline in ("official.AP", "strict.AP50", "hota.HOTA", "clear.MOTA", "identity.IDF1"):
        part, key = headline.split(".")
        low, high = first["intervals"][headline]
        assert low < first[part][key] < high
    low, high = first["intervals"]["hota.HOTA"]
    assert f"{100 * first['hota']['HOTA']:.2f} [{100 * low:.2f}, {100 * high:.2f}]" in result.stdout
    table = result.stdout[result.stdout.index("By category") :]
    assert all(name in table for name in category_names("vis_medium_std_s0").values())


def test_packed_files(tmp_path):
    truth, results = files("vis_tiny_basic_s0")
    expected, _ = evaluate(tmp_path, "vis_tiny_basic_s0")
    with gzip.open(tmp_path / "gt.json.gz", "wb") as file:
        file.write(truth.read_bytes())
    with zipfile.ZipFile(tmp_path / "submission.zip", "w") as archive:
        archive.write(results, "results.json")
    packed, _ = report(tmp_path, "ytvis", "--gt", tmp_path / "gt.json.gz", "--results", tmp_path / "submission.zip")
    assert {**packed, "warnings": []} == {**expected, "warnings": []}


def test_a_warning_names_the_file_of_each_place(tmp_path):
    truth, results = files("vis_tiny_basic_s0")
    content = read_json(results)
    for entry in content[:4]:
        entry["category_id"] = 99
    path = tmp_path / "some.json"
    path.write_text(json.dumps(content))
    ours, _ = report(tmp_path, "ytvis", "--gt", truth, "--results", path)
    places = ", ".join(f"{path}: [{i}].category_id" for i in range(3))
    assert f"{places} and 1 more: a category that the ground truth lacks; not scored" in ours["warnings"]


def test_nothing_found_is_scored(tmp_path):
    (tmp_path / "empty.json").write_text("[]")
    ours, _ = report(tmp_path, "ytvis", "--gt", files("vis_tiny_basic_s0")[0], "--results", tmp_path / "empty.json")
    assert ours["official"]["AP"] == ours["strict"]["AP"] == ours["hota"]["HOTA"] == ours["identity"]["IDF1"] == 0


def damage(tmp_path, change):
    """A copy of a good pair of files whose parsed results went through ``change``."""
    truth, results = files("vis_tiny_basic_s0")
    content = json.loads(results.read_text())
    change(content)
    (tmp_path / "results.json").write_text(json.dumps(content))
    return "ytvis", "--gt", truth, "--results", tmp_path / "results.json"


def first_mask(content):
    return next((t, rle) for t, rle in enumerate(content[0]["segmentations"]) if rle)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[0].update(score=float("nan")), "[0].score: must be a finite number"),
        (lambda content: content[0].update(score="high"), "[0].score: must be a finite number"),
        (lambda content: content[0].update(video_id=10**30), "[0].video_id: there is no video"),
        (lambda content: content[0].pop("segmentations"), "[0].segmentations: must be a list"),
        (lambda content: content.__setitem__(0, None), "[0]: must be an object"),
        (lambda content: first_mask(content)[1].update(counts="~garbage~" * 9), "[0].segmentations["),
        (lambda content: first_mask(content)[1].update(size=[3]), "[0].segmentations["),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, change, message):
    line = error_line(*damage(tmp_path, change))
    assert line.startswith(f"error: {tmp_path / 'results.json'}: {message}")


def test_wrong_files_are_named(tmp_path):
    truth, results = files("vis_tiny_basic_s0")
    (tmp_path / "cut.json").write_bytes(results.read_bytes()[:-20])
    assert f"{tmp_path / 'cut.json'}: not valid JSON" in error_line(
        "ytvis", "--gt", truth, "--results", tmp_path / "cut.json"
    )
    assert f"error: {tmp_path / 'no.json'}: No such file" in error_line(
        "ytvis", "--gt", tmp_path / "no.json", "--results", results
    )
    assert str(results) in error_line("ytvis", "--gt", results, "--results", results)
    shutil.copy(results, tmp_path / "results.zip")
    assert f"{tmp_path / 'results.zip'}: not a zip" in error_line(
        "ytvis", "--gt", truth, "--results", tmp_path / "results.zip"
    )
    content = json.loads(truth.read_text())
    del content["annotations"]
    (tmp_path / "test.json").write_text(json.dumps(content))
    message = error_line("ytvis", "--gt", tmp_path / "test.json", "--results", results)
    assert "annotations: must not be missing in a ground truth" in message


def test_wrong_usage_has_its_own_status():
    for arguments in (
        ["ytvis", "--gt", "x"],
        ["ytvis", "--gt", "x", "--results", "y", "--metrics", "ap,mot"],
        ["ytvis", "--gt", "x", "--results", "y", "--bootstrap", "0"],
        ["nonsense"],
    ):
        result = run(*arguments)
        assert result.returncode == 2 and "usage:" in result.stderr


def test_validate_tells_all_problems(tmp_path):
    truth, results = files("vis_tiny_basic_s0")
    good = run("validate", "--format", "ytvis", "--gt", truth, "--results", results)
    assert good.returncode == 0 and "0 errors" in good.stderr

    def change(content):
        content[0]["score"] = float("inf")
        content[1]["video_id"] = -1

    _, *paths = damage(tmp_path, change)
    bad = run("validate", "--format", "ytvis", *paths)
    lines = bad.stdout.splitlines()
    assert bad.returncode == 1 and "2 errors" in bad.stderr
    assert any("[0].score" in line for line in lines) and any("[1].video_id" in line for line in lines)
    assert run("validate", "--format", "ytvis", "--gt", truth, "--results", tmp_path / "no.json").returncode == 1
