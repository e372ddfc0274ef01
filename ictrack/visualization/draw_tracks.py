"""Drawing of tracks on frames: mask, outline, label and trail in the color of the identity."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from ictrack.structures.categories import class_name
from ictrack.structures.frame_arrays import FrameArrays
from ictrack.structures.joints import JointSet, joints_of

from .colors import track_color
from .shape import Shape
from .skeleton import SHIFT, draw_skeleton
from .track_label import place_label, render_label


class TrackDrawer:
    """Drawer of the tracks of one video, frame by frame, which keeps only the trails' points of past frames."""

    def __init__(
        self,
        class_names: Sequence[str] | None = None,
        *,
        scale: int = 1,
        mask_opacity: float = 0.4,
        trail_length: int = 24,
        show_scores: bool = True,
        emphasis: float = 1.0,
        joints: JointSet | None = None,
        min_joint_score: float = 0.0,
    ):
        """
        Args:
            class_names: Names of the contiguous categories; others are "class <index>". None: labels are the identity
                and the score.
            scale: Factor by which frames are enlarged before drawing, for crisp outlines and labels on small frames.
            mask_opacity: Opacity of a mask's filling, 0..1.
            trail_length: Number of frames that the trail of a centroid reaches back; 0 draws none.
            show_scores: Whether labels end with the score.
            emphasis: Factor of the size of lines and labels, for images that are shown small.
            joints: Joints of poses; None: COCO's if there are 17, PoseTrack's if there are 15.
            min_joint_score: Score above which joints of poses are drawn.

        Raises:
            ValueError: ``scale`` is not a positive integer.
        """
        if scale != int(scale) or scale < 1:
            raise ValueError(f"scale must be a positive integer, not {scale}")
        self.class_names = class_names
        self.scale = int(scale)
        self.mask_opacity = mask_opacity
        self.trail_length = trail_length
        self.show_scores = show_scores
        self.emphasis = emphasis
        self.joints = joints
        self.min_joint_score = min_joint_score
        self._trails: dict[int, deque[tuple[int, float, float]]] = {}
        self._num_frames = 0

    def draw(self, frame: np.ndarray, tracks: Any) -> np.ndarray:
        """Draw one frame.

        Args:
            frame: BGR uint8 (H, W, 3), which is not modified.
            tracks: N tracked detections at the frame's size, Instances or arrays, see :meth:`FrameArrays.of`. Boxes are
                outlined where there are neither masks nor keypoints.

        Returns:
            BGR uint8 (H * scale, W * scale, 3).
        """
        canvas = frame.copy()
        if self.scale > 1:
            canvas = cv2.resize(frame, None, fx=self.scale, fy=self.scale, interpolation=cv2.INTER_CUBIC)
        thickness = max(1, round(self.emphasis * min(canvas.shape[:2]) / 320))
        arrays = FrameArrays.of(tracks)
        shapes = self._shapes(arrays)
        for shape in sorted(shapes, key=lambda shape: -shape.area):  # small ones on top
            shape.fill(canvas, self.mask_opacity)
        for shape in shapes:
            if shape.mask is not None or arrays.keypoints is None:
                shape.outline(canvas, thickness)
        self._draw_poses(canvas, arrays, thickness)
        self._draw_trails(canvas, shapes, thickness)
        self._draw_labels(canvas, shapes)
        self._num_frames += 1
        return canvas

    def _shapes(self, arrays: FrameArrays) -> list[Shape]:
        """Shapes of all instances with at least one pixel, in the order of their identities."""
        shapes = []
        make = Shape.of_box if arrays.masks is None else Shape.of_mask
        outlines = arrays.boxes if arrays.masks is None else arrays.masks.view(np.uint8)
        for row, track_id in enumerate(_ids(arrays)):
            shape = make(outlines[row], self.scale, track_id, self._label(arrays, row))
            if shape is not None:
                shapes.append(shape)
        return sorted(shapes, key=lambda shape: shape.track_id)

    def _draw_poses(self, canvas: np.ndarray, arrays: FrameArrays, thickness: int) -> None:
        if arrays.keypoints is None:
            return
        poses = arrays.keypoints * [self.scale, self.scale, 1]
        joints = self.joints or joints_of(poses.shape[1])
        if poses.shape[1] != len(joints):
            raise ValueError(f"poses have {poses.shape[1]} joints, not the {len(joints)} of {joints.name}")
        for pose, track_id in zip(poses, _ids(arrays)):
            draw_skeleton(canvas, pose, joints, track_color(track_id), thickness + 1, self.min_joint_score)

    def _label(self, arrays: FrameArrays, row: int) -> str:
        words = []
        if self.class_names is not None:
            words.append(class_name(self.class_names, int(arrays.classes[row])))
        if self.show_scores:
            words.append(f"{arrays.scores[row]:.2f}")
        return "  ".join(words)

    def _draw_trails(self, canvas: np.ndarray, shapes: list[Shape], thickness: int) -> None:
        if not self.trail_length:
            return
        for shape in shapes:
            self._trails.setdefault(shape.track_id, deque()).append((self._num_frames, *shape.centroid))
        for track_id, trail in list(self._trails.items()):
            while trail and trail[0][0] < self._num_frames - self.trail_length:
                trail.popleft()
            if not trail:
                del self._trails[track_id]
                continue
            color = track_color(track_id)[::-1]
            points = [_subpixel(x, y) for _, x, y in trail]
            for (index, *_), (next_index, *_), start, end in zip(trail, list(trail)[1:], points, points[1:]):
                if next_index > index + 1:  # not detected in between, so its path is unknown
                    continue
                age = (self._num_frames - index) / self.trail_length
                width = max(1, round(2 * thickness * (1 - age)))  # tapers into the past
                cv2.line(canvas, start, end, color, width, cv2.LINE_AA, SHIFT)
        for shape in shapes:
            center, radius = _subpixel(*shape.centroid), round(2.2 * thickness * 2**SHIFT)
            cv2.circle(canvas, center, radius, (255, 255, 255), -1, cv2.LINE_AA, SHIFT)
            cv2.circle(canvas, center, radius, shape.color[::-1], thickness, cv2.LINE_AA, SHIFT)

    def _draw_labels(self, canvas: np.ndarray, shapes: list[Shape]) -> None:
        height, width = canvas.shape[:2]
        size = round(self.emphasis * np.clip(min(height, width) / 30, 10, 40))
        taken: list[tuple[int, int, int, int]] = []
        for shape in shapes:
            color, alpha = render_label(str(shape.track_id), shape.label, shape.color, size)
            h, w = min(alpha.shape[0], height), min(alpha.shape[1], width)
            x, y = place_label(shape.x, shape.y - h - 2, w, h, taken, width, height)
            taken.append((x, y, x + w, y + h))
            region = canvas[y : y + h, x : x + w]
            region[:] = region + (color[:h, :w] - region.astype(np.float32)) * alpha[:h, :w] + 0.5


def _ids(arrays: FrameArrays) -> list[int]:
    if arrays.ids is None:
        raise ValueError("detections without identities cannot be drawn as tracks")
    return arrays.ids.tolist()


def legible_scale(height: int, width: int) -> int:
    """Enlargement at which labels on frames of this size are easy to read: 3 at 320x192, 1 from 480 rows on.

    The longer side stays within 4096 pixels, which players decode.
    """
    return max(1, min(4, round(540 / min(height, width)), 4096 // max(height, width)))


def _subpixel(x: float, y: float) -> tuple[int, int]:
    return round(x * 2**SHIFT), round(y * 2**SHIFT)
