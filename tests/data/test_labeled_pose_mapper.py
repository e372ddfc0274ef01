"""Labeled people: who is kept, mirrored joints, joints outside, identities."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from detectron2.data import transforms as T
from detectron2.structures import BoxMode

from ictrack.data.labeled_pose_mapper import LabeledPoseMapper
from ictrack.data.person_crop import CropTransform
from ictrack.data.train_loader import build_train_loader
from ictrack.engine.setup import load_config
from ictrack.structures.joints import COCO_17

LEFT_KNEE, RIGHT_KNEE = COCO_17.index("left_knee"), COCO_17.index("right_knee")


def person(box, **joints):
    pose = np.zeros((17, 3))
    for name, place in joints.items():
        pose[COCO_17.index(name)] = place
    return {
        "bbox": box, "bbox_mode": BoxMode.XYXY_ABS, "category_id": 0, "iscrowd": 0, "keypoints": pose.ravel().tolist(),
        "segmentation": [[0, 0, 1, 0, 1, 1]],
    }  # fmt: skip


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "people.png"
    cv2.imwrite(str(path), np.zeros((40, 60, 3), np.uint8))
    crowd = {**person([0, 0, 60, 40], nose=(1, 1, 2)), "iscrowd": 1}
    return {
        "file_name": str(path), "height": 40, "width": 60, "image_id": 7, "annotated_joints": [True] * 17,
        "annotations": [
            crowd,
            person([10, 10, 20, 30], left_knee=(12, 20, 2), right_knee=(18, 20, 1)),
            person([30, 10, 40, 30]),  # without labeled joints
            person([44, 10, 56, 30], left_knee=(55, 20, 2), nose=(46, 12, 2)),
        ],
    }  # fmt: skip


def mapper(*augmentations, num_views=1, **options):
    options = {"joints": COCO_17, **options}
    return LabeledPoseMapper(
        augmentations=list(augmentations), image_format="RGB", num_views=num_views, max_bad_images=0, **options
    )


def one_view(record, *augmentations, **options):
    (view,) = mapper(*augmentations, **options)(record)["views"]
    return view


def crop(center, size=(40, 30), scale=1.0):
    class Crop(T.Augmentation):
        def get_transform(self, image, boxes):
            return CropTransform(scale, center, size, (0, 0, 0))

    return Crop()


def test_people_with_labeled_joints_are_kept(record):
    view = one_view(record)
    instances = view["instances"]
    assert view["image"].shape == (3, 40, 60) and "annotations" not in view
    assert instances.gt_boxes.tensor.tolist() == [[10, 10, 20, 30], [44, 10, 56, 30]]
    assert instances.gt_keypoints.tensor[0, [LEFT_KNEE, RIGHT_KNEE]].tolist() == [[12, 20, 2], [18, 20, 1]]
    assert instances.gt_classes.tolist() == [0, 0] and not instances.has("gt_masks")
    assert len(record["annotations"][1]["keypoints"]) == 51  # the record is left as it is


def test_a_mirrored_person_keeps_left_left(record):
    keypoints = one_view(record, T.RandomFlip(prob=1.0))["instances"].gt_keypoints.tensor
    assert keypoints[0, RIGHT_KNEE].tolist() == [60 - 12, 20, 2]
    assert keypoints[0, LEFT_KNEE].tolist() == [60 - 18, 20, 1]


def test_people_whose_center_is_outside_and_joints_outside_are_gone(record):
    """A view of columns 25 to 55: the last person's center is in it, but not the knee at 55.5; the first one's knee
    is, but not the center."""
    record["annotations"][1]["keypoints"][3 * RIGHT_KNEE] = 27
    record["annotations"][3]["keypoints"][3 * LEFT_KNEE] = 55.5
    instances = one_view(record, crop((40.0, 20.0)))["instances"]
    assert instances.gt_boxes.tensor.tolist() == [[19, 10, 30, 30]]  # cut off at the border
    assert instances.gt_keypoints.tensor[0, LEFT_KNEE].tolist() == [0, 0, 0]
    assert instances.gt_keypoints.tensor[0, 0].tolist() == [21, 12, 2]
    record["annotations"][3]["keypoints"][0] = 57  # the nose, too
    nobody = one_view(record, crop((40.0, 20.0)))["instances"]
    assert len(nobody) == 0 and nobody.gt_keypoints.tensor.shape == (0, 17, 3) and nobody.gt_ids.shape == (0,)


def test_joints_outside_can_stay_labeled(record):
    """Columns 25 to 55: the last person's center is inside, the knee at 57 is not, nor is anything with the nose."""
    record["annotations"][3]["keypoints"][3 * LEFT_KNEE] = 57
    instances = one_view(record, crop((40.0, 20.0)), joints_outside=True)["instances"]
    assert instances.gt_boxes.tensor.tolist() == [[19, 10, 30, 30]]
    assert instances.gt_keypoints.tensor[0, LEFT_KNEE].tolist() == [32, 20, 2]
    assert not instances.gt_keypoints.tensor[0, RIGHT_KNEE].any()
    mirrored = one_view(record, crop((40.0, 20.0)), T.RandomFlip(prob=1.0), joints_outside=True)["instances"]
    assert mirrored.gt_keypoints.tensor[0, RIGHT_KNEE].tolist() == [30 - 32, 20, 2]
    record["annotations"][3]["keypoints"][0] = 58
    assert len(one_view(record, crop((40.0, 20.0)), joints_outside=True)["instances"]) == 1
    assert len(one_view(record, crop((40.0, 20.0)))["instances"]) == 0


