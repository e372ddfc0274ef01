"""Training videos of YouTube-VIS that are held out: by name, with the classes that COCO has, and out of YouTube-VOS."""

import json

import numpy as np
import pytest
from detectron2.data import MetadataCatalog

from ictrack.command.main import main
from ictrack.data.datasets.local_split import write_local_split
from ictrack.data.datasets.unlabeled_videos import exclude_videos
from ictrack.structures.categories import YTVIS_2019_CATEGORIES, map_classes
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.labels.select import is_held_out
from ictrack.structures.rle import encode_mask

# Of the first forty names, at a share of 0.1: on every machine.
HELD_OUT = ["0000000004", "000000000a", "0000000014", "000000001a", "0000000026"]


def write(path, num_videos=60, labeled=True):
    names = [f"{number:010x}" for number in range(num_videos)]
    videos = [
        {"id": i, "height": 4, "width": 6, "length": 1, "file_names": [f"{name}/00000.jpg"]}
        for i, name in enumerate(names, 1)
    ]
    categories = [{"id": i, "name": name} for i, name in enumerate(YTVIS_2019_CATEGORIES, 1)]
    rle = encode_mask(np.ones((4, 6), dtype=bool))
    tracks = [
        {"id": i, "video_id": i, "category_id": 1 + i % 40, "iscrowd": 0, "segmentations": [rle], "areas": [24]}
        for i in range(1, num_videos + 1)
    ]
    content = {"videos": videos, "categories": categories, "annotations": tracks}
    path.write_text(json.dumps({key: x for key, x in content.items() if labeled or key != "annotations"}))
    return names


def test_held_out_videos_and_their_classes(tmp_path):
    names = write(tmp_path / "train.json")
    files = [str(tmp_path / name) for name in ("train.json", "held_out.json")]
    assert main(["prepare", "local-split", *files, "--share", "0.5"]) == 0
    split = json.loads((tmp_path / "held_out.json").read_text())
    coco = MetadataCatalog.get("coco_2017_train").thing_classes
    shared = {YTVIS_2019_CATEGORIES[j] for j in map_classes(coco, YTVIS_2019_CATEGORIES).values()}
    assert {category["name"] for category in split["categories"]} == shared and len(shared) == 19
    expected = [n for i, n in enumerate(names, 1) if is_held_out(n, 0.5) and YTVIS_2019_CATEGORIES[i % 40] in shared]
    kept = [video["file_names"][0].split("/")[0] for video in split["videos"]]
    assert kept == expected and 5 < len(kept) < 25 and len(split["annotations"]) == len(kept)
    records = [{"video_name": name} for name in names]
    left = exclude_videos(records, [str(tmp_path / "held_out.json")])
    assert [record["video_name"] for record in left] == [name for name in names if name not in expected]


def test_the_rule_is_one_of_names_alone():
    names = [f"{number:010x}" for number in range(4000)]
    assert sum(is_held_out(name, 0.1) for name in names) == pytest.approx(400, abs=80)
    assert all(is_held_out(name, 0.2) for name in names if is_held_out(name, 0.1))
    assert not any(is_held_out(name, 0.0) for name in names) and all(is_held_out(name, 1.0) for name in names)
    assert [name for name in names[:40] if is_held_out(name, 0.1)] == HELD_OUT


def test_files_that_give_no_split(tmp_path):
    write(tmp_path / "valid.json", labeled=False)
    with pytest.raises(AnnotationError, match=r"valid\.json: has no annotations"):
        write_local_split(tmp_path / "valid.json", tmp_path / "out.json", 0.5)
    write(tmp_path / "train.json", num_videos=3)
    with pytest.raises(AnnotationError, match=r"train\.json: none of its videos is held out"):
        write_local_split(tmp_path / "train.json", tmp_path / "out.json", 0.0)
    assert not (tmp_path / "out.json").exists()
