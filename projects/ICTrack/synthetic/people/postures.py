"""Postures over time for walking, running, standing, waving, sitting and other actions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from synthetic.characters.motion import smooth_noise

from .skeleton import FIELD, POSTURE_FIELDS

SIDES = ("left", "right")
# Frames of the transition between two actions.
TRANSITION = 9


class _Posture:
    """(T, len(POSTURE_FIELDS)) angles that are set by name."""

    def __init__(self, rng: np.random.Generator, length: int):
        self.rng, self.length = rng, length
        self.angles = np.zeros((length, len(POSTURE_FIELDS)))
        # Slight movements of every posture.
        for name, size in (("lean", 0.03), ("side_lean", 0.03), ("head_yaw", 0.25), ("head_pitch", 0.08)):
            self[name] = size * smooth_noise(rng, length, 40)
        for side in SIDES:
            self[f"{side}_arm_abduct"] = rng.uniform(0.12, 0.26)
            self[f"{side}_elbow"] = rng.uniform(0.1, 0.35)
            self[f"{side}_hip_abduct"] = rng.uniform(0.02, 0.09)

    def __setitem__(self, name: str, value: np.ndarray | float) -> None:
        self.angles[:, FIELD[name]] = value

    def wobble(self, center: float, size: float, period: float = 25) -> np.ndarray:
        return center + size * smooth_noise(self.rng, self.length, period)


def _gait(p: _Posture, phase: np.ndarray, swing: float, elbow: float, lift: float) -> None:
    for side, offset in zip(SIDES, (0.0, np.pi)):
        own = phase + offset
        p[f"{side}_hip_flex"] = 0.06 + swing * np.sin(own)
        p[f"{side}_knee"] = 0.12 + lift * np.maximum(np.sin(own + 1.35), 0) ** 1.5
        p[f"{side}_arm_flex"] = -0.9 * swing * np.sin(own)
        p[f"{side}_elbow"] = elbow - 0.5 * swing * np.sin(own)
    p["twist"] = 0.14 * np.sin(phase + np.pi)
    p["side_lean"] = 0.03 * np.sin(phase)


def _walk(p: _Posture, phase: np.ndarray) -> None:
    _gait(p, phase, p.rng.uniform(0.38, 0.55), 0.4, p.rng.uniform(0.7, 0.95))
    p["lean"] = 0.06


def _run(p: _Posture, phase: np.ndarray) -> None:
    _gait(p, phase, p.rng.uniform(0.65, 0.85), 1.6, p.rng.uniform(1.3, 1.7))
    p["lean"] = 0.2


def _stand(p: _Posture, phase: np.ndarray) -> None:
    kind = p.rng.integers(4)
    bent = p.rng.choice(SIDES)
    p[f"{bent}_knee"], p[f"{bent}_hip_flex"] = 0.35, 0.2
    if kind == 1:  # hands on the hips
        for side in SIDES:
            p[f"{side}_arm_abduct"], p[f"{side}_arm_flex"] = 0.75, -0.3
            p[f"{side}_elbow"], p[f"{side}_elbow_plane"] = 1.75, -0.9
    elif kind == 2:  # arms crossed
        for side in SIDES:
            p[f"{side}_arm_flex"], p[f"{side}_arm_abduct"] = 0.55, 0.15
            p[f"{side}_elbow"], p[f"{side}_elbow_plane"] = 1.6, -0.75
    elif kind == 3:  # looks at a phone
        side = p.rng.choice(SIDES)
        p[f"{side}_arm_flex"], p[f"{side}_elbow"], p[f"{side}_elbow_plane"] = 0.45, 1.75, -0.25
        p["head_pitch"] = 0.35


def _wave(p: _Posture, phase: np.ndarray) -> None:
    _stand(p, phase)
    side = p.rng.choice(SIDES)
    p[f"{side}_arm_flex"], p[f"{side}_arm_abduct"] = 0.1, p.wobble(1.5, 0.15)
    p[f"{side}_elbow"] = 1.1 + 0.55 * np.sin(2 * np.pi * np.arange(p.length) / p.rng.uniform(9, 14))
    p[f"{side}_elbow_plane"] = 0.97


def _cheer(p: _Posture, phase: np.ndarray) -> None:
    for side in SIDES:
        p[f"{side}_arm_abduct"] = p.wobble(2.5, 0.25, 16)
        p[f"{side}_elbow"], p[f"{side}_elbow_plane"] = p.wobble(0.4, 0.3, 14), 0.9
    p["left_knee"] = p["right_knee"] = knee = np.abs(p.wobble(0.1, 0.3, 14))
    p["left_hip_flex"] = p["right_hip_flex"] = 0.5 * knee


def _crouch(p: _Posture, phase: np.ndarray) -> None:
    depth = p.rng.uniform(0.7, 1.0)
    p["lean"] = p.wobble(0.5 * depth, 0.05)
    for side in SIDES:
        p[f"{side}_hip_flex"] = p.rng.uniform(1.5, 1.9) * depth
        p[f"{side}_knee"] = p.rng.uniform(2.1, 2.4) * depth
        p[f"{side}_hip_abduct"] = p.rng.uniform(0.1, 0.35)
        p[f"{side}_arm_flex"] = p.wobble(0.8, 0.2)
        p[f"{side}_elbow"], p[f"{side}_elbow_plane"] = p.wobble(0.8, 0.2), -0.3


def _sit(p: _Posture, phase: np.ndarray) -> None:
    p["lean"] = p.wobble(0.12, 0.08)
    for side in SIDES:
        p[f"{side}_hip_flex"], p[f"{side}_knee"] = p.wobble(1.45, 0.04), p.rng.uniform(1.3, 1.65)
        p[f"{side}_hip_abduct"] = p.rng.uniform(0.05, 0.2)
        p[f"{side}_arm_flex"], p[f"{side}_elbow"] = p.wobble(0.35, 0.08), p.wobble(0.8, 0.15)
        p[f"{side}_elbow_plane"] = -0.3


def _dance(p: _Posture, phase: np.ndarray) -> None:
    p["twist"], p["side_lean"] = p.wobble(0, 0.35, 18), p.wobble(0, 0.15, 18)
    for side in SIDES:
        p[f"{side}_arm_flex"], p[f"{side}_arm_abduct"] = p.wobble(0.5, 0.8, 18), p.wobble(0.8, 0.6, 18)
        p[f"{side}_elbow"], p[f"{side}_elbow_plane"] = p.wobble(0.9, 0.6, 16), p.wobble(0.2, 0.5, 30)
        p[f"{side}_hip_flex"], p[f"{side}_knee"] = p.wobble(0.3, 0.3, 14), np.abs(p.wobble(0.45, 0.4, 14))
        p[f"{side}_hip_abduct"] = np.abs(p.wobble(0.15, 0.15, 18))


def _reach(p: _Posture, phase: np.ndarray) -> None:
    side = p.rng.choice(SIDES)
    p[f"{side}_arm_flex"], p[f"{side}_arm_abduct"] = p.wobble(1.5, 0.35, 30), p.rng.uniform(0.0, 0.5)
    p[f"{side}_elbow"] = p.rng.uniform(0.0, 0.4)
    p["lean"] = p.rng.uniform(-0.05, 0.4)


# Probabilities of actions on the spot and of ways to move.
ON_THE_SPOT: dict[str, float] = {
    "stand": 0.34, "wave": 0.16, "cheer": 0.08, "crouch": 0.12, "sit": 0.1, "dance": 0.12, "reach": 0.08,
}  # fmt: skip
MOVING: dict[str, float] = {"walk": 0.8, "run": 0.2}
_ACTIONS: dict[str, Callable[[_Posture, np.ndarray], None]] = {
    "walk": _walk, "run": _run, "stand": _stand, "wave": _wave, "cheer": _cheer, "crouch": _crouch, "sit": _sit,
    "dance": _dance, "reach": _reach,
}  # fmt: skip


def draw_action(rng: np.random.Generator, choices: dict[str, float]) -> str:
    """Name of a random action, by the probabilities ``choices``."""
    names = list(choices)
    weights = np.array([choices[name] for name in names])
    return names[rng.choice(len(names), p=weights / weights.sum())]


def act(rng: np.random.Generator, action: str, phase: np.ndarray) -> np.ndarray:
    """(T, len(POSTURE_FIELDS)) postures of an action.

    Args:
        rng: Generator.
        action: Name in ON_THE_SPOT or MOVING.
        phase: (T,) phase of the gait in radians; a full turn is two steps.
    """
    posture = _Posture(rng, len(phase))
    _ACTIONS[action](posture, phase)
    return posture.angles


def blend(actions: list[tuple[int, np.ndarray]]) -> np.ndarray:
    """(T, F) postures of a sequence of actions with smooth transitions.

    Args:
        actions: First frame of each action, ascending from 0, and its (T, F) postures over the whole time.
    """
    result = actions[0][1].copy()
    frames = np.arange(len(result))
    for start, postures in actions[1:]:
        weight = np.clip((frames - start) / TRANSITION + 0.5, 0, 1)[:, None]
        weight = weight * weight * (3 - 2 * weight)
        result = (1 - weight) * result + weight * postures
    return result
