import copy
import gc
import gzip
import json

import pytest
from pycocotools import mask as mask_util
from tiny_video_dataset import ground_truth

from ictrack.structures import json_files
from ictrack.structures.json_files import AnnotationError, no_garbage_collection, read_json
from ictrack.structures.youtube_vis_json import normalize_segmentations, polygons_to_rle, read_ground_truth


def set_in(data, keys, value):
    for key in keys[:-1]:
        data = data[key]
    if value is ...:
        del data[keys[-1]]
    else:
        data[keys[-1]] = value


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["videos"], ..., "videos: must be a list"),
        (["categories"], {}, "categories: must be a list"),
        (["categories", 0, "name"], 5, r"categories\[0\].name: must be a string"),
        (["categories", 1, "id"], 9, r"categories\[1\].id: 9 is used twice"),
        (["videos", 0, "id"], "7", r"videos\[0\].id: must be an integer, not '7'"),
        (["videos", 2, "id"], 7, r"videos\[2\].id: 7 is used twice"),
        (["videos", 1], 3, r"videos\[1\]: must be an object"),
        (["videos", 1, "height"], ..., r"videos\[1\].height: must be a positive integer, not None"),
        (["videos", 1, "width"], 0, r"videos\[1\].width: must be a positive integer, not 0"),
        (["videos", 1, "file_names"], ..., r"videos\[1\].file_names: must be a list of strings"),
        (["videos", 1, "length"], 99, r"videos\[1\].length: is 99, but there are 5 file_names"),
        (["annotations", 4, "id"], 1, r"annotations\[4\].id: 1 is used twice"),
        (["annotations", 4, "video_id"], 1, r"annotations\[4\].video_id: 1 is not the id"),
        (["annotations", 4, "category_id"], ..., r"annotations\[4\].category_id: None is not the id"),
        (["annotations", 4, "segmentations"], ..., r"annotations\[4\].segmentations: must be a list"),
        (["annotations", 4, "segmentations"], [None], r"annotations\[4\].segmentations: has 1 entries, the video 5"),
        (["annotations", 4, "areas"], [1, 2], r"annotations\[4\].areas: has 2 entries, the video 5"),
    ],
)
def test_malformed_ground_truth_is_located(tmp_path, keys, value, message):
    data = copy.deepcopy(ground_truth())
    set_in(data, keys, value)
    path = tmp_path / "gt.json"
    path.write_text(json.dumps(data))
    with pytest.raises(AnnotationError, match=message) as caught:
        read_ground_truth(path)
    assert str(path) in str(caught.value)


def test_damaged_files_are_named(tmp_path):
    text = json.dumps(ground_truth()).encode()
    for name, content in {
        "cut.json": text[: len(text) // 2],
        "bytes.json": b"\xff\xfe\x00",
        "no.json.gz": b"not gzip",
        "cut.json.gz": gzip.compress(text)[:-20],
        "flipped.json.gz": gzip.compress(text)[:40] + b"XXXX" + gzip.compress(text)[44:],
        "deep.json": b"[" * 200_000,
        "list.json": b"[]",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(AnnotationError, match=name):
            read_ground_truth(tmp_path / name)


def test_gzip_and_test_sets_are_read(tmp_path):
    data = ground_truth(labeled=False)
    (tmp_path / "gt.json.gz").write_bytes(gzip.compress(json.dumps(data).encode()))
    assert read_ground_truth(tmp_path / "gt.json.gz") == data
    (tmp_path / "null.json").write_text(json.dumps({**data, "annotations": None}))
    assert read_json(tmp_path / "null.json")["annotations"] is None
    read_ground_truth(tmp_path / "null.json")


def test_polygons_are_drawn_by_pycocotools():
    polygons = [[2, 2, 10, 2, 10, 8], [12, 1, 18.5, 1, 18.5, 9, 12, 9]]
    expected = mask_util.merge(mask_util.frPyObjects(polygons, 20, 24))
    assert polygons_to_rle(polygons, (20, 24), "here") == expected
    runs = {"size": [20, 24], "counts": [470, 10]}
    rles, areas = normalize_segmentations([polygons, runs], ["a", "b"], [(20, 24)] * 2)
    assert rles[0] == expected
    assert areas.tolist() == [int(mask_util.area(expected)), 10]
    assert mask_util.decode(rles[1]).ravel(order="F").tolist() == [0] * 470 + [1] * 10


@pytest.mark.parametrize(
    "polygon", [[1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, "6"], [0, 0, 1e300, 0, 1, 1], 5]
)
def test_bad_polygons_are_located(polygon):
    with pytest.raises(AnnotationError, match=r"x\[1\]: a polygon is"):
        polygons_to_rle([[0, 0, 1, 1, 2, 0], polygon], (5, 5), "x")


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_is_as_before(enabled):
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(KeyError), no_garbage_collection():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_frozen_objects_are_counted_after_a_long_time_only(monkeypatch):
    counts = []
    monkeypatch.setattr(gc, "get_freeze_count", lambda: counts.append(1) or 1)
    with no_garbage_collection():
        pass
    assert not counts
    monkeypatch.setattr(json_files, "_LONG_SECONDS", 0)
    with no_garbage_collection():
        pass
    assert counts == [1]


def generation_of(wanted):
    return next(number for number in range(3) if any(x is wanted for x in gc.get_objects(generation=number)))


@pytest.mark.parametrize("frozen", [0, 1])
def test_what_was_read_is_old_unless_something_is_frozen(frozen, monkeypatch):
    monkeypatch.setattr(json_files, "_LONG_SECONDS", 0)
    monkeypatch.setattr(gc, "get_freeze_count", lambda: frozen)
    with no_garbage_collection():
        content = [[]]
    assert generation_of(content) == (0 if frozen else 2)
