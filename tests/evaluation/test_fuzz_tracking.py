"""Damaged files of MOTChallenge, MOTS, TAO and BURST: they are refused in one line, or give scores."""

import math
import random
from functools import partial

import pytest
from mot_case import write_mot_case
from mots_case import write_mots_case
from tao_case import burst_case, tao_case, write_case

from fuzzing.damage import mutate_bytes, mutate_value, time_limit
from ictrack.evaluation.reports.mot import mot_report
from ictrack.evaluation.reports.mots import mots_report
from ictrack.evaluation.reports.tables import to_json
from ictrack.evaluation.reports.tao import tao_report
from ictrack.structures.json_files import AnnotationError

NUM_MUTANTS = 100


def check(score, *files):
    """Whether a report is made, of finite numbers; else the error is one line that names a file."""
    try:
        with time_limit():
            report = score()
    except AnnotationError as error:
        text = str(error)
        assert text.isprintable() and len(text) < 1000
        assert any(str(file) in text for file in files), text
        return False
    assert all(math.isfinite(value) for value in numbers_of(to_json(report)))
    return True


def numbers_of(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from numbers_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from numbers_of(item)
    elif isinstance(value, (int, float)):
        yield value


@pytest.mark.parametrize("part", ["gt/SEQ-00/gt/gt.txt", "results/data/SEQ-00.txt", "gt/SEQ-00/seqinfo.ini"])
def test_mot(tmp_path, part):
    write_mot_case(tmp_path, seed=0, num_sequences=1)
    path, rng = tmp_path / part, random.Random(0)
    content = path.read_bytes()
    scored = 0
    for _ in range(NUM_MUTANTS):
        path.write_bytes(mutate_bytes(rng, content))
        scored += check(lambda: mot_report(tmp_path / "gt", tmp_path / "results"), tmp_path)
    assert 0 < scored < NUM_MUTANTS


@pytest.mark.parametrize("part", ["gt/0000.txt", "results/data/0000.txt"])
def test_mots(tmp_path, part):
    write_mots_case(tmp_path, seed=0, num_sequences=1)
    path, rng = tmp_path / part, random.Random(1)
    content = path.read_bytes()
    scored = 0
    for _ in range(NUM_MUTANTS):
        path.write_bytes(mutate_bytes(rng, content))
        scored += check(lambda: mots_report(tmp_path / "gt", tmp_path / "results", benchmark="generic"), tmp_path)
    assert 0 < scored < NUM_MUTANTS


@pytest.mark.parametrize("make", [tao_case, burst_case], ids=["TAO", "BURST"])
@pytest.mark.parametrize("part", [0, 1], ids=["gt", "results"])
def test_tao(tmp_path, make, part):
    case, rng = make(0), random.Random(2)
    scored = 0
    for i in range(2 * NUM_MUTANTS):
        paths = write_case(tmp_path, case)
        mutate = mutate_bytes if i % 2 else mutate_value
        paths[part].write_bytes(mutate(rng, paths[part].read_bytes()))
        scored += check(partial(tao_report, *paths), *paths)
    assert 0 < scored < 2 * NUM_MUTANTS
