"""COCO, MPII and PoseTrack as records of the same joints; malformed files are named."""

import json

import numpy as np
import pytest
import tiny_posetrack_dataset as tiny
from detectron2.data import DatasetCatalog, MetadataCatalog
from scipy.io import savemat

from ictrack.data.datasets import load_coco_keypoints, load_mpii, load_posetrack_images
from ictrack.data.datasets.pose_records import joint_box
from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.engine.setup import load_config
from ictrack.structures.joints import COCO_17, MPII_16, POSETRACK_15, POSETRACK_18
from ictrack.structures.json_files import AnnotationError

HEAD_OF_MPII = {"nose", "left_ear", "right_ear"}


def poses_of(records):
    return [np.array(p["keypoints"]).reshape(-1, 3) for r in records for p in r["annotations"]]


def missing(record, joints=POSETRACK_18):
    return {name for name, is_annotated in zip(joints.names, record["annotated_joints"]) if not is_annotated}


def coco_file():
    keypoints = [[10 * j, 100 + j, 2] for j in range(17)]
    keypoints[9] = [0, 0, 0]
    return {
        "images": [{"id": 3, "file_name": "a.jpg", "height": 200, "width": 300}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {"id": 1, "image_id": 3, "category_id": 1, "iscrowd": 0, "bbox": [1, 2, 30, 40], "area": 9,
             "keypoints": [v for joint in keypoints for v in joint], "segmentation": [[0, 0, 5, 0, 5, 5]]},
            {"id": 2, "image_id": 3, "category_id": 1, "iscrowd": 1, "bbox": [1, 2, 30, 40], "area": 9},
        ],
    }  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def save(content, name="a.json"):
        path = tmp_path / name
        path.write_text(json.dumps(content))
        return str(path)

    return save


def test_coco(write):
    (record,) = load_coco_keypoints(write(coco_file()), "images")
    assert record["file_name"] == "images/a.jpg" and all(record["annotated_joints"])
    pose, crowd = poses_of([record])
    assert pose[1].tolist() == [10.5, 101.5, 2] and pose[9].tolist() == [0, 0, 0]  # pixels' centers are at .5
    assert not crowd.any() and record["annotations"][1]["iscrowd"] == 1
    assert [p["category_id"] for p in record["annotations"]] == [0, 0]


def test_coco_in_the_joints_of_posetrack_has_nose_and_limbs(write):
    (record,) = load_coco_keypoints(write(coco_file()), "images", POSETRACK_18)
    assert missing(record) == {"head_bottom", "head_top", "left_ear", "right_ear"}
    pose = poses_of([record])[0]
    assert not pose[1:5].any()
    assert pose[0].tolist() == [0.5, 100.5, 2] and pose[16].tolist() == [160.5, 116.5, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["annotations"][0].update(keypoints=[0] * 50), r"annotations\[0\].keypoints: .*51 finite"),
        (lambda d: d["annotations"][0].update(bbox=[0, 0, float("nan"), 1]), r"annotations\[0\].bbox"),
        (lambda d: d["annotations"][0].update(image_id=4), r"annotations\[0\].image_id"),
        (lambda d: d["annotations"][0].update(category_id=2), r"annotations\[0\].category_id"),
        (lambda d: d["images"][0].pop("height"), r"images\[0\].height"),
        (lambda d: d["categories"].append({"id": 2, "name": "dog"}), "categories"),
        (lambda d: d.pop("annotations"), "annotations: must be a list"),
    ],
)
def test_malformed_coco(write, change, message):
    content = coco_file()
    change(content)
    with pytest.raises(AnnotationError, match=rf"a\.json: {message}"):
        load_coco_keypoints(write(content), "images")


def mpii_people():
    joints = [[float(10 + j), float(20 + 2 * j)] for j in range(16)]
    visible = [1] * 16
    visible[0] = 0
    joints[0] = [-1.0, -1.0]
    return [{"image": image, "joints": joints, "joints_vis": visible, "scale": 2.0, "center": [5.0, 5.0]}
            for image in ("b.jpg", "a.jpg", "b.jpg")]  # fmt: skip


