"""Damaged files of detections end in one error that names them, and in nothing else."""

import copy
import json
import random

import numpy as np
import pytest
from track_cases import HEIGHT, WIDTH, random_frame, video_info

from ictrack.structures.detections import read_detections
from ictrack.structures.joints import COCO_17
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.track_formats import FORMATS

TIMES = 40
WRONG = [None, True, -1, 0, 1.5, float("inf"), -1e308, float("nan"), "x", "", [], {}, [[]], 10**30, [1, 2, 3],
         {"size": [1, 1], "counts": "~"}]  # fmt: skip
LABELME = {
    "imagePath": "a.png",
    "imageHeight": HEIGHT,
    "imageWidth": WIDTH,
    "shapes": [
        {"label": "a", "points": [[1, 1], [5, 1], [5, 5]], "shape_type": "polygon", "group_id": 1},
        {"label": "b", "points": [[1, 1], [5, 5]], "shape_type": "rectangle"},
    ],
}


def damaged_text(data, rng):
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        position = rng.randrange(len(data))
        kind = rng.randrange(3)
        if kind == 0:
            data[position] = rng.choice(b'0123456789-,. "<>=xe\n')
        elif kind == 1:
            del data[position : position + rng.randint(1, 6)]
        else:
            data[position:position] = bytes(rng.choices(b"0123456789-,.xe\n", k=3))
    return bytes(data)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def damaged_json(data, rng):
    data = copy.deepcopy(data)
    path = rng.choice([path for path in places(data) if path])
    holder = data
    for key in path[:-1]:
        holder = holder[key]
    if isinstance(holder, dict) and rng.random() < 0.3:
        del holder[path[-1]]
    else:
        holder[path[-1]] = rng.choice(WRONG)
    return json.dumps(data).encode()


def check(path, name, damaged):
    """Read what ``damaged`` gives for random numbers, and look at every frame."""
    for seed in range(TIMES):
        file = path / "00000.txt" if name == "yolo" else path
        file.write_bytes(damaged(random.Random(seed)))
        try:
            source = read_detections(path, name)
            for index in range(5):
                source.frame(index, (HEIGHT, WIDTH))
        except AnnotationError as error:
            assert str(path) in str(error), seed


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("mots-png", "parquet")])
def test_formats_of_tracks(tmp_path, name):
    path = tmp_path / f"file{FORMATS[name].suffixes[0]}"
    rng = np.random.default_rng(0)
    frames = [random_frame(rng, index, 3, True, len(COCO_17), True) for index in range(4)]
    FORMATS[name].write(path, video_info(COCO_17.names), frames)
    data = path.read_bytes()
    check(path, name, lambda rng: damaged_text(data, rng))
    if path.suffix == ".json":
        content = json.loads(data)
        check(path, name, lambda rng: damaged_json(content, rng))


def test_parquet(tmp_path):
    test_formats_of_tracks(tmp_path, "parquet")


@pytest.mark.parametrize("text", [b"0 0.5 0.5 0.2 0.2 0.9\n1 0.1 0.2 0.3 0.4 0.5 3\n", b"0 0.1 0.1 0.5 0.1 0.5 0.5\n"])
def test_yolo(tmp_path, text):
    check(tmp_path, "yolo", lambda rng: damaged_text(text, rng))


def test_labelme(tmp_path):
    check(tmp_path / "a.json", "labelme", lambda rng: damaged_json(LABELME, rng))
