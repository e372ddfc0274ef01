"""Bodies and skeletons: proportions of a person, and locations of the joints in a posture.

Lengths are shares of the stature. A body's own frame has X to its left, Y up and Z forward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Columns of a posture, angles in radians. "left" and "right" are the person's own.
POSTURE_FIELDS = (
    "lean", "side_lean", "twist", "head_yaw", "head_pitch",
    "left_arm_flex", "right_arm_flex", "left_arm_abduct", "right_arm_abduct", "left_elbow", "right_elbow",
    "left_elbow_plane", "right_elbow_plane",
    "left_hip_flex", "right_hip_flex", "left_hip_abduct", "right_hip_abduct", "left_knee", "right_knee",
)  # fmt: skip
FIELD = {name: i for i, name in enumerate(POSTURE_FIELDS)}

# Points of the skeleton; most are joints of the data sets.
POINTS = (
    "pelvis", "waist", "chest", "head_bottom", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hand", "right_hand", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "left_heel", "right_heel", "left_toe", "right_toe",
)  # fmt: skip
POINT = {name: i for i, name in enumerate(POINTS)}


@dataclass(frozen=True)
class Body:
    """Lengths of a person's parts as shares of the stature, and a factor of their thickness."""

    shoulder: float
    hip: float
    spine: float
    neck: float
    head: float
    upper_arm: float
    forearm: float
    thigh: float
    shin: float
    foot: float
    girth: float


def draw_body(rng: np.random.Generator) -> Body:
    """Random body of realistic proportions; heads are somewhat large, so that faces can be seen."""

    def about(length: float, spread: float) -> float:
        return length * float(np.exp(spread * np.clip(rng.normal(), -2, 2)))

    return Body(
        shoulder=about(0.108, 0.08),
        hip=about(0.056, 0.08),
        spine=about(0.27, 0.04),
        neck=about(0.034, 0.1),
        head=about(0.079, 0.06),
        upper_arm=about(0.17, 0.05),
        forearm=about(0.145, 0.05),
        thigh=about(0.225, 0.05),
        shin=about(0.23, 0.05),
        foot=about(0.1, 0.08),
        girth=about(1.0, 0.12),
    )