def check_mpii_pose(pose):
    """Joint j of the file is at (10 + j, 20 + 2j), counted from 1."""
    slots = {1: 8, 2: 9, 5: 13, 6: 12, 7: 14, 8: 11, 9: 15, 10: 10, 11: 3, 12: 2, 13: 4, 14: 1, 15: 5}
    for slot, joint in slots.items():
        assert pose[slot, :2].tolist() == [9.5 + joint, 19.5 + 2 * joint]
    for slot in (0, 3, 4, 16):  # nose and ears do not exist, the right ankle is not labeled
        assert pose[slot].tolist() == [0, 0, 0]


def test_mpii_json(write):
    records = load_mpii(write(mpii_people()), "images")
    assert [r["file_name"] for r in records] == ["images/b.jpg", "images/a.jpg"]
    assert [len(r["annotations"]) for r in records] == [2, 1]
    assert missing(records[0]) == HEAD_OF_MPII
    for pose in poses_of(records):
        check_mpii_pose(pose)


def released_file(path, people, img_train=(1, 1, 0)):
    """As MATLAB stores it: arrays of structures."""
    dtype = [("x", "O"), ("y", "O"), ("id", "O"), ("is_visible", "O")]
    points = np.array([(10.0 + j, 20.0 + 2 * j, j, visible) for j, visible in people], dtype=dtype)
    with_joints = {"annopoints": {"point": points}, "scale": 2.0, "objpos": {"x": 1, "y": 2}}
    annolist = np.zeros((3,), dtype=[("image", "O"), ("annorect", "O")])
    annolist[0] = ({"name": "a.jpg"}, with_joints)
    annolist[1] = ({"name": "b.jpg"}, {"scale": 1.0, "objpos": {"x": 1, "y": 2}})  # nobody has joints
    annolist[2] = ({"name": "test.jpg"}, with_joints)  # not for training
    savemat(path, {"RELEASE": {"annolist": annolist, "img_train": np.array(img_train)}}, do_compression=True)
    return str(path)


def test_mpii_as_released(tmp_path):
    people = [(j, {3: 0, 4: "0", 9: np.zeros((0, 0))}.get(j, 1)) for j in range(1, 16)]
    (record,) = load_mpii(released_file(tmp_path / "mpii.mat", people), "images")
    assert record["file_name"] == "images/a.jpg" and missing(record) == HEAD_OF_MPII
    (pose,) = poses_of([record])
    check_mpii_pose(pose)
    visibility = {MPII_16.names[3]: 1, MPII_16.names[4]: 1, "head_top": 2, "left_wrist": 2}
    for name, expected in visibility.items():
        assert pose[POSETRACK_18.index(name), 2] == expected, name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p[1].update(joints=[[0, 0]] * 15), r"\[1\].joints: .*16 pairs"),
        (lambda p: p[1].update(joints=[[0, float("inf")]] * 16), r"\[1\].joints: .*16 pairs"),
        (lambda p: p[2].update(joints_vis=[2] * 16), r"\[2\].joints_vis"),
        (lambda p: p[0].pop("image"), r"\[0\].image"),
        (lambda p: p.clear(), "holds no person"),
    ],
)
def test_malformed_mpii(write, change, message):
    people = mpii_people()
    people = [dict(person) for person in people]
    change(people)
    with pytest.raises(AnnotationError, match=rf"a\.json: {message}"):
        load_mpii(write(people), "images")


def test_malformed_released_mpii(tmp_path):
    path = tmp_path / "mpii.mat"
    path.write_bytes(b"no MATLAB file at all, but long enough to have a header of the old version" * 4)
    with pytest.raises(AnnotationError, match=r"mpii\.mat: not a MATLAB file"):
        load_mpii(str(path), "images")
    savemat(path, {"other": 1}, do_compression=True)
    with pytest.raises(AnnotationError, match=r"mpii\.mat: has no variable RELEASE"):
        load_mpii(str(path), "images")
    with pytest.raises(
        AnnotationError, match=r"mpii\.mat: RELEASE\.annolist\(1\).*point\(2\): must have an id below 16"
    ):
        load_mpii(released_file(path, [(1, 1), (16, 1)]), "images")
    with pytest.raises(AnnotationError, match="one entry an image"):
        load_mpii(released_file(path, [(1, 1)], img_train=(1, 1)), "images")


