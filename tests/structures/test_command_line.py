"""Numbers, outputs and errors of the command line."""

import argparse
import os

import pytest

from ictrack.structures.command_line import (
    OutputError,
    check_outputs,
    frame_rate,
    non_negative_int,
    positive_int,
    positive_number,
    run_command,
    share,
)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "-5", "0", "ten", ""])
@pytest.mark.parametrize("kind", [positive_int, positive_number])
def test_numbers_that_are_none(kind, text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be"):
        kind(text)


@pytest.mark.parametrize("text", ["1e-9", "0.0009", "1e9", "nan", "-5"])
def test_frame_rates_that_no_video_has(text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be"):
        frame_rate(text)


def test_numbers():
    assert [frame_rate(text) for text in ("0.001", "29.97", "100000")] == [0.001, 29.97, 100000]

    assert (positive_int("3"), non_negative_int("0"), positive_number("1e-9"), positive_number("29.97")) == (
        3, 0, 1e-9, 29.97,
    )  # fmt: skip
    assert [share(text) for text in ("0", "0.5", "1")] == [0, 0.5, 1]
    with pytest.raises(argparse.ArgumentTypeError):
        non_negative_int("-1")
    for text in ("-0.1", "1.1", "nan", "half"):
        with pytest.raises(argparse.ArgumentTypeError, match="from 0 to 1"):
            share(text)


@pytest.fixture
def clip(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"film")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.mp4").symlink_to("clip.mp4")
    os.link(tmp_path / "clip.mp4", tmp_path / "hard.mp4")
    return tmp_path / "clip.mp4"


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (["folder"], "folder: is a folder"),
        (["new/"], "is a folder"),
        (["a.mp4", "folder"], "folder: is a folder"),
        (["a.mp4", "clip.mp4"], "clip.mp4: is the input"),
        (["folder/../clip.mp4"], "is the input"),
        (["link.mp4"], "is the input"),
        (["hard.mp4"], "is the input"),
        (["same.mp4", "same.mp4"], "also the output"),
        (["same.mp4", "./folder/../same.mp4"], "also the output"),
        (["clip.mp4/x.mp4"], "cannot be written"),
        (["a" * 300], "cannot be written"),
    ],
)
def test_outputs_that_would_fail_or_destroy(clip, outputs, message, monkeypatch):
    monkeypatch.chdir(clip.parent)
    before = sorted(path.name for path in clip.parent.iterdir())
    with pytest.raises(OutputError, match=message):
        check_outputs(outputs, ["clip.mp4", None])
    assert clip.read_bytes() == b"film" and sorted(path.name for path in clip.parent.iterdir()) == before


def test_outputs_whose_folder_is_made(clip):
    check_outputs([None, clip.parent / "deep" / "er" / "x.mp4"], [clip])
    assert list((clip.parent / "deep" / "er").iterdir()) == []
    with pytest.raises(OutputError, match=r"/proc/nope/x\.mp4: cannot be written"):
        check_outputs(["/proc/nope/x.mp4"], [])


def raising(error):
    raise error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FileNotFoundError(2, "No such file or directory", "x.json"), "error: x.json: No such file or directory\n"),
        (ValueError("a\nb"), "error: a b\n"),
        (
            ValueError(
                "Caught ImageReadError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
                '  File "x.py", line 1, in f\nictrack.data.image_file.ImageReadError: 1.png: is: cut\n'
            ),
            "error: 1.png: is: cut\n",
        ),
        (FloatingPointError("the loss is nan"), "error: the loss is nan\n"),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            "error: No module named 'torch'; `ictrack doctor`",
        ),
        (KeyError("Dataset 'mine' is not registered! Available: none"), "error: Dataset 'mine' is not registered"),
    ],
)
def test_a_user_gets_one_line(error, line, capsys):
    assert run_command(lambda: raising(error)) == 1
    out, err = capsys.readouterr()
    assert err.startswith(line) and err.count("\n") == 1 and not out


def test_faults_of_the_program_keep_their_traceback():
    own = ModuleNotFoundError("No module named 'ictrack.gone'", name="ictrack.gone")
    for error in (KeyError("pred_boxes"), TypeError("x"), RuntimeError("x"), own):
        with pytest.raises(type(error)):
            run_command(lambda error=error: raising(error))
    assert run_command(lambda: None) == 0 and run_command(lambda: 3) == 3
