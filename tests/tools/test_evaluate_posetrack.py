"""The command line on PoseTrack predictions, against poseval's numbers, and on broken folders."""

import json
import zipfile

import pytest
from evaluate_command import GOLDEN, assert_equal, error_line, report, run

from ictrack.structures.json_files import read_json

CASES = GOLDEN / "golden_pose"
BASIC = "pose_tiny_basic_s0"


def evaluate(tmp_path, case, *options):
    return report(tmp_path, "posetrack", "--gt", CASES / case / "gt", "--results", CASES / case / "pred", *options)


def expected_numbers(case):
    return read_json(next((CASES / case).glob("expected.json*")))


def as_fractions(percent):
    """poseval's numbers in the form of the report; "nan" is null."""
    if isinstance(percent, dict):
        return {key: as_fractions(value) for key, value in percent.items()}
    return None if percent == "nan" else percent / 100


@pytest.mark.parametrize("case", [BASIC, "pose_tiny_nopred_s0", "pose_tiny_nojoint_s0", "pose_medium_std_s0"])
def test_numbers_of_poseval(tmp_path, case):
    ours, result = evaluate(tmp_path, case, "--metrics", "ap,mot")
    assert set(ours) == {"official", "strict", "intervals", "warnings"}
    poseval = expected_numbers(case)["poseval"]
    assert_equal(ours["official"], as_fractions({part: poseval[part] for part in ("AP", "MOT")}), 1e-11)
    for name, scores in poseval.get("sequences", {}).items():
        assert_equal(ours["official"]["sequences"][name], as_fractions(scores), 1e-11, name)
    total = poseval["AP"]["ap"]["total"]
    assert f"{total:.2f}" in result.stdout


def test_people_are_tracked_by_either_similarity(tmp_path):
    by_oks, _ = evaluate(tmp_path, BASIC, "--metrics", "hota,clear,identity")
    assert by_oks["similarity"] == "oks" and "official" not in by_oks
    by_head, result = evaluate(tmp_path, BASIC, "--metrics", "hota,clear,identity", "--similarity", "pckh")
    assert by_head["similarity"] == "pckh" and "similarity pckh" in result.stdout
    for ours in (by_oks, by_head):
        assert 0 < ours["hota"]["HOTA"] <= 1 and 0 < ours["identity"]["IDF1"] <= 1
        assert ours["clear"]["IDSW"] == int(ours["clear"]["IDSW"])


def test_the_ground_truth_itself_is_perfect_but_for_joints_that_are_nowhere(tmp_path):
    folder = CASES / BASIC / "gt"
    ours, _ = report(tmp_path, "posetrack", "--gt", folder, "--results", folder)
    assert ours["strict"]["AP"]["ap"]["total"] == pytest.approx(1)
    assert ours["strict"]["MOT"]["mota"]["total"] == pytest.approx(1)
    assert [ours[m][k] for m, k in (("hota", "HOTA"), ("clear", "MOTA"), ("identity", "IDF1"))] == pytest.approx(
        [1, 1, 1]
    )


def test_bootstrap_workers_and_joints(tmp_path):
    options = ("--bootstrap", "40", "--by-joint")
    first, result = evaluate(tmp_path, "pose_medium_std_s0", *options)
    second, _ = evaluate(tmp_path, "pose_medium_std_s0", *options, "--workers", "2")
    assert first == second
    assert first["bootstrap"] == {"samples": 40, "seed": 0, "level": 0.95, "unit": "sequence"}
    points = {
        "official.AP": first["official"]["AP"]["ap"]["total"],
        "strict.MOTA": first["strict"]["MOT"]["mota"]["total"],
        "hota.HOTA": first["hota"]["HOTA"],
        "identity.IDF1": first["identity"]["IDF1"],
    }
    for key, value in points.items():
        low, high = first["intervals"][key]
        assert low < value < high
    assert "By joint" in result.stdout and "left_ankle" in result.stdout


def test_packed_predictions(tmp_path):
    expected, _ = evaluate(tmp_path, BASIC)
    with zipfile.ZipFile(tmp_path / "submission.zip", "w") as archive:
        for path in (CASES / BASIC / "pred").iterdir():
            archive.write(path, path.name)
    packed, _ = report(tmp_path, "posetrack", "--gt", CASES / BASIC / "gt", "--results", tmp_path / "submission.zip")
    assert packed == expected


@pytest.fixture
def copy(tmp_path):
    """A copy of the predictions, and a function that changes its only file's content."""
    folder = tmp_path / "pred"
    folder.mkdir()
    for source in (CASES / BASIC / "pred").iterdir():
        path = folder / f"{source.name.removesuffix('.gz').removesuffix('.json')}.json"
        path.write_text(json.dumps(read_json(source)))

    def change(edit):
        content = json.loads(path.read_text())
        edit(content)
        path.write_text(json.dumps(content))
        return error_line("posetrack", "--gt", CASES / BASIC / "gt", "--results", folder)

    return path, change


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda content: content["images"].pop(), ".image_id: "),
        (lambda content: content.update(images=content["images"][1:], annotations=[]), "images: "),
        (lambda content: content["annotations"][0].pop("track_id"), "annotations[0].track_id"),
        (lambda content: content["annotations"][0].update(track_id=-1), "annotations[0].track_id"),
        (lambda content: content["annotations"][0].update(image_id=1), "annotations[0].image_id"),
        (lambda content: content["annotations"][0]["keypoints"].__setitem__(3, float("nan")), "annotations[0].keyp"),
        (lambda content: content["annotations"][0]["scores"].pop(), "annotations[0].scores"),
        (lambda content: content["categories"][0].update(name="dog"), "categories[0].name"),
        (lambda content: content.update(annotations=[content["annotations"][0]] * 2), "annotations[1].track_id"),
    ],
)
def test_a_wrong_file_is_named(copy, edit, message):
    path, change = copy
    line = change(edit)
    assert line.startswith(f"error: {path}: ") and message in line


def test_missing_and_damaged_files_are_named(copy, tmp_path):
    path, _ = copy
    arguments = ("posetrack", "--gt", CASES / BASIC / "gt", "--results", path.parent)
    text = path.read_text()
    path.write_text(text[:-30])
    assert f"error: {path}: not valid JSON" in error_line(*arguments)
    path.rename(path.with_name("000999_mpii_test.json"))
    (tmp_path / "pred" / "000999_mpii_test.json").write_text(text)
    line = error_line(*arguments)
    assert str(path.parent) in line and path.name.removesuffix(".json") in line
    assert "no" in error_line("posetrack", "--gt", CASES / BASIC / "gt", "--results", tmp_path / "nowhere")


def test_validate(copy):
    path, _ = copy
    arguments = ("validate", "--format", "posetrack", "--gt", CASES / BASIC / "gt", "--results", path.parent)
    assert run(*arguments).returncode == 0
    content = json.loads(path.read_text())
    content["annotations"][0]["track_id"] = 10**9
    path.write_text(json.dumps(content))
    result = run(*arguments)
    assert result.returncode == 1 and "annotations[0].track_id" in result.stdout
