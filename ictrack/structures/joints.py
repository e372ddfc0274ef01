"""Joints of the public pose data sets: names and order, left/right pairs, OKS sigmas, limbs, and maps between the sets.

Coordinates are in pixels, keypoints are rows of (x, y, score or visibility), and a third value of 0 means that the
joint is absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

# Standard deviations of a joint's annotations as a share of the object's scale: COCO's keypoint evaluation
# (cocodataset.org/#keypoints-eval) in the first two lines; in the third, neck and top of the head as in CrowdPose's
# (github.com/jeffffffli/CrowdPose), and MPII's trunk joints as the joints they lie between.
_SIGMAS = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062,
    "hip": 0.107, "knee": 0.087, "ankle": 0.089,
    "head_bottom": 0.079, "upper_neck": 0.079, "head_top": 0.079, "thorax": 0.079, "pelvis": 0.107,
}  # fmt: skip
# Embedding heads that read masks or boxes, also of a detector of poses.
_REGION_HEADS = ("InstanceEmbeddingHead", "PooledFeatures")
_MIRRORED = {"left_": "right_", "right_": "left_"}
# Names of one joint in different sets.
_ALSO_CALLED = {"upper_neck": "head_bottom"}


def side_of(name: str) -> str:
    """Side of a joint's name: "left", "right" or, in the middle, ""."""
    return next((prefix[:-1] for prefix in _MIRRORED if name.startswith(prefix)), "")


def mirror(name: str) -> str:
    """Name of the joint on the other side, or of the same joint in the middle."""
    side = side_of(name)
    return _MIRRORED[f"{side}_"] + name[len(side) + 1 :] if side else name


@dataclass(frozen=True)
class JointSet:
    """Joints of a data set, in its order.

    Attributes:
        name: Name of the data set.
        names: Names of the K joints, such as "left_knee"; "left" and "right" are the person's own.
        limbs: Pairs of indices of joints that are drawn joined by a line.
    """

    name: str
    names: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Position of a joint. Raises ValueError if it is not in the set."""
        return self.names.index(name)

    @cached_property
    def flip_permutation(self) -> tuple[int, ...]:
        """Index (K,) of each joint's mirror image; ``mirrored[:, list(flip_permutation)]`` restores the order."""
        return tuple(self.names.index(mirror(name)) for name in self.names)

    @cached_property
    def flip_pairs(self) -> tuple[tuple[int, int], ...]:
        """Pairs of (left, right) indices that a mirror image exchanges."""
        return tuple((i, self.flip_permutation[i]) for i, name in enumerate(self.names) if side_of(name) == "left")

    @cached_property
    def sigmas(self) -> tuple[float, ...]:
        """Standard deviations (K,) of OKS, as a share of the square root of the person's area."""
        return tuple(_SIGMAS[name[len(side) + 1 :] if (side := side_of(name)) else name] for name in self.names)


def _joint_set(name: str, names: str, limbs: str) -> JointSet:
    """Set of blank-separated joints and limbs; a limb such as "knee-ankle" stands for both sides."""
    joints = tuple(names.split())
    pairs = []
    for limb in limbs.split():
        ends = [[end] if end in joints else [f"left_{end}", f"right_{end}"] for end in limb.split("-")]
        if ends[0] == ends[1]:  # from left to right
            pairs.append(ends[0])
        else:
            pairs += [[end[side % len(end)] for end in ends] for side in range(max(map(len, ends)))]
    return JointSet(name, joints, tuple((joints.index(a), joints.index(b)) for a, b in pairs))


_BODY = "shoulder-elbow elbow-wrist hip-knee knee-ankle"
_TRUNK = "shoulder-shoulder shoulder-hip hip-hip"
_COCO_BODY_JOINTS = (
    "left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist "
    "left_hip right_hip left_knee right_knee left_ankle right_ankle"
)

