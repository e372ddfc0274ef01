"""The command line on MOTChallenge's text, against published numbers, in all layouts, and on broken files."""

import shutil
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from evaluate_command import error_line, report, run
from mot_case import write_mot_case

from ictrack.command.evaluate import MOT_BENCHMARKS
from ictrack.evaluation.metrics.mot_challenge.boxes import BENCHMARKS

# Two short sequences of 2D MOT 2015 and a tracker's results, which come with motmetrics (MIT).
TUD = Path(find_spec("motmetrics").origin).parent / "data"
# Numbers that py-motmetrics states for them.
EXPECTED = {
    "TUD-Campus": {
        "identity": {"IDF1": 55.8, "IDP": 73.0, "IDR": 45.1},
        "clear": {"CLR_Re": 58.2, "CLR_Pr": 94.1, "MOTA": 52.6, "CLR_FP": 13, "CLR_FN": 150, "IDSW": 7},
    },
    "TUD-Stadtmitte": {
        "identity": {"IDF1": 64.5, "IDP": 82.0, "IDR": 53.1},
        "clear": {"CLR_Re": 60.9, "CLR_Pr": 94.0, "MOTA": 56.4, "CLR_FP": 45, "CLR_FN": 452, "IDSW": 7},
    },
}


@pytest.fixture
def tud(tmp_path):
    for name in EXPECTED:
        (tmp_path / "gt" / name / "gt").mkdir(parents=True)
        (tmp_path / "results").mkdir(exist_ok=True)
        shutil.copy(TUD / name / "gt.txt", tmp_path / "gt" / name / "gt")
        shutil.copy(TUD / name / "test.txt", tmp_path / "results" / f"{name}.txt")
    return tmp_path


def test_published_numbers(tud):
    ours, result = report(tud, "mot", "--gt", tud / "gt", "--results", tud / "results", "--benchmark", "MOT15")
    for name, metrics in EXPECTED.items():
        for metric, scores in metrics.items():
            for key, value in scores.items():
                found = ours["sequences"][name][metric][key]
                assert (found if isinstance(value, int) else round(100 * found, 1)) == value, (name, key)
    assert set(ours) == {"benchmark", "sequences", "combined", "intervals", "warnings"}
    assert ours["combined"]["clear"]["CLR_FN"] == 602
    row = next(line.split() for line in result.stdout.splitlines() if line.startswith("TUD-Campus"))
    assert "55.77" in row and "13" in row


def test_layouts(tud):
    options = ("--benchmark", "generic")
    expected, _ = report(tud, "mot", "--gt", tud / "gt", "--results", tud / "results", *options)
    flat, data = tud / "flat", tud / "tracker" / "data"
    flat.mkdir(), data.mkdir(parents=True)
    with zipfile.ZipFile(tud / "gt.zip", "w") as gt, zipfile.ZipFile(tud / "results.zip", "w") as results:
        for name in EXPECTED:
            shutil.copy(tud / "gt" / name / "gt" / "gt.txt", flat / f"{name}.txt")
            shutil.copy(tud / "results" / f"{name}.txt", data)
            gt.write(flat / f"{name}.txt", f"train/{name}/gt/gt.txt")
            results.write(data / f"{name}.txt", f"data/{name}.txt")
    for gt in (flat, tud / "gt.zip", data.parent.parent / "gt"):
        for results in (data, data.parent, tud / "results.zip"):
            assert report(tud, "mot", "--gt", gt, "--results", results, *options)[0] == expected, (gt, results)
    # One sequence: its folder, and a file of any name.
    name = "TUD-Campus"
    one, _ = report(tud, "mot", "--gt", TUD / name, "--results", TUD / name / "test.txt", *options)
    assert one["sequences"] == {name: expected["sequences"][name]}


def zipped(folder, path, prefix=""):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, prefix + str(file.relative_to(folder)))
    return path


