import pytest
from detectron2.data import MetadataCatalog
from published_class_maps import published_class_map

from ictrack.structures.categories import (
    OVIS_CATEGORIES,
    YTVIS_2019_CATEGORIES,
    YTVIS_2021_CATEGORIES,
    map_classes,
)


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
    assert {coco_id[i]: j + 1 for i, j in mapped.items()} == published_class_map(target)


def test_other_lists_map_by_name():
    assert map_classes(["mouse", "Tennis Racket", "unicorn"], ["tennis_racket", "Mouse"]) == {0: 1, 1: 0}
    assert map_classes(["bird", "mouse"], ["poultry", "bird", "mouse"]) == {0: 1, 1: 2}
    assert map_classes(YTVIS_2019_CATEGORIES, YTVIS_2019_CATEGORIES) == {i: i for i in range(40)}
    coco = MetadataCatalog.get("coco_2017_val").thing_classes
    assert map_classes(coco, [*coco, "lizard"]) == {i: i for i in range(80)}
