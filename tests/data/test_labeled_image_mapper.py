import cv2
import numpy as np
import pytest
import torch
from detectron2.data import transforms as T
from detectron2.structures import BoxMode
from pycocotools import mask as coco_mask

from ictrack.data.augmentation import ColorTransform, build_train_augmentation
from ictrack.data.bad_files import BadFilesError
from ictrack.data.labeled_image_mapper import LabeledImageMapper
from ictrack.data.mixed_loader import flatten_views
from ictrack.engine.setup import load_config


@pytest.fixture
def record(tmp_path):
    """An image of 40 x 60 with a white square, a mask of it, and a crowd."""
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:20, 5:15] = 255
    path = tmp_path / "square.png"
    cv2.imwrite(str(path), image)
    mask = coco_mask.encode(np.asfortranarray(image[..., 0] > 0))
    annotation = {"bbox": [5, 10, 10, 10], "bbox_mode": BoxMode.XYWH_ABS, "category_id": 3, "segmentation": mask}
    return {
        "file_name": str(path),
        "height": 40,
        "width": 60,
        "image_id": 7,
        "annotations": [{**annotation, "iscrowd": 0}, {**annotation, "iscrowd": 1}],
    }


def mapper(augmentations=(), num_views=2, max_bad_images=1):
    return LabeledImageMapper(
        augmentations=list(augmentations), image_format="RGB", num_views=num_views, max_bad_images=max_bad_images
    )


def test_views_share_identities_and_masks_follow_the_image(record):
    views = mapper([T.RandomFlip(prob=1.0)])(record)["views"]
    assert len(views) == 2
    for view in views:
        instances = view["instances"]
        assert view["image"].shape == (3, 40, 60)
        assert instances.gt_classes.tolist() == [3]  # the crowd is gone
        assert torch.equal(instances.gt_masks.tensor[0], view["image"][0] > 0)
        assert instances.gt_boxes.tensor.tolist() == [[45, 10, 55, 20]]
    assert views[0]["instances"].gt_ids.tolist() == views[1]["instances"].gt_ids.tolist()


def test_the_annotated_box_counts_unless_it_is_cut_or_turned(record):
    """As published; the box of this annotation is wider than its mask."""
    record["annotations"] = [{**record["annotations"][0], "bbox": [0, 8, 20, 14]}]
    resized = mapper([T.Resize((80, 120)), T.RandomFlip(prob=1.0)])(record)["views"][0]["instances"]
    assert resized.gt_boxes.tensor.tolist() == [[80, 16, 120, 44]]
    cropped = mapper([T.RandomCrop("absolute", (40, 59))])(record)["views"][0]["instances"]
    assert cropped.gt_boxes.tensor.tolist() == cropped.gt_masks.get_bounding_boxes().tensor.tolist()
    turned = mapper([T.RandomRotation([10, 10], expand=False)])(record)["views"][0]["instances"]
    assert turned.gt_boxes.tensor.tolist() == turned.gt_masks.get_bounding_boxes().tensor.tolist()


@pytest.mark.parametrize("box", [[5, 10, 0, 0], [5, 10, 10, 0], [-20, 10, 10, 10]], ids=["point", "flat", "outside"])
def test_an_object_whose_annotated_box_is_empty_has_that_of_its_mask(record, box):
    record["annotations"] = [{**record["annotations"][0], "bbox": box}]
    instances = mapper([T.RandomFlip(prob=0.0)])(record)["views"][0]["instances"]
    assert instances.gt_boxes.tensor.tolist() == [[5, 10, 15, 20]]


def test_identities_differ_between_images(record, tmp_path):
    other = dict(record, file_name=str(tmp_path / "other.png"))
    cv2.imwrite(other["file_name"], np.zeros((40, 60, 3), np.uint8))
    first, second = (mapper()(item)["views"][0]["instances"].gt_ids for item in (record, other))
    assert not set(first.tolist()) & set(second.tolist())


def test_an_image_without_instances(record):
    view = mapper(num_views=1)(dict(record, annotations=[]))["views"][0]
    assert len(view["instances"]) == 0
    assert view["instances"].gt_masks.tensor.shape == (0, 40, 60)