def test_a_zip_scores_as_its_folder(tmp_path):
    """With the sequences' lengths, and other texts beside the ground truth."""
    lengths = write_mot_case(tmp_path, seed=1)
    for name, length in lengths.items():
        (tmp_path / "gt" / name / "det").mkdir()
        (tmp_path / "gt" / name / "det" / "det.txt").write_text("1,-1,0,0,5,5,1\n")
        (tmp_path / "gt" / name / "gt" / "labels.txt").write_text("person\n")
        (tmp_path / "gt" / name / "seqinfo.ini").write_text(f"[Sequence]\nseqLength={length + 20}\n")
    (tmp_path / "gt" / "labels.txt").write_text("person\n")
    expected, _ = report(tmp_path, "mot", "--gt", tmp_path / "gt", "--results", tmp_path / "results")
    assert expected["combined"]["clear"]["CLR_Frames"] > sum(lengths.values())
    for gt in (
        zipped(tmp_path / "gt", tmp_path / "whole.zip"),
        zipped(tmp_path / "gt", tmp_path / "inner.zip", "MOT/train/"),
        zipped(tmp_path / "gt", tmp_path / "without_suffix"),
    ):
        assert report(tmp_path, "mot", "--gt", gt, "--results", tmp_path / "results")[0] == expected
        with zipfile.ZipFile(gt, "a") as archive:  # the test set's, without ground truth
            archive.writestr("MOT/test/SEQ-09/det/det.txt", "1,-1,0,0,5,5,1\n")
        assert report(tmp_path, "mot", "--gt", gt, "--results", tmp_path / "results")[0] == expected
    results = tmp_path / "results" / "data" / "SEQ-00.txt"
    results.write_text(f"{lengths['SEQ-00'] + 21},1,0,0,5,5,1\n")
    message = f"SEQ-00.txt: line 1: a frame beyond the sequence's {lengths['SEQ-00'] + 20}"
    assert message in error_line("mot", "--gt", tmp_path / "whole.zip", "--results", tmp_path / "results")
    with zipfile.ZipFile(tmp_path / "inner.zip", "a") as archive:
        archive.writestr("MOT/test/SEQ-00/gt.txt", "")
    assert "sequence SEQ-00 is in " in error_line(
        "mot", "--gt", tmp_path / "inner.zip", "--results", tmp_path / "results"
    )


def test_what_the_official_kit_writes_beside_the_results(tmp_path):
    write_mot_case(tmp_path, seed=1)
    arguments = ("mot", "--gt", tmp_path / "gt", "--results", tmp_path / "results")
    expected, _ = report(tmp_path, *arguments)
    (tmp_path / "results" / "pedestrian_summary.txt").write_text("HOTA\n1\n")
    (tmp_path / "results" / "data" / "labels.txt").write_text("person\n")
    assert report(tmp_path, *arguments)[0] == expected


def test_bootstrap_and_workers(tmp_path):
    write_mot_case(tmp_path, seed=1, num_sequences=5)
    arguments = ("mot", "--gt", tmp_path / "gt", "--results", tmp_path / "results", "--bootstrap", "50")
    first, result = report(tmp_path, *arguments)
    second, _ = report(tmp_path, *arguments, "--workers", "2")
    assert first == second and first["bootstrap"]["unit"] == "sequence"
    low, high = first["intervals"]["hota.HOTA"]
    assert low < first["combined"]["hota"]["HOTA"] < high
    assert f"[{100 * low:.2f}, {100 * high:.2f}]" in result.stdout


def test_metrics_that_are_left_out(tmp_path):
    write_mot_case(tmp_path, seed=1)
    ours, result = report(
        tmp_path, "mot", "--gt", tmp_path / "gt", "--results", tmp_path / "results", "--metrics", "identity"
    )
    assert set(ours["combined"]) == {"identity"} and "HOTA" not in result.stdout
    wrong = run("mot", "--gt", tmp_path / "gt", "--results", tmp_path / "results", "--metrics", "ap")
    assert wrong.returncode == 2 and "'ap' is none of hota, clear, identity" in wrong.stderr


