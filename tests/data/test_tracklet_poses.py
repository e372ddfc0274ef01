"""Tracklets of poses: reading their file, and moving them with a sample's window."""

import json

import numpy as np
import pytest
import torch
from color_detector import scene
from color_model import write_scenes
from detectron2.structures import Instances
from tiny_pose_model import pose_config

from ictrack.data.datasets.unlabeled_videos import find_videos
from ictrack.data.frame_geometry import Window, window_to_source
from ictrack.data.tracklet_shapes import MaskShapes, PoseShapes, tracklet_shapes
from ictrack.data.tracklets import read_tracklets
from ictrack.data.video_dataset_mapper import VideoDatasetMapper
from ictrack.structures.joints import COCO_17, POSETRACK_18
from ictrack.structures.json_files import AnnotationError

HEIGHT, WIDTH = 64, 96
LEFT_KNEE, RIGHT_KNEE = COCO_17.index("left_knee"), COCO_17.index("right_knee")
SHAPES = PoseShapes(COCO_17)


def pose(**joints):
    """(17, 3): the given joints (x, y, score), all others of score 0."""
    keypoints = np.zeros((17, 3))
    for name, place in joints.items():
        keypoints[COCO_17.index(name)] = place
    return keypoints


def red(index):
    """Pose of color 0 of the scene: its upper corners are the ears, the lower ones the knees."""
    y, x = np.nonzero(np.abs(scene(index).astype(int) - [30, 30, 220]).max(2) < 60)
    left, top, right, bottom = x.min(), y.min(), x.max() + 1, y.max() + 1
    return pose(
        right_ear=(left, top, 0.9),
        left_ear=(right, top, 0.8),
        right_knee=(left, bottom, 0.7),
        left_knee=(right, bottom, 0.6),
    )


def content(num_frames=16):
    entries = [None, *(red(t).ravel().tolist() for t in range(1, num_frames))]
    files = [f"a/{t:05d}.jpg" for t in range(num_frames)]
    video = {"id": 1, "height": HEIGHT, "width": WIDTH, "length": num_frames, "file_names": files}
    annotation = {"id": 11, "video_id": 1, "category_id": 1, "keypoints": entries}
    return {"videos": [video], "categories": [SHAPES.category], "annotations": [annotation]}


@pytest.fixture
def poses_file(tmp_path):
    path = tmp_path / "tracklets.json"
    path.write_text(json.dumps(content()))
    return path


def test_a_file_is_read(poses_file):
    (video,) = read_tracklets(poses_file, SHAPES).values()
    assert sorted(video.frames) == list(range(1, 16))
    seen = video.instances(3, np.eye(2, 3), (HEIGHT, WIDTH), (HEIGHT, WIDTH))
    assert seen.gt_ids.tolist() == [11] and seen.gt_classes.tolist() == [0]
    torch.testing.assert_close(seen.gt_keypoints.tensor, torch.from_numpy(red(3)).float()[None])
    nobody = video.instances(0, np.eye(2, 3), (HEIGHT, WIDTH), (HEIGHT, WIDTH))
    assert len(nobody) == 0 and nobody.gt_keypoints.tensor.shape == (0, 17, 3)


def test_detections_are_encoded_as_they_are_read():
    found = Instances((HEIGHT, WIDTH), pred_keypoints=torch.rand(2, 17, 3) * torch.tensor([96.0, 64, 1]))
    entries = json.loads(json.dumps(SHAPES.encode(found)))
    read = np.stack(SHAPES.read(entries, ["a", "b"], (HEIGHT, WIDTH)))
    np.testing.assert_allclose(read, found.pred_keypoints.numpy(), atol=6e-4)
    with pytest.raises(ValueError, match=r"not \(N, 17, 3\)"):
        SHAPES.encode(Instances((HEIGHT, WIDTH), pred_keypoints=torch.zeros(2, 15, 3)))
    with pytest.raises(ValueError, match="`pred_masks`"):
        MaskShapes().encode(found)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda d: d["annotations"][0]["keypoints"].__setitem__(2, [1.0] * 50),
            r"annotations\[0\]\.keypoints\[2\]: .*51",
        ),
        (
            lambda d: d["annotations"][0]["keypoints"][3].__setitem__(0, float("nan")),
            r"annotations\[0\]\.keypoints\[3\]",
        ),
        (lambda d: d["annotations"][0]["keypoints"][3].__setitem__(1, 1e300), r"annotations\[0\]\.keypoints\[3\]"),
        (
            lambda d: d["annotations"][0]["keypoints"][3].__setitem__(2, -0.1),
            r"annotations\[0\]\.keypoints\[3\].*at least 0",
        ),
        (lambda d: d["annotations"][0]["keypoints"].pop(), r"annotations\[0\]\.keypoints: has 15 entries"),
        (lambda d: d["annotations"][0].pop("keypoints"), r"annotations\[0\]\.keypoints: must be a list"),
        (lambda d: d["categories"].append({"id": 2, "name": "cat"}), r"categories\[1\]\.keypoints: .*joints of COCO"),
        (
            lambda d: d.update(categories=[PoseShapes(POSETRACK_18).category]),
            r"categories\[0\]\.keypoints: .*joints of COCO",
        ),
    ],
)
def test_damaged_files_are_named(poses_file, damage, message):
    data = content()
    damage(data)
    poses_file.write_text(json.dumps(data))
    with pytest.raises(AnnotationError, match=f"{poses_file.name}: {message}"):
        read_tracklets(poses_file, SHAPES)


