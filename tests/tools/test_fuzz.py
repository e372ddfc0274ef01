"""Every reader on damaged files: a short run of tools/fuzz.py, and its own rules on readers that break them."""

import json
import logging
import mmap
import random
import shutil
import sys
import time
from pathlib import Path

import pytest

from fuzzing import run
from fuzzing.damage import mutate_bytes, mutate_value, nested
from fuzzing.readers import CORPUS, READERS, Reader
from ictrack.structures.json_files import AnnotationError

# Files for each reader; decoding videos and configurations takes longer.
RUNS = {
    "video": 40,
    "random_access_video": 40,
    "config": 40,
    "identities": 40,
    "labels-sleap": 60,
    "labels-deeplabcut": 60,
}
MAX_CORPUS_BYTES = 85_000


@pytest.fixture(autouse=True)
def _quiet():
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
def test_readers_give_content_or_the_declared_error(name, tmp_path):
    result = run.fuzz(name, RUNS.get(name, 150), 0, tmp_path)
    assert not result.faults, "\n".join(result.faults)
    # A check of annotations lists defects, and refuses nothing.
    assert result.refused < result.runs and (result.refused > 0) == (name != "lint")


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_read(name, tmp_path):
    for number, path in enumerate(run.corpus_of(name)):
        if not path.name.startswith("case"):
            alone = tmp_path / str(number) / path.name  # some readers read a folder
            alone.parent.mkdir()
            READERS[name].read(Path(shutil.copy(path, alone)))


def test_the_corpus_is_small_and_used():
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MAX_CORPUS_BYTES
    used = {path for name in READERS for path in run.corpus_of(name)}
    assert used == set(files)


def test_damage_is_the_same_for_a_seed():
    data = (CORPUS / "coco" / "whole.json").read_bytes()
    for damage in (mutate_bytes, mutate_value):
        first, again = ([damage(random.Random(seed), data) for seed in range(20)] for _ in range(2))
        assert first == again and len(set(first)) > 15


def test_no_damage_is_too_deep_to_be_written():
    deep = json.dumps(nested(700)).encode()
    damaged = [mutate_value(random.Random(seed), deep) for seed in range(40)]
    assert deep in damaged and len(set(damaged)) > 10


def reader(read, **options):
    return Reader(read, AnnotationError, ("coco",), **options)


def unnamed(path: Path):
    raise AnnotationError("no name")


def busy(path: Path):
    start = time.process_time()
    while time.process_time() < start + 1:
        pass


RULES = {
    "another_error": (lambda path: {}["x"], "KeyError: 'x'"),
    "end": (lambda path: sys.exit(1), "SystemExit"),
    "no_name": (unnamed, "does not name the file"),
    "hang": (busy, "more than 0.2 seconds of work"),
    "memory": (lambda path: bytearray(b"x" * 2**26) and None, "bytes of memory"),
}


@pytest.mark.parametrize("rule", RULES)
def test_faults_are_told_and_their_files_kept(rule, tmp_path, monkeypatch):
    read, text = RULES[rule]
    monkeypatch.setitem(READERS, rule, reader(read, max_bytes=-1 if rule == "memory" else 2**28))
    monkeypatch.setattr(run, "MAX_SECONDS", 0.2)
    result = run.fuzz(rule, 2, 0, tmp_path)
    assert len(result.faults) == 2 and text in result.faults[0] and str(tmp_path) in result.faults[0]
    assert len(list(tmp_path.rglob("whole.json"))) == 2


def test_a_process_that_grows_is_told(tmp_path, monkeypatch):
    kept = []

    def leak(path: Path):
        # Pages of the system's: the process may have freed as much before, which an array would fill again.
        kept.append(mmap.mmap(-1, 2**20))
        kept[-1].write(b"x" * 2**20)

    monkeypatch.setitem(READERS, "leak", reader(leak))
    assert any("grew by" in fault for fault in run.fuzz("leak", 60, 0, tmp_path).faults)