COCO_17 = _joint_set(
    "COCO",
    f"nose left_eye right_eye left_ear right_ear {_COCO_BODY_JOINTS}",
    f"nose-eye eye-ear nose-shoulder {_TRUNK} {_BODY}",
)
# Joints that PoseTrack evaluates, in the order of its evaluation (poseval) and of PoseTrack17's files.
POSETRACK_15 = _joint_set(
    "PoseTrack",
    "right_ankle right_knee right_hip left_hip left_knee left_ankle "
    "right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist head_bottom nose head_top",
    f"head_top-nose nose-head_bottom head_bottom-shoulder {_TRUNK} {_BODY}",
)
# Joints of PoseTrack18's and PoseTrack21's files: COCO's, except two. The ears are never annotated.
POSETRACK_18 = _joint_set(
    "PoseTrack18",
    f"nose head_bottom head_top left_ear right_ear {_COCO_BODY_JOINTS}",
    f"head_top-nose nose-head_bottom nose-ear head_bottom-shoulder {_TRUNK} {_BODY}",
)
MPII_16 = _joint_set(
    "MPII",
    "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck head_top "
    "right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist",
    f"head_top-upper_neck upper_neck-thorax thorax-shoulder thorax-pelvis pelvis-hip {_BODY}",
)

JOINT_SETS = {joints.name: joints for joints in (COCO_17, POSETRACK_15, POSETRACK_18, MPII_16)}


def joint_set(name: str) -> JointSet:
    """Set of joints by its name. Raises ValueError, with the known names, for another name."""
    if name not in JOINT_SETS:
        raise ValueError(f"{name!r} is no set of joints; the sets are {', '.join(JOINT_SETS)}")
    return JOINT_SETS[name]


def joint_set_of(names: Sequence[str]) -> JointSet:
    """Known set with exactly these joints in this order, or else a set without limbs."""
    known = next((joints for joints in JOINT_SETS.values() if joints.names == tuple(names)), None)
    return known or JointSet("given", tuple(names), ())


# Sets that poses of unknown joints are taken for, by their number of joints.
_BY_NUMBER = {len(joints): joints for joints in (COCO_17, POSETRACK_15)}


def joints_of(num_joints: int) -> JointSet:
    """COCO's joints if there are 17, PoseTrack's if there are 15. Raises ValueError for another number."""
    if num_joints not in _BY_NUMBER:
        names = " nor ".join(f"the {number} of {joints.name}" for number, joints in _BY_NUMBER.items())
        raise ValueError(f"poses have {num_joints} joints: say which, since they are neither {names}")
    return _BY_NUMBER[num_joints]


def joint_indices(source: Sequence[str], target: Sequence[str]) -> list[int]:
    """Position in ``source`` of each joint of ``target``, -1 if it is missing."""
    position = {_ALSO_CALLED.get(name, name): i for i, name in enumerate(source)}
    return [position.get(_ALSO_CALLED.get(name, name), -1) for name in target]


def convert_keypoints(keypoints: np.ndarray, source: JointSet, target: JointSet) -> np.ndarray:
    """Keypoints of one set of joints converted to another.

    Joints are copied by name. From a set with eyes and without neck and top of the head, such as COCO's, those two are
    derived as in LightTrack (github.com/Guanghan/lighttrack): the neck is the middle of the shoulders, and the top of
    the head is above the eyes, as far over the nose as the neck is below it, with the eyes' mean score. All other
    joints without a counterpart are absent, as is a derived joint if one of its sources is.

    Args:
        keypoints: (N, K, 3) x, y, score or visibility.
        source, target: Sets of K and K' joints.

    Returns:
        (N, K', 3) float64, 0 for absent joints.

    Raises:
        ValueError: ``keypoints`` is not (N, K, 3).
    """
    keypoints = np.asarray(keypoints, dtype=np.float64)
    if keypoints.ndim != 3 or keypoints.shape[1:] != (len(source), 3):
        raise ValueError(f"keypoints of {source.name} are (N, {len(source)}, 3), not {keypoints.shape}")
    indices = np.array(joint_indices(source.names, target.names))
    converted = np.where(indices[:, None] >= 0, keypoints[:, indices], 0.0)
    for joint, derive in (("head_bottom", _neck), ("head_top", _head_top)):
        if "left_eye" in source.names and joint in target.names and joint not in source.names:
            converted[:, target.index(joint)] = derive(keypoints, source)
    return converted


