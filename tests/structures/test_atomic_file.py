"""Files that appear when they are complete."""

import errno
import os
import subprocess
import sys

import pytest

from ictrack.structures.atomic_file import part_of, remove_stale_parts, replacing, replacing_path
from ictrack.structures.command_line import user_error


def contents(folder):
    return [(child.name, child.read_text()) for child in folder.iterdir()]


def test_the_file_before_stays_where_writing_fails(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("before")
    with pytest.raises(RuntimeError), replacing(path) as file:
        file.write(b"after")
        raise RuntimeError
    assert contents(tmp_path) == [("a.json", "before")]
    with replacing(path) as file:
        file.write(b"after")
        assert path.read_text() == "before"
    assert contents(tmp_path) == [("a.json", "after")]


def test_a_folder_is_not_replaced(tmp_path):
    with pytest.raises(IsADirectoryError) as raised, replacing(tmp_path):
        pass
    assert user_error(raised.value) == f"{tmp_path}: is a folder; name a file"
    assert not list(tmp_path.parent.glob(".*.part"))


def test_whoever_opens_the_file_itself(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with replacing_path(path) as part:
        part.write_text("whole")
        assert part.parent == path.parent and not path.exists()
    assert contents(path.parent) == [("a.txt", "whole")]
    with pytest.raises(RuntimeError), replacing_path(path):
        raise RuntimeError  # before anything was written
    assert contents(path.parent) == [("a.txt", "whole")]


def test_what_a_killed_process_left_is_removed(tmp_path):
    path = tmp_path / "a[1].mp4"
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    stale = tmp_path / f".a[1].mp4.{ended.stdout.strip()}.part"
    kept = [part_of(path), tmp_path / ".a[1].mp4.x.part", tmp_path / f".other.mp4.{ended.stdout.strip()}.part"]
    for part in (stale, *kept):
        part.write_text("")
    remove_stale_parts(path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert os.getpid() == int(part_of(path).name.split(".")[-2])


def test_a_folder_that_a_killed_process_left_is_deleted(tmp_path):
    stale = tmp_path / ".a.999999999.part"
    stale.mkdir()
    (stale / "b").write_text("")
    remove_stale_parts(tmp_path / "a")
    assert not stale.exists()


def test_an_error_of_the_system_names_the_file(tmp_path):
    with pytest.raises(OSError, match="No space") as raised, replacing(tmp_path / "a.json"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert raised.value.filename == str(tmp_path / "a.json")
    assert user_error(raised.value).endswith("a.json: No space left on device")
    with pytest.raises(FileNotFoundError) as raised, replacing(tmp_path / "a.json"):
        (tmp_path / "b.json").read_bytes()
    assert raised.value.filename == str(tmp_path / "b.json")