def test_bad_images_are_counted_then_fatal(record, tmp_path, caplog):
    bad = [dict(record, file_name=str(tmp_path / name)) for name in ("text.jpg", "absent.jpg")]
    (tmp_path / "text.jpg").write_text("not a picture")
    map_image = mapper()
    assert map_image(bad[0]) is None
    assert "text.jpg" in caplog.text
    with pytest.raises(BadFilesError, match=r"absent\.jpg.*2 images"):
        map_image(bad[1])


def test_the_limit_of_bad_images_is_a_share_of_the_data_set():
    cfg = load_config(overrides=["DATALOADER.MAX_BAD_SHARE", "0.1"])
    assert LabeledImageMapper.from_config(cfg, num_images=50)["max_bad_images"] == 5


def test_a_size_that_the_annotation_file_has_wrong_is_a_bad_image(record, caplog):
    assert mapper()(dict(record, height=41)) is None
    assert "square.png" in caplog.text


def test_batches_are_flat():
    batch = [{"views": ["a1", "a2"]}, {"views": ["b1", "b2"]}]
    assert flatten_views(batch) == ["a1", "a2", "b1", "b2"]


def test_color_transform_by_hand():
    image = np.full((2, 2, 3), 100, np.uint8)
    assert (ColorTransform(1.5, 1.0, 1.0, 0.0).apply_image(image) == 150).all()
    red = np.zeros((1, 1, 3), np.uint8)
    red[..., 0] = 255
    assert ColorTransform(1, 1, 1, 1 / 3).apply_image(red)[0, 0].argmax() == 1  # a third of the circle on: green
    assert ColorTransform(1, 1, 1, 0.0).apply_image(red).tolist() == red.tolist()
    assert np.ptp(ColorTransform(1, 1, 0.0, 0.0).apply_image(red)) == 0  # no saturation: grey
    half = np.array([[[50] * 3, [150] * 3]], np.uint8)
    assert ColorTransform(1, 0.5, 1, 0.0).apply_image(half)[0, :, 0].tolist() == [75, 125]


@pytest.mark.parametrize("scale", [0.5, 1.1])
def test_masks_and_boxes_follow_scale_and_crop(record, scale):
    cfg = load_config(overrides=["INPUT.SCALE_JITTER", f"[{scale},{scale}]", "INPUT.CROP_SIZE", "(40,60)"])
    view = mapper(build_train_augmentation(cfg), num_views=1)(record)["views"][0]
    assert view["image"].shape == (3, 40, 60)
    mask = view["instances"].gt_masks.tensor[0]
    assert 0 < mask.sum() <= 100 * scale**2 + 25  # nothing of the padding
    bright = view["image"][0] > 135  # the padding is 128
    assert (mask & bright).sum() / (mask | bright).sum() > 0.75
    ys, xs = mask.nonzero().unbind(1)
    expected = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    assert view["instances"].gt_boxes.tensor[0].tolist() == [float(value) for value in expected]


def test_squeezed_views_narrow_their_masks(record):
    cfg = load_config(overrides=["INPUT.SQUEEZE", "[0.5,0.5]", "INPUT.RANDOM_FLIP", "none"])
    plain, squeezed = (
        mapper(build_train_augmentation(c), num_views=1)(record)["views"][0]
        for c in (load_config(overrides=["INPUT.RANDOM_FLIP", "none"]), cfg)
    )
    height, width = plain["image"].shape[1:]
    assert squeezed["image"].shape[2] / squeezed["image"].shape[1] == pytest.approx(width / height / 2, rel=0.05)
    x0, y0, x1, y1 = plain["instances"].gt_boxes.tensor[0].tolist()
    a0, b0, a1, b1 = squeezed["instances"].gt_boxes.tensor[0].tolist()
    assert (a1 - a0) / (b1 - b0) == pytest.approx((x1 - x0) / (y1 - y0) / 2, rel=0.15)


def test_a_squeeze_that_is_no_range_is_refused():
    with pytest.raises(ValueError, match=r"INPUT\.SQUEEZE"):
        build_train_augmentation(load_config(overrides=["INPUT.SQUEEZE", "[0.0,1.0]"]))
