"""Damaged labels end in one declared error that names the file, and in nothing else, in time."""

import random
from pathlib import Path

import pytest
from label_cases import small_labels

from fuzzing.damage import mutate_bytes, mutate_value, time_limit
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.labels import LABEL_FORMATS

NUM_MUTANTS = 60
# Format -> name of the file in what is written, "" for the target itself.
FILES = {
    "coco": "",
    "youtube-vis": "",
    "posetrack": "clip.json",
    "posetrack17": "clip.json",
    "labelme": "clip/00000.json",
    "cvat": "clip.xml",
    "mot": "clip/gt/gt.txt",
    "mots": "clip.txt",
    "mots-png": "clip/000000.png",
    "davis": "clip/00000.png",
    "mpii": "",
}


@pytest.mark.parametrize("name", FILES)
def test_damaged_labels(name, tmp_path):
    target = tmp_path / "labels"
    LABEL_FORMATS[name].write(target, small_labels(name))
    check(name, target, target / FILES[name])


def test_damaged_descriptions_of_sequences(tmp_path):
    target = tmp_path / "labels"
    LABEL_FORMATS["mot"].write(target, small_labels("mot"))
    check("mot", target, target / "clip" / "seqinfo.ini")


def check(name, target: Path, file: Path):
    whole = file.read_bytes()
    LABEL_FORMATS[name].read(target)
    num_refused = 0
    for seed in range(NUM_MUTANTS):
        rng = random.Random(seed)
        is_json = whole.startswith(b"{")
        file.write_bytes((mutate_value if is_json and seed % 3 else mutate_bytes)(rng, whole))
        with time_limit():
            try:
                LABEL_FORMATS[name].read(target)
            except AnnotationError as error:
                num_refused += 1
                message = str(error)
                assert str(target) in message or file.name in message, (seed, message)
    assert num_refused > 5
