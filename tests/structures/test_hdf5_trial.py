"""HDF5 files that end the process that reads them, or keep it."""

import subprocess
import sys
from pathlib import Path

import pytest

from ictrack.structures import hdf5_trial
from ictrack.structures.hdf5_trial import try_hdf5
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.labels import sleap

WHOLE = Path(__file__).parents[1] / "data" / "fuzz" / "labels-sleap" / "whole.slp"


@pytest.fixture
def whole():
    pytest.importorskip("sleap_io")
    return WHOLE


def stand_in(code):
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_files_that_are_left_to_the_reader(whole, tmp_path):
    (tmp_path / "text.slp").write_text("no HDF5 at all")
    for path in (whole, tmp_path / "text.slp", tmp_path / "missing\nand odd.slp", whole):
        try_hdf5(path)
    assert len(hdf5_trial._started) == 1 and hdf5_trial._started[0].poll() is None  # one process for all of them


@pytest.mark.parametrize("code", ["input()", "input(); import time; time.sleep(60)", ""])
def test_a_process_that_does_not_answer_means_damage(whole, monkeypatch, code):
    monkeypatch.setattr(hdf5_trial, "_SECONDS", 1.0)
    process = stand_in(code)
    monkeypatch.setattr(hdf5_trial, "_started", [process])
    with pytest.raises(ValueError, match="it is damaged"):
        try_hdf5(whole)
    assert process.poll() is not None
    monkeypatch.undo()
    try_hdf5(whole)


def test_a_dataset_of_an_impossible_shape(whole, tmp_path):
    """HDF5 2.0 ends the process by a segmentation fault."""
    data = bytearray(whole.read_bytes())
    assert data[857] == 1
    data[857] = 3
    path = tmp_path / "damaged.slp"
    path.write_bytes(data)
    with pytest.raises(AnnotationError, match=r"damaged\.slp: cannot be read"):
        sleap.read(path)
