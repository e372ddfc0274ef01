"""Smooth random motion: noise, paths with stops and exits, and the camera; in pixels, x to the right, y down."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

# Share of waypoints at which an object waits.
STOP_PROBABILITY = 0.15


def smooth_noise(rng: np.random.Generator, length: int, period: float) -> np.ndarray:
    """(length,) values, mostly in [-1, 1]: three random sinusoids of about ``period`` frames."""
    frames = np.arange(length)
    periods = period * rng.uniform(0.7, 1.6, 3)
    phases = rng.uniform(0, 2 * np.pi, 3)
    return np.sin(2 * np.pi * frames[:, None] / periods + phases).sum(1) / 2.1


def random_path(
    rng: np.random.Generator, length: int, height: int, width: int, size: float, speed: float, leaves: bool
) -> np.ndarray:
    """(length, 2) x, y of an object's center in each frame: a curved path with pauses and changes of speed.

    Args:
        rng: Generator.
        length: Number of frames.
        height, width: Size of the image; centers stay in it unless the object leaves.
        size: Size of the object in pixels; it is outside when its center is that far outside.
        speed: Mean pixels a frame while moving.
        leaves: Whether the object leaves at one side in the middle of the clip, and comes back.
    """
    low = np.array([0.0, 0.26 * height])
    high = np.array([width, 0.92 * height])
    points = [rng.uniform(low, high)]
    if rng.random() < 0.25:  # enters from a side
        points[0][0] = rng.choice([-0.6 * size, width + 0.6 * size])
    times = [0.0]
    heading = rng.uniform(0, 2 * np.pi)
    leave_time = rng.uniform(0.05, 0.3) * length if leaves else np.inf
    while times[-1] < length:
        here = points[-1]
        if times[-1] >= leave_time:
            leave_time = np.inf
            side = -0.75 * size if here[0] < width / 2 else width + 0.75 * size
            outside = np.array([side, np.clip(here[1] + rng.normal(0, 0.15 * height), low[1], high[1])])
            waiting = outside + rng.normal(0, [0, 0.1 * height])
            inside = np.array([rng.uniform(0.2, 0.8) * width, rng.uniform(low[1], high[1])])
            for point, pause in ((outside, 0.0), (waiting, rng.uniform(3, 10)), (inside, 0.0)):
                # Slow objects hurry to be back before the clip ends.
                hurry = float(np.linalg.norm(point - points[-1])) / (0.2 * length)
                _append(points, times, point, max(speed * rng.uniform(1.0, 1.6), hurry), pause)
            continue
        if rng.random() < STOP_PROBABILITY:
            _append(points, times, here + rng.normal(0, 1.0, 2), speed, rng.uniform(5, 12))
            continue
        for _ in range(8):
            heading = heading + rng.normal(0, 0.9)
            # Movement along the ground is less vertical than horizontal.
            reach = min(rng.uniform(0.15, 0.45) * width, 0.2 * length * speed)
            step = reach * np.array([np.cos(heading), 0.55 * np.sin(heading)])
            if np.all((here + step >= low) & (here + step <= high)):
                break
            heading = rng.uniform(0, 2 * np.pi)
        _append(points, times, np.clip(here + step, low, high), speed * rng.uniform(0.6, 1.5), 0.0)
    return PchipInterpolator(times, points)(np.arange(length))


def _append(points: list[np.ndarray], times: list[float], point: np.ndarray, speed: float, pause: float) -> None:
    distance = float(np.linalg.norm(point - points[-1]))
    points.append(point)
    times.append(times[-1] + max(pause, distance / speed, 3.0))


def yaw(rng: np.random.Generator, length: int, direction: np.ndarray, turn_frames: float = 7.0) -> np.ndarray:
    """(length,) angles in radians about the vertical axis, which turn with the motion: 0 as drawn, pi mirrored.

    Args:
        rng: Generator.
        length: Number of frames.
        direction: (length,) horizontal velocity in pixels a frame; the object turns where its smoothed sign changes.
        turn_frames: Frames of a turn.
    """
    window = np.hanning(15) / np.hanning(15).sum()
    smoothed = np.convolve(np.pad(direction, 7, mode="edge"), window, mode="valid")
    state = target = float(smoothed[0] > 0 if abs(smoothed[0]) > 0.3 else rng.random() < 0.5)
    angles = []
    for velocity in smoothed:
        if abs(velocity) > 0.5:
            target = float(velocity > 0)
        state += np.clip(target - state, -1 / turn_frames, 1 / turn_frames)
        angles.append(np.pi * state)
    return np.array(angles)


def camera(rng: np.random.Generator, length: int, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Movement of a hand-held camera that pans and zooms slowly.

    Args:
        rng: Generator.
        length: Number of frames.
        reach: (2,) largest offset in pixels to either side; a camera that cannot move does not zoom.

    Returns:
        (length, 2) offsets in pixels, and (length,) zooms of at least 1.
    """
    progress = np.linspace(-1, 1, length)
    eased = np.sin(progress * np.pi / 2) * rng.uniform(0.2, 0.8)
    heading = rng.uniform(0, 2 * np.pi)
    pan = eased[:, None] * np.array([np.cos(heading), 0.6 * np.sin(heading)])
    shake = np.stack([smooth_noise(rng, length, 22), smooth_noise(rng, length, 18)], 1) * rng.uniform(0.02, 0.12)
    zoom = np.exp(0.1 * np.clip(1 + smooth_noise(rng, length, 70), 0, 2) * (np.max(reach) > 0))
    return np.clip(pan + shake, -1, 1) * reach, zoom