def place_points(body: Body, postures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points of a body in T postures.

    Args:
        body: Proportions of the person.
        postures: (T, len(POSTURE_FIELDS)) angles in radians.

    Returns:
        (T, len(POINTS), 3) points, with the lowest foot at Y = 0, and (T, 3, 3) rotations from the head's frame to the
        body's.
    """
    angle = {name: postures[:, i] for name, i in FIELD.items()}
    zero, one = np.zeros(len(postures)), np.ones(len(postures))
    points = np.zeros((len(postures), len(POINTS), 3))

    def put(name: str, start: str, direction: np.ndarray, length: float) -> None:
        points[:, POINT[name]] = points[:, POINT[start]] + length * direction

    chest = _turn_y(angle["twist"]) @ _turn_x(angle["lean"]) @ _turn_z(angle["side_lean"])
    half = _turn_y(0.5 * angle["twist"]) @ _turn_x(0.5 * angle["lean"]) @ _turn_z(0.5 * angle["side_lean"])
    up = np.stack([zero, one, zero], axis=1)
    put("waist", "pelvis", _apply(half, up), 0.4 * body.spine)
    put("chest", "waist", _apply(chest, up), 0.6 * body.spine)
    # The neck leans less than the chest, since people look ahead.
    head = _turn_y(angle["twist"] + angle["head_yaw"]) @ _turn_x(0.35 * angle["lean"] + angle["head_pitch"])
    put("head_bottom", "chest", _apply(head, np.stack([zero, one, 0.25 * one], axis=1)), body.neck)
    put("head", "head_bottom", _apply(head, np.stack([zero, one, 0.12 * one], axis=1)), body.head)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        put(
            f"{side}_shoulder", "chest", _apply(chest, np.stack([sign * one, -0.42 * one, zero], axis=1)), body.shoulder
        )
        arm = _limb(angle[f"{side}_arm_flex"], angle[f"{side}_arm_abduct"], sign)
        put(f"{side}_elbow", f"{side}_shoulder", _apply(chest, arm), body.upper_arm)
        forearm = _forearm(arm, angle[f"{side}_elbow"], angle[f"{side}_elbow_plane"], sign)
        put(f"{side}_wrist", f"{side}_elbow", _apply(chest, forearm), body.forearm)
        put(f"{side}_hand", f"{side}_wrist", _apply(chest, forearm), 0.28 * body.forearm)
        put(f"{side}_hip", "pelvis", np.stack([sign * one, -0.2 * one, zero], axis=1), body.hip)
        flex, abduct, knee = (angle[f"{side}_{name}"] for name in ("hip_flex", "hip_abduct", "knee"))
        put(f"{side}_knee", f"{side}_hip", _limb(flex, abduct, sign), body.thigh)
        put(f"{side}_ankle", f"{side}_knee", _limb(flex - knee, abduct, sign), body.shin)
        # A foot follows half the turn of its shin; standing, it lies flat and points a little outwards.
        pitch = 0.45 * (flex - knee)
        toe = np.stack([0.25 * sign * one, np.sin(pitch), np.cos(pitch)], axis=1)
        sole = np.stack([zero, -np.cos(pitch), np.sin(pitch)], axis=1)
        put(f"{side}_heel", f"{side}_ankle", sole, 0.035)
        put(f"{side}_toe", f"{side}_heel", toe, body.foot)
    feet = [POINT[f"{side}_{end}"] for side in ("left", "right") for end in ("heel", "toe")]
    points[:, :, 1] -= points[:, feet, 1].min(axis=1)[:, None]
    return points, head


def _limb(flex: np.ndarray, abduct: np.ndarray, sign: float) -> np.ndarray:
    """(T, 3) direction of a limb that hangs down at 0, swings forward by ``flex`` and outward by ``abduct``."""
    return np.stack([sign * np.sin(abduct), -np.cos(abduct) * np.cos(flex), np.cos(abduct) * np.sin(flex)], axis=1)


def _forearm(arm: np.ndarray, bend: np.ndarray, plane: np.ndarray, sign: float) -> np.ndarray:
    """(T, 3) direction of a forearm, bent by ``bend`` forward (plane 0), upward (1) or inward (-1)."""
    inward, upward = np.maximum(-plane, 0), np.maximum(plane, 0)
    towards = np.stack([-sign * inward, upward, 1 - 0.7 * (inward + upward)], axis=1)
    across = towards - (towards * arm).sum(1, keepdims=True) * arm
    across /= np.linalg.norm(across, axis=1, keepdims=True) + 1e-9
    return np.cos(bend)[:, None] * arm + np.sin(bend)[:, None] * across


def _apply(rotation: np.ndarray, vector: np.ndarray) -> np.ndarray:
    return np.einsum("tij,tj->ti", rotation, vector)


def _rotation(angle: np.ndarray, first: int, second: int) -> np.ndarray:
    matrix = np.broadcast_to(np.eye(3), (len(angle), 3, 3)).copy()
    cos, sin = np.cos(angle), np.sin(angle)
    matrix[:, first, first] = matrix[:, second, second] = cos
    matrix[:, first, second], matrix[:, second, first] = -sin, sin
    return matrix


def _turn_x(angle: np.ndarray) -> np.ndarray:
    """Forward: up goes to forward."""
    return _rotation(angle, 1, 2)


def _turn_y(angle: np.ndarray) -> np.ndarray:
    """Leftward: forward goes to left."""
    return _rotation(angle, 2, 0)


def _turn_z(angle: np.ndarray) -> np.ndarray:
    """Sideways: left goes to up."""
    return _rotation(angle, 0, 1)