def test_a_file_of_another_sequence_is_a_warning(tmp_path):
    write_mot_case(tmp_path, seed=1)
    (tmp_path / "results" / "data" / "OTHER.txt").write_text("")
    _, result = report(tmp_path, "mot", "--gt", tmp_path / "gt", "--results", tmp_path / "results")
    assert "warning: " in result.stderr and "OTHER.txt: the ground truth has no such sequence" in result.stderr


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("results/data/SEQ-01.txt", None, "/results/data: there is no SEQ-01.txt (1 missing)"),
        ("results/data/SEQ-01.txt", "1,1,0,0,5\n", "SEQ-01.txt: line 1: has 5 numbers"),
        ("results/data/SEQ-01.txt", "1,1,0,0,5,5,1\n1,1,0,0,5,5,1\n", "SEQ-01.txt: line 2: this id is in this frame"),
        ("results/data/SEQ-01.txt", "99,1,0,0,5,5,1\n", "SEQ-01.txt: line 1: a frame beyond the sequence's"),
        ("gt/SEQ-00/gt/gt.txt", "1,1,0,0,5,5,1,99,1\n", "SEQ-00/gt/gt.txt: line 1: a class that is none"),
        ("gt/SEQ-00/seqinfo.ini", "[Sequence]\nseqLength=x\n", "SEQ-00/seqinfo.ini: must say seqLength"),
        ("gt/SEQ-00/seqinfo.ini", "seqLength=4\n", "SEQ-00/seqinfo.ini: must say seqLength"),
    ],
)
def test_broken_files(tmp_path, file, content, message):
    write_mot_case(tmp_path, seed=2, num_sequences=2)
    (tmp_path / file).unlink() if content is None else (tmp_path / file).write_text(content)
    assert message in error_line("mot", "--gt", tmp_path / "gt", "--results", tmp_path / "results")


def test_scores_in_place_of_marks_are_a_warning(tmp_path):
    rows = "".join(
        f"{frame},1,0,0,10,10,{mark},1,1\n" for frame, mark in enumerate((0.9, 1, 0.5, 0, 1.5, -0.2, 0.1), 1)
    )
    for folder in ("gt", "results"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "A.txt").write_text(rows)
    gt = tmp_path / "gt" / "A.txt"
    for workers in (1, 2):
        ours, result = report(tmp_path, "mot", "--gt", tmp_path / "gt", "--results", gt, "--workers", workers)
        assert (ours["combined"]["clear"]["CLR_TP"], ours["combined"]["clear"]["CLR_FP"]) == (2, 5)
        places = f"{gt}: line 1, {gt}: line 3, {gt}: line 6 and 1 more"
        text = "a mark that is not whole is cut off to 0, and the box does not count; is it a score?"
        assert ours["warnings"] == [f"{places}: {text}"] and result.stderr == f"warning: {places}: {text}\n"


def test_no_ground_truth(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "/empty: holds no ground truth" in error_line("mot", "--gt", tmp_path / "empty", "--results", tmp_path)
    assert "gone" in error_line("mot", "--gt", tmp_path / "gone", "--results", tmp_path)


def test_the_command_offers_all_benchmarks():
    assert list(BENCHMARKS) == list(MOT_BENCHMARKS)


def test_some_of_the_sequences(tmp_path):
    write_mot_case(tmp_path, seed=3, num_sequences=4)
    arguments = ("mot", "--gt", tmp_path / "gt", "--results", tmp_path / "results")
    every, _ = report(tmp_path, *arguments)
    (tmp_path / "results" / "data" / "SEQ-01.txt").unlink()  # as one has results of one detector only
    some, result = report(tmp_path, *arguments, "--sequences", "*-00", "SEQ-0[23]")
    names = ["SEQ-00", "SEQ-02", "SEQ-03"]
    assert some["sequences"] == {name: every["sequences"][name] for name in names} and result.stderr == ""
    assert "/gt: holds no sequence SEQ-9*, but SEQ-00, SEQ-01" in error_line(*arguments, "--sequences", "SEQ-9*")
