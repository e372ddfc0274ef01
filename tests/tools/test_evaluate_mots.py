"""The command line on MOTS's text and pictures, and on broken files."""

import json
import shutil
import zipfile

import numpy as np
import pytest
from evaluate_command import error_line, report
from mots_case import SIZE, write_mots_case
from PIL import Image

from ictrack.command.evaluate import MOTS_BENCHMARKS
from ictrack.command.main import main
from ictrack.evaluation.metrics.mot_challenge.masks import BENCHMARKS
from ictrack.evaluation.reports.mots import mots_report
from ictrack.evaluation.submission import validate_mots
from ictrack.structures.json_files import AnnotationError


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


def test_pictures_give_the_length_of_a_sequence(tmp_path, capsys):
    lengths = write_mots_case(tmp_path, seed=0, pictures=True)
    for name, length in lengths.items():
        blank = Image.fromarray(np.zeros(SIZE, dtype=np.uint16))
        blank.save(tmp_path / "png" / name / f"{length + 20:06d}.png")
        (tmp_path / "text" / name / "gt").mkdir(parents=True)
        shutil.copy(tmp_path / "gt" / f"{name}.txt", tmp_path / "text" / name / "gt" / "gt.txt")
        (tmp_path / "text" / name / "seqinfo.ini").write_text(f"[Sequence]\nseqLength={length + 20}\n")
    for benchmark, num_classes in (("MOTSChallenge", 1), ("generic", 2)):
        text, pictures = (
            mots_report(tmp_path / gt, tmp_path / "results", benchmark=benchmark) for gt in ("text", "png")
        )
        assert text == pictures
        assert text["combined"]["clear"]["CLR_Frames"] == num_classes * (sum(lengths.values()) + 40)
    path = tmp_path / "results" / "data" / "0000.txt"
    path.write_text(f"{lengths['0000'] + 21} {path.read_text().split(maxsplit=1)[1]}")
    with pytest.raises(AnnotationError, match=f"line 1: frame {lengths['0000'] + 21} is none of the sequence's, which"):
        mots_report(tmp_path / "png", tmp_path / "results")


def test_a_zip_of_pictures_must_be_unpacked(tmp_path):
    write_mots_case(tmp_path, seed=0)
    with zipfile.ZipFile(tmp_path / "png.zip", "w") as archive:
        archive.writestr("0000/000001.png", "")
    line = error_line("mots", "--gt", tmp_path / "png.zip", "--results", tmp_path / "results")
    assert line == f"error: {tmp_path / 'png.zip'}: pictures are read from a folder: unpack the zip"


def test_results_that_are_a_frame_late_or_early(tmp_path):
    write_mots_case(tmp_path / "from0", seed=0, first_frame=0)
    write_mots_case(tmp_path / "from1", seed=0, first_frame=1)
    from0, from1 = tmp_path / "from0", tmp_path / "from1"

    def warnings(gt, results, benchmark):
        return mots_report(gt / "gt", results / "results", benchmark=benchmark)["warnings"]

    late = (
        f"{from1 / 'results'}: frames seem to count from 1, the ground truth's from 0: results may be scored in the wr"
    )
    for benchmark in ("KITTI-MOTS", "generic"):
        assert warnings(from0, from0, benchmark) == []
        (line,) = warnings(from0, from1, benchmark)
        assert line.startswith(late)
    (line,) = warnings(from1, from0, "generic")
    assert "frames seem to count from 0, the ground truth's from 1" in line
    assert warnings(from1, from1, "generic") == []
    for path in (from0 / "results" / "data").iterdir():  # a tracker that begins with the second frame
        path.write_text("".join(line for line in path.open() if not line.startswith("0 ")))
    assert warnings(from0, from0, "KITTI-MOTS") == []


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
