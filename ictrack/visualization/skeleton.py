"""Drawing of poses as skeletons in the color of the identity, lighter on the person's left than on the right."""

from __future__ import annotations

import cv2
import numpy as np

from ictrack.structures.joints import JointSet, side_of

Color = tuple[int, int, int]

_TINT = 0.5  # share of white on the left side, and of black on the right
SHIFT = 4  # fraction bits of OpenCV's sub-pixel coordinates


def draw_skeleton(
    canvas: np.ndarray, pose: np.ndarray, joints: JointSet, color: Color, thickness: int, min_score: float
) -> None:
    """Draw one person's limbs and joints onto ``canvas``.

    Args:
        canvas: BGR uint8 (H, W, 3), which is modified.
        pose: (J, 3) x, y in continuous pixels of the canvas, and score.
        joints: Joints of the pose.
        color: RGB color of the identity.
        thickness: Width of the lines in pixels.
        min_score: Score up to which joints, and limbs that end at them, are left out.
    """
    valid = (pose[:, 2] > min_score) & np.isfinite(pose).all(axis=1)
    # OpenCV counts from the center of the first pixel.
    points = [(round((x - 0.5) * 2**SHIFT), round((y - 0.5) * 2**SHIFT)) if ok else None
              for (x, y, _), ok in zip(pose.tolist(), valid)]  # fmt: skip
    dark = rim_color(color)
    for is_rim in (True, False):
        for first, second in joints.limbs:
            start, end = points[first], points[second]
            if start is None or end is None:
                continue
            sides = {side_of(joints.names[first]), side_of(joints.names[second])} - {""}
            shade = dark if is_rim else side_color(color, sides.pop() if len(sides) == 1 else "")[::-1]
            cv2.line(canvas, start, end, shade, thickness + 2 * is_rim, cv2.LINE_AA, SHIFT)
    for name, point in zip(joints.names, points):
        if point is not None:
            radius = round((thickness + 1) * 2**SHIFT)
            cv2.circle(canvas, point, radius, side_color(color, side_of(name))[::-1], -1, cv2.LINE_AA, SHIFT)
            cv2.circle(canvas, point, radius, dark, 1, cv2.LINE_AA, SHIFT)


def rim_color(color: Color) -> Color:
    """Dark BGR version of an RGB color, for a rim that shows on bright backgrounds."""
    red, green, blue = color
    return blue // 4, green // 4, red // 4


def side_color(color: Color, side: str) -> Color:
    """Color of the left ("left"), right ("right") or middle ("") of a skeleton."""
    target = {"left": 255, "right": 0}.get(side)
    if target is None:
        return color
    red, green, blue = (round(channel + _TINT * (target - channel)) for channel in color)
    return red, green, blue