def test_masks_are_not_poses(poses_file):
    with pytest.raises(AnnotationError, match=rf"{poses_file.name}: annotations\[0\]\.segmentations"):
        read_tracklets(poses_file, MaskShapes())


def test_a_window_by_hand():
    """The right half of a frame, twice as large: (60, 20) is seen at (24, 40). What is to the left is not seen."""
    affine = window_to_source(Window(2, 0, False, (1, 0)), (HEIGHT, WIDTH), (HEIGHT, WIDTH))
    people = [pose(left_knee=(60, 20, 0.5), right_knee=(40, 20, 0.9)), pose(nose=(40, 20, 0.9)), pose(nose=(50, 1, 0))]
    kept, seen = SHAPES.seen(people, affine, (HEIGHT, WIDTH))
    assert kept == [0]
    np.testing.assert_allclose(seen.gt_keypoints.tensor[0], pose(left_knee=(24, 40, 0.5)), atol=1e-5)
    np.testing.assert_array_equal(people[0], pose(left_knee=(60, 20, 0.5), right_knee=(40, 20, 0.9)))  # left as it is


def test_a_mirrored_person_keeps_left_left():
    affine = window_to_source(Window(1, 0, True, (0, 0)), (HEIGHT, WIDTH), (HEIGHT, WIDTH))
    _, seen = SHAPES.seen([pose(left_knee=(60, 20, 0.5), nose=(10, 5, 0.9))], affine, (HEIGHT, WIDTH))
    expected = pose(right_knee=(WIDTH - 60, 20, 0.5), nose=(WIDTH - 10, 5, 0.9))
    np.testing.assert_allclose(seen.gt_keypoints.tensor[0], expected, atol=1e-5)


def test_poses_in_frames_of_another_size_are_scaled(poses_file):
    (video,) = read_tracklets(poses_file, SHAPES).values()
    seen = video.instances(3, np.eye(2, 3), (2 * HEIGHT, 2 * WIDTH), (2 * HEIGHT, 2 * WIDTH))
    expected = torch.from_numpy(red(3) * [2, 2, 1]).float()
    torch.testing.assert_close(seen.gt_keypoints.tensor[0], expected)


def test_samples_hold_the_poses_of_what_they_show(tmp_path, poses_file):
    """Under zoom, rotation and mirroring: the middle of the joints that are all seen is red, and the person's right
    is on the left unless its picture is mirrored, which takes nothing from "right" but its side."""
    cfg = pose_config()
    inp = cfg.INPUT.UNLABELED
    inp.ZOOM, inp.ROTATION, inp.COLOR_JITTER, inp.HUE_JITTER, inp.GREY_PROB = [1.0, 1.4], 15.0, 0.0, 0.0, 0.0
    inp.NUM_FRAMES, inp.SAME_WINDOW, inp.MAX_ENLARGEMENT, inp.SIZE = 3, False, 1.0, [HEIGHT, WIDTH]
    cfg.INPUT.FORMAT = "BGR"
    inp.FLIP_PROB = 0.5
    records = find_videos(str(write_scenes(tmp_path / "videos", ["a"])))
    tracklets = read_tracklets(poses_file, tracklet_shapes(cfg))
    mapper = VideoDatasetMapper(cfg, num_videos=1, tracklets=tracklets)
    seen, mirrored = 0, 0
    for _ in range(15):
        sample = mapper(records[0])
        for image, instances, affine in zip(sample["clip"], sample["tracklets"], sample["clip_to_source"]):
            keypoints = instances.gt_keypoints.tensor
            if len(keypoints) and (keypoints[0, :, 2] > 0).sum() == 4:
                joints = keypoints[0, keypoints[0, :, 2] > 0]
                x, y = joints[:, :2].mean(0).long().tolist()
                assert (image[:, y, x].float() - torch.tensor([30.0, 30, 220])).abs().max() < 70
                assert keypoints[0, RIGHT_KNEE, 0] < keypoints[0, LEFT_KNEE, 0]
                flipped = bool(torch.linalg.det(affine[:, :2]) < 0)
                assert keypoints[0, RIGHT_KNEE, 2] == pytest.approx(0.6 if flipped else 0.7)
                seen, mirrored = seen + 1, mirrored + flipped
    assert seen > 10 and 0 < mirrored < seen


def test_what_a_detector_tracks():
    cfg = pose_config()
    cfg.MODEL.POINT_SET_ANCHOR.JOINT_SET = "PoseTrack18"
    shapes = tracklet_shapes(cfg)
    assert isinstance(shapes, PoseShapes) and shapes.joints is POSETRACK_18
    cfg.MODEL.META_ARCHITECTURE = "EmbeddedDetector"  # of a Keypoint R-CNN
    assert tracklet_shapes(cfg).joints is COCO_17
    cfg.MODEL.KEYPOINT_ON = False
    assert isinstance(tracklet_shapes(cfg), MaskShapes)