def submitted_poses(keypoints: np.ndarray, joints: JointSet, min_joint_score: float) -> tuple[np.ndarray, np.ndarray]:
    """Poses in the form of a submission.

    Args:
        keypoints: (N, K, 3) x, y, score of ``joints``.
        joints: Set of K joints.
        min_joint_score: Score below which joints are left out.

    Returns:
        (N, 17, 3) poses in the joints of PoseTrack18, zeros for those left out; and (N,) mask of the poses with any of
        the 15 evaluated joints.
    """
    poses = convert_keypoints(keypoints, joints, POSETRACK_18)
    poses[poses[..., 2] < min_joint_score] = 0
    seen: np.ndarray = (convert_keypoints(poses, POSETRACK_18, POSETRACK_15) != 0).any(axis=(1, 2))
    return poses, seen


def configured_joints(cfg: Any) -> JointSet | None:
    """Joints that a configuration's detector predicts; None if it predicts masks or boxes.

    Args:
        cfg: Configuration; PointSetAnchor predicts ``MODEL.POINT_SET_ANCHOR.JOINT_SET``, MoveNet COCO's joints, another
            detector with ``MODEL.KEYPOINT_ON`` the joints of :func:`joints_of` for
            ``MODEL.ROI_KEYPOINT_HEAD.NUM_KEYPOINTS``.

    Raises:
        ValueError: no set has this number of joints.
    """
    detector = cfg.MODEL.META_ARCHITECTURE
    if detector == "EmbeddedDetector":
        detector = cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE
    if detector == "PointSetAnchor":
        return joint_set(cfg.MODEL.POINT_SET_ANCHOR.JOINT_SET)
    if detector == "MoveNet":
        return joint_set("COCO")
    return joints_of(cfg.MODEL.ROI_KEYPOINT_HEAD.NUM_KEYPOINTS) if cfg.MODEL.KEYPOINT_ON else None


def embedded_joints(cfg: Any) -> JointSet | None:
    """Joints by which a configuration's embedding heads read people; None if they read masks or boxes."""
    return None if cfg.MODEL.EMBEDDING.NAME in _REGION_HEADS else configured_joints(cfg)


def needs_masks(cfg: Any) -> bool:
    """Whether a configuration's detector cannot be trained on boxes alone."""
    return cfg.MODEL.MASK_ON or cfg.MODEL.BOX_MASK.ENABLED or cfg.MODEL.META_ARCHITECTURE == "SOLO"


def _neck(keypoints: np.ndarray, joints: JointSet) -> np.ndarray:
    return _middle(keypoints[:, joints.index("left_shoulder")], keypoints[:, joints.index("right_shoulder")])


def _head_top(keypoints: np.ndarray, joints: JointSet) -> np.ndarray:
    neck, nose = _neck(keypoints, joints), keypoints[:, joints.index("nose")]
    head_top = _middle(keypoints[:, joints.index("left_eye")], keypoints[:, joints.index("right_eye")])
    head_top[:, 1] = 2 * nose[:, 1] - neck[:, 1]
    head_top[(neck[:, 2] == 0) | (nose[:, 2] == 0) | (head_top[:, 2] == 0)] = 0
    return head_top


def _middle(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Middle (N, 3) of two joints; absent if one of them is."""
    middle = (first + second) / 2
    middle[(first[:, 2] == 0) | (second[:, 2] == 0)] = 0
    return middle
