"""The check of annotations, from the command line."""

import json

import pytest
from coco_squares import content_of, write_squares

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
