import pytest
from detectron2.data import MetadataCatalog

from ictrack.structures.categories import (
    OVIS_CATEGORIES,
    YTVIS_2019_CATEGORIES,
    YTVIS_2021_CATEGORIES,
    map_classes,
)

# COCO id -> id in the data set, as VITA, DVIS and CAVIS print it (ids begin with 1).
PUBLISHED = {
    YTVIS_2019_CATEGORIES: "1:1 2:21 3:6 4:21 5:28 7:17 8:29 9:34 17:14 18:8 19:18 21:15 22:32 23:20 24:30 25:22 35:33 "
    "36:33 41:5 42:27 43:40",
    YTVIS_2021_CATEGORIES: "1:26 2:23 3:5 4:23 5:1 7:36 8:37 9:4 16:3 17:6 18:9 19:19 21:7 22:12 23:2 24:40 25:18 "
    "34:14 35:31 36:31 41:29 42:33 43:34",
    OVIS_CATEGORIES: "1:1 2:21 3:25 4:22 5:23 6:25 8:25 9:24 17:3 18:4 19:5 20:6 21:7 22:8 23:9 24:10 25:11",
}


@pytest.mark.parametrize(
    ("target", "size", "covered"),
    [(YTVIS_2019_CATEGORIES, 40, 19), (YTVIS_2021_CATEGORIES, 40, 21), (OVIS_CATEGORIES, 25, 15)],
)
def test_coco_maps_as_published(target, size, covered):
    coco = MetadataCatalog.get("coco_2017_val")
    coco_id = {index: i for i, index in coco.thing_dataset_id_to_contiguous_id.items()}
    mapped = map_classes(coco.thing_classes, target)
    assert len(target) == len(set(target)) == size
    assert len(set(mapped.values())) == covered
    expected = dict(pair.split(":") for pair in PUBLISHED[target].split())
    assert {str(coco_id[i]): str(j + 1) for i, j in mapped.items()} == expected


def test_other_lists_map_by_name():
    assert map_classes(["mouse", "Tennis Racket", "unicorn"], ["tennis_racket", "Mouse"]) == {0: 1, 1: 0}
    assert map_classes(["bird", "mouse"], ["poultry", "bird", "mouse"]) == {0: 1, 1: 2}
    assert map_classes(YTVIS_2019_CATEGORIES, YTVIS_2019_CATEGORIES) == {i: i for i in range(40)}
