"""The check of annotations, from the command line."""

import json

import numpy as np
import pytest
from coco_squares import content_of, write_squares
from PIL import Image

from ictrack.command.main import main


@pytest.fixture()
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    write_squares(tmp_path / "images")
    (tmp_path / "a.json").write_text(json.dumps(content_of(2)))
    return tmp_path


def test_a_clean_file(folder, capsys):
    assert main(["check", "a.json", "images"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "a.json: COCO: 6 images, 12 annotations, 2 categories",
        "errors: 0",
        "warnings: 0",
    ]


def test_defects_give_status_1(folder, capsys):
    (folder / "images" / "4.png").unlink()
    assert main(["check", "a.json", "images"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == ["error: images[4]: images/4.png: no such file", "errors: 1 (missing file 1)", "warnings: 0"]
    assert main(["check", "a.json"]) == 0


def test_wrong_arguments(folder, capsys):
    assert main(["check", "absent.json"]) == 1
    assert capsys.readouterr().err == "error: absent.json: No such file or directory\n"
    with pytest.raises(SystemExit):
        main(["check", "a.json", "no_folder"])


def test_a_contact_sheet_shows_what_is_wrong(folder, capsys):
    content = content_of(2)
    content["annotations"][0] |= {"bbox": [80, 5, 30, 10], "segmentation": []}
    content["annotations"][5]["segmentation"]["counts"] = [1]
    (folder / "bad.json").write_text(json.dumps(content))
    assert main(["check", "bad.json", "images", "--contact-sheet", "wrong.png"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "wrong.png: 2 of 2 defects"
    sheet = np.array(Image.open(folder / "wrong.png")).astype(int)
    is_box = (sheet[..., 0] > 200) & (sheet[..., 1:].max(axis=2) < 60)
    left, right = is_box[:, : sheet.shape[1] // 4], is_box[:, sheet.shape[1] // 4 : sheet.shape[1] // 2]
    assert left.sum() > 200 and right.sum() > 200 and not is_box[:, sheet.shape[1] // 2 :].any()
    assert main(["check", "a.json", "images", "--contact-sheet", "none.png"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "none.png: not written, no defects"
    assert not (folder / "none.png").exists()
    assert main(["check", "a.json", "images", "--contact-sheet", "images"]) == 1


def test_a_format_by_name(folder, capsys):
    (folder / "walk.txt").write_text("1,1,1,2,3,4,1,1,1\n1,1,1,2,3,4,1,1,1\n")
    assert main(["check", "walk.txt"]) == main(["check", "walk.txt", "--format", "mot"]) == 1
    out = capsys.readouterr().out
    assert "walk.txt: MOTChallenge: 1 videos of 1 frames, 2 objects" in out and "(track 1)" in out
    assert main(["check", "walk.txt", "--format", "yolo"]) == 1
    assert "'yolo' is no format that can be checked; they are json, mot" in capsys.readouterr().err
    assert main(["check", "images"]) == 0
    assert "images: footage: 1 videos, of which 6 frames are images" in capsys.readouterr().out
