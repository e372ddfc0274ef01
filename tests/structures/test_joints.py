import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ictrack.structures.joints import (
    COCO_17,
    JOINT_SETS,
    MPII_16,
    POSETRACK_15,
    POSETRACK_18,
    convert_keypoints,
    joint_indices,
    joints_of,
    mirror,
    side_of,
)

SETS = list(JOINT_SETS.values())
every_set = pytest.mark.parametrize("joints", SETS, ids=lambda joints: joints.name)


def keypoints_of(joints, count=2):
    """Every joint at its own place, all visible."""
    positions = np.arange(count * len(joints) * 2, dtype=float).reshape(count, len(joints), 2) + 1
    return np.concatenate([positions, np.full((count, len(joints), 1), 0.5)], axis=2)


def test_sizes():
    assert [len(joints) for joints in (COCO_17, POSETRACK_15, POSETRACK_18, MPII_16)] == [17, 15, 17, 16]


@every_set
def test_a_flip_exchanges_sides_and_twice_is_the_identity(joints):
    flip = np.array(joints.flip_permutation)
    np.testing.assert_array_equal(flip[flip], np.arange(len(joints)))
    for i, name in enumerate(joints.names):
        assert joints.names[flip[i]] == mirror(name)
    assert len(joints.flip_pairs) == sum(side_of(name) == "left" for name in joints.names)
    assert all((flip[a], flip[b]) == (b, a) and a != b for a, b in joints.flip_pairs)


@every_set
def test_limbs_stay_on_their_side_and_mirror_each_other(joints):
    pairs = {frozenset(limb) for limb in joints.limbs}
    assert len(pairs) == len(joints.limbs)
    for a, b in joints.limbs:
        sides = {side_of(joints.names[a]), side_of(joints.names[b])}
        assert a != b
        assert sides != {"left", "right"} or joints.flip_permutation[a] == b
        assert frozenset((joints.flip_permutation[a], joints.flip_permutation[b])) in pairs
    touched = {joint for limb in joints.limbs for joint in limb}
    assert touched == set(range(len(joints)))


@every_set
def test_sigmas_are_equal_on_both_sides(joints):
    assert all(joints.sigmas[i] == joints.sigmas[flipped] > 0 for i, flipped in enumerate(joints.flip_permutation))


def test_coco_sigmas_are_those_of_pycocotools():
    from pycocotools.cocoeval import Params

    np.testing.assert_allclose(COCO_17.sigmas, Params(iouType="keypoints").kpt_oks_sigmas, rtol=1e-12)


def test_coco_limbs_by_name():
    names = {frozenset((COCO_17.names[a], COCO_17.names[b])) for a, b in COCO_17.limbs}
    assert {frozenset(("left_knee", "left_ankle")), frozenset(("left_hip", "right_hip"))} <= names
    assert frozenset(("left_elbow", "left_elbow")) not in names


@pytest.mark.parametrize("source", SETS, ids=lambda joints: joints.name)
@pytest.mark.parametrize("target", SETS, ids=lambda joints: joints.name)
def test_maps_keep_left_left(source, target):
    for name, i in zip(target.names, joint_indices(source.names, target.names)):
        if i >= 0:
            assert side_of(source.names[i]) == side_of(name)


@pytest.mark.parametrize("source", SETS, ids=lambda joints: joints.name)
@pytest.mark.parametrize("target", SETS, ids=lambda joints: joints.name)
@given(values=arrays(float, (2, 17, 3), elements=st.floats(0, 500)))
def test_converting_and_mirroring_commute(source, target, values):
    keypoints = values[:, : len(source)]
    one = convert_keypoints(keypoints, source, target)[:, list(target.flip_permutation)]
    other = convert_keypoints(keypoints[:, list(source.flip_permutation)], source, target)
    np.testing.assert_array_equal(one, other)


@every_set
def test_to_itself_nothing_changes(joints):
    np.testing.assert_array_equal(convert_keypoints(keypoints_of(joints), joints, joints), keypoints_of(joints))


def test_posetrack_slots_are_the_published_evaluation_ids():
    # PoseTrack18 slot -> index of the evaluation; the ears have none.
    slots = [13, 12, 14, -1, -1, 9, 8, 10, 7, 11, 6, 3, 2, 4, 1, 5, 0]
    assert joint_indices(POSETRACK_15.names, POSETRACK_18.names) == slots
    keypoints = keypoints_of(POSETRACK_15)
    there = convert_keypoints(keypoints, POSETRACK_15, POSETRACK_18)
    assert (there[:, 3:5] == 0).all()
    np.testing.assert_array_equal(convert_keypoints(there, POSETRACK_18, POSETRACK_15), keypoints)


def test_mpii_to_posetrack_slots():
    expected = {0: 16, 1: 14, 2: 12, 3: 11, 4: 13, 5: 15, 8: 1, 9: 2, 10: 10, 11: 8, 12: 6, 13: 5, 14: 7, 15: 9}
    indices = joint_indices(POSETRACK_18.names, MPII_16.names)
    assert {mpii: slot for mpii, slot in enumerate(indices) if slot >= 0} == expected


def test_coco_to_posetrack_makes_neck_and_head_top():
    keypoints = np.zeros((1, 17, 3))
    places = {
        "nose": (50, 40, 0.9),
        "left_eye": (54, 36, 0.8),
        "right_eye": (48, 36, 0.4),
        "left_shoulder": (70, 60, 0.7),
        "right_shoulder": (30, 64, 0.5),
        "left_wrist": (90, 120, 0.3),
    }
    for name, values in places.items():
        keypoints[0, COCO_17.index(name)] = values
    pose = convert_keypoints(keypoints, COCO_17, POSETRACK_15)[0]
    np.testing.assert_allclose(pose[POSETRACK_15.index("head_bottom")], (50, 62, 0.6))
    np.testing.assert_allclose(pose[POSETRACK_15.index("head_top")], (51, 2 * 40 - 62, 0.6))
    np.testing.assert_allclose(pose[POSETRACK_15.index("left_wrist")], (90, 120, 0.3))
    assert (pose[POSETRACK_15.index("right_knee")] == 0).all()


@pytest.mark.parametrize("missing", ["nose", "left_eye", "right_shoulder"])
def test_a_joint_made_of_an_absent_one_is_absent(missing):
    keypoints = keypoints_of(COCO_17)
    keypoints[:, COCO_17.index(missing)] = 0
    pose = convert_keypoints(keypoints, COCO_17, POSETRACK_18)
    assert (pose[:, POSETRACK_18.index("head_top")] == 0).all()
    assert (pose[:, POSETRACK_18.index("head_bottom")] == 0).all() == (missing == "right_shoulder")


def test_no_people():
    assert convert_keypoints(np.zeros((0, 17, 3)), COCO_17, POSETRACK_15).shape == (0, 15, 3)


def test_wrong_shape_is_an_error():
    with pytest.raises(ValueError, match=r"keypoints of COCO are \(N, 17, 3\), not \(2, 15, 3\)"):
        convert_keypoints(np.zeros((2, 15, 3)), COCO_17, POSETRACK_15)


def test_joints_go_by_their_number_unless_said():
    assert joints_of(17) is COCO_17 and joints_of(15) is POSETRACK_15
    with pytest.raises(ValueError, match="16 joints"):
        joints_of(16)