def test_views_share_identities(record):
    views = mapper(num_views=2)(record)["views"]
    first, second = (view["instances"].gt_ids.tolist() for view in views)
    assert first == second and len(set(first)) == 2
    only_last = one_view(record, crop((40.0, 20.0)))["instances"].gt_ids.tolist()
    assert only_last == first[1:]


def test_an_image_without_people(record):
    view = one_view(dict(record, annotations=[]), T.RandomFlip(prob=1.0))
    assert len(view["instances"]) == 0


def test_another_set_of_joints_is_refused(record):
    record["annotations"][1]["keypoints"] = record["annotations"][1]["keypoints"][:45]
    with pytest.raises(ValueError, match=r"people\.png: a person has 45 numbers.*3 x 17"):
        one_view(record)


@pytest.fixture
def pose_cfg():
    def make(*options):
        crops = ["INPUT.SCALE_JITTER", "[0.5,1.5]", "INPUT.CROP_SIZE", "[64,64]"]
        return load_config(overrides=["MODEL.KEYPOINT_ON", "True", *crops, *options])

    return make


def test_crops_of_the_configuration(record, pose_cfg):
    view = LabeledPoseMapper(pose_cfg(), num_images=1)(record)["views"][0]
    assert view["image"].shape == (3, 64, 64) and len(view["instances"]) >= 1
    keypoints = view["instances"].gt_keypoints.tensor
    inside = (keypoints[..., :2] >= 0).all(-1) & (keypoints[..., :2] <= 64).all(-1)
    assert inside.all() and torch.isfinite(keypoints).all()


def test_published_crops_of_the_configuration(record, pose_cfg):
    """Black padding around pixels of the image's own size, and joints outside."""
    Path(record["file_name"]).unlink()
    cv2.imwrite(record["file_name"], np.full((40, 60, 3), 200, np.uint8))
    record["annotations"][1]["keypoints"][1] = 500  # y of the nose, which v 2 makes one that is outside every crop
    record["annotations"][1]["keypoints"][2] = 2
    for _ in range(5):
        cfg = pose_cfg("INPUT.PERSON_CROP", "published", "INPUT.RANDOM_FLIP", "none")
        view = LabeledPoseMapper(cfg, num_images=1)(record)["views"][0]
        assert set(view["image"][:, 0].unique().tolist()) == {0}  # 40 rows magnified by 2 at most, from their middle
        nose, knee = view["instances"].gt_keypoints.tensor[0, [0, LEFT_KNEE]]
        assert nose[1] > 64 and nose[2] == 2 and (0 <= knee[1] <= 64)


def test_an_unknown_crop_is_refused(pose_cfg):
    with pytest.raises(ValueError, match=r"INPUT\.PERSON_CROP is 'paper', expected one of"):
        LabeledPoseMapper(pose_cfg("INPUT.PERSON_CROP", "paper"), num_images=1)


def test_data_sets_of_other_joints_than_the_models_are_refused(pose_cfg):
    model = ["MODEL.META_ARCHITECTURE", "PointSetAnchor", "MODEL.POINT_SET_ANCHOR.JOINT_SET", "PoseTrack18"]
    cfg = pose_cfg("DATASETS.TRAIN", "('keypoints_coco_2017_train',)", *model)
    with pytest.raises(ValueError, match=r"keypoints_coco_2017_train: its joints are not those of PoseTrack18"):
        build_train_loader(cfg)