def test_posetrack_18(tmp_path):
    folder, root = tiny.write_dataset(tmp_path)
    records = load_posetrack_images(folder, root)
    assert len(records) == sum(tiny.LENGTHS.values())
    assert missing(records[0]) == {"left_ear", "right_ear"}
    assert records[0]["file_name"] == f"{root}/images/val/000001_mpii_test/000000.jpg"
    expected = [joints for _, joints in tiny.true_poses("000001_mpii_test", 0)]
    for pose, joints in zip(poses_of(records[:1]), expected):
        labeled = pose[:, 2] > 0
        assert labeled.sum() == 15
        np.testing.assert_allclose(pose[labeled, :2], joints[labeled])


def test_only_labeled_frames_are_taken(tmp_path):
    folder, root = tiny.write_dataset(tmp_path)
    path = tmp_path / "annotations" / "000001_mpii_test.json"
    data = json.loads(path.read_text())
    data["images"][1]["is_labeled"] = False
    path.write_text(json.dumps(data))
    assert len(load_posetrack_images(folder, root)) == sum(tiny.LENGTHS.values()) - 1


def posetrack_17():
    point = [{"id": [j], "x": [5.0 + j], "y": [50.0 - j]} for j in range(15) if j != 4]
    frame = {"image": [{"name": "v/1.jpg"}], "is_labeled": [1]}
    return {
        "annolist": [
            {**frame, "annorect": [{"track_id": [0], "annopoints": [{"point": point}]}, {"track_id": [1]}]},
            {**frame, "is_labeled": [0], "annorect": []},
        ]
    }


def test_posetrack_17(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(posetrack_17()))
    (record,) = load_posetrack_images(str(tmp_path), "images")
    (pose,) = poses_of([record])
    for joint, name in enumerate(POSETRACK_15.names):
        expected = [0, 0, 0] if joint == 4 else [5 + joint, 50 - joint, 2]
        assert pose[POSETRACK_18.index(name)].tolist() == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p[2].update(x=[float("nan")]), r"annorect\[0\].annopoints\[0\].point\[2\]"),
        (lambda p: p[2].update(id=[15]), r"annorect\[0\].annopoints\[0\].point\[2\].id"),
        (lambda p: p[2].update(id=3), r"annorect\[0\].annopoints\[0\].point\[2\].id: must be a list of one"),
        (lambda p: p.append(7), r"annorect\[0\].annopoints\[0\].point\[14\]"),
    ],
)
def test_malformed_posetrack_17(tmp_path, change, message):
    content = posetrack_17()
    change(content["annolist"][0]["annorect"][0]["annopoints"][0]["point"])
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match=rf"a\.json: annolist\[0\]\.{message}"):
        load_posetrack_images(str(tmp_path), "images")


def test_box_of_joints():
    pose = np.array([[10.0, 20.0, 2], [30.0, 60.0, 1], [500.0, 500.0, 0]])
    assert joint_box(pose) == pytest.approx([7, 14, 33, 66])  # 1.3 times 20 x 40
    assert joint_box(pose[:1]) == pytest.approx([9.5, 19.5, 10.5, 20.5])


def test_public_data_sets_are_registered():
    names = ["mpii_train", "mpii_released", "keypoints_coco_2017_train_posetrack", "posetrack18_train_images"]
    assert set(names) <= set(DatasetCatalog.list())
    for name in names:
        metadata = MetadataCatalog.get(name)
        assert tuple(metadata.keypoint_names) == POSETRACK_18.names and metadata.thing_classes == ["person"]


def test_registration_by_configuration(write):
    entries = [
        ["h_coco", "coco_keypoints", write(coco_file()), "images"],
        ["h_mpii", "mpii", write(mpii_people(), "m.json"), "i"],
    ]
    register_configured_datasets(load_config(overrides=["DATASETS.REGISTER", repr(entries)]))
    assert len(DatasetCatalog.get("h_coco")) == 1 and len(DatasetCatalog.get("h_mpii")) == 2
    assert tuple(MetadataCatalog.get("h_coco").keypoint_names) == COCO_17.names
