"""The command line on MOTS's text and pictures, and on broken files."""

import json

import numpy as np
import pytest
from evaluate_command import error_line, report
from mots_case import write_mots_case
from PIL import Image

from ictrack.command.evaluate import MOTS_BENCHMARKS
from ictrack.command.main import main
from ictrack.evaluation.metrics.mot_challenge.masks import BENCHMARKS
from ictrack.evaluation.submission import validate_mots


def test_scores_and_tables(tmp_path):
    write_mots_case(tmp_path, seed=0)
    arguments = ("mots", "--gt", tmp_path / "gt", "--results", tmp_path / "results", "--bootstrap", "20")
    first, result = report(tmp_path, *arguments)
    second, _ = report(tmp_path, *arguments, "--workers", "2")
    assert first == second and set(first["intervals"]) >= {"clear.sMOTA", "hota.HOTA"}
    assert set(first["sequences"]) == {"0000", "0001"}
    assert f"sMOTSA {100 * first['combined']['clear']['sMOTSA']:.2f}" in result.stdout and "MOTSA" in result.stdout


def test_pictures_score_as_the_text(tmp_path):
    """Read with Pillow, which the other forms do not need."""
    write_mots_case(tmp_path, seed=0, first_frame=0, pictures=True)
    reports = []
    for gt, results in (("gt", "results"), ("png", "results"), ("gt", "png")):
        out = tmp_path / "out.json"
        arguments = ["--gt", tmp_path / gt, "--results", tmp_path / results, "--benchmark", "KITTI-MOTS", "--json", out]
        assert main(["evaluate", "mots", *map(str, arguments)]) == 0
        reports.append(json.loads(out.read_text()))
    assert reports[0] == reports[1]
    assert reports[2]["combined"]["hota"]["HOTA"] == pytest.approx(1)


def test_some_of_the_sequences(tmp_path):
    write_mots_case(tmp_path, seed=0)
    arguments = ("mots", "--gt", tmp_path / "gt", "--results", tmp_path / "results")
    every, _ = report(tmp_path, *arguments)
    some, _ = report(tmp_path, *arguments, "--sequences", "0001")
    assert some["sequences"] == {"0001": every["sequences"]["0001"]}


def test_what_is_converted_can_be_scored(tmp_path):
    """With names of classes in labels.txt."""
    write_mots_case(tmp_path, seed=0)
    (tmp_path / "gt" / "labels.txt").write_text("car\nperson\n")
    converted = tmp_path / "converted"
    convert = ["prepare", "convert", "--from", "mots", "--to", "mots", str(tmp_path / "gt"), str(converted)]
    assert main(convert) == 0 and (converted / "labels.txt").is_file()
    ours, result = report(tmp_path, "mots", "--gt", converted, "--results", tmp_path / "gt")
    assert ours["combined"]["hota"]["HOTA"] == pytest.approx(1) and result.stderr == ""
    assert {problem.severity for problem in validate_mots(converted, converted)} == {"warning"}  # of ignored regions


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 5 2 60\n", "0001.txt: line 1: has 4 fields, not 6"),
        ("1 5 2 60 90 abc\n", "0001.txt: line 1: "),
        ("99999999 5 2 60 90 PR1\n", "0001.txt: line 1: the runs of counts do not add up"),
        (None, "there is no 0001.txt"),
    ],
)
def test_broken_results(tmp_path, content, message):
    write_mots_case(tmp_path, seed=0)
    path = tmp_path / "results" / "data" / "0001.txt"
    path.unlink() if content is None else path.write_text(content)
    assert message in error_line("mots", "--gt", tmp_path / "gt", "--results", tmp_path / "results")


@pytest.mark.parametrize(
    ("name", "pixels", "message"),
    [
        ("000001.png", None, "cannot be read"),
        ("000001.png", np.zeros((4, 4, 3), np.uint8), "must be a picture of one channel"),
        ("cat.png", np.zeros((4, 4), np.uint8), "the name must be the number of a frame"),
    ],
)
def test_broken_pictures(tmp_path, name, pixels, message, capsys):
    write_mots_case(tmp_path, seed=0, num_sequences=1)
    path = tmp_path / "png" / "0000" / name
    path.parent.mkdir(parents=True)
    path.write_text("no picture") if pixels is None else Image.fromarray(pixels).save(path)
    assert main(["evaluate", "mots", "--gt", str(tmp_path / "png"), "--results", str(tmp_path / "results")]) == 1
    assert f"error: {path}: {message}" in capsys.readouterr().err


def test_the_command_offers_all_benchmarks():
    assert list(BENCHMARKS) == list(MOTS_BENCHMARKS)
