"""Drawing of tracks on frames: mask, outline, label and trail in the color of the identity."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ictrack.structures.categories import class_name
from ictrack.structures.frame_arrays import FrameArrays
from ictrack.structures.joints import JointSet, joints_of

from .colors import text_color, track_color
from .skeleton import SHIFT, Color, draw_skeleton, rim_color

# Factor by which labels are rendered larger and then shrunk: Pillow does not smooth the corners of rectangles.
_SUPERSAMPLING = 3
_LABEL_BACKGROUND = (22, 24, 29, 205)


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

    def _shapes(self, arrays: FrameArrays) -> list[_Shape]:
        """Shapes of all instances with at least one pixel, in the order of their identities."""
        shapes = []
        make = _Shape.of_box if arrays.masks is None else _Shape.of_mask
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

    def _draw_trails(self, canvas: np.ndarray, shapes: list[_Shape], thickness: int) -> None:
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

    def _draw_labels(self, canvas: np.ndarray, shapes: list[_Shape]) -> None:
        height, width = canvas.shape[:2]
        size = round(self.emphasis * np.clip(min(height, width) / 30, 10, 40))
        taken: list[tuple[int, int, int, int]] = []
        for shape in shapes:
            color, alpha = _render_label(str(shape.track_id), shape.label, shape.color, size)
            h, w = min(alpha.shape[0], height), min(alpha.shape[1], width)
            x, y = _place(shape.x, shape.y - h - 2, w, h, taken, width, height)
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


@dataclass
class _Shape:
    """Drawn shape of one instance, in pixels of the canvas.

    Attributes:
        x, y: Left and top of its box.
        mask: uint8 (h, w), 0 or 255, in that box; None for an instance without a mask.
        contours: Result of OpenCV's findContours, relative to (x, y).
        centroid: x, y in the canvas.
    """

    track_id: int
    color: Color
    label: str
    x: int
    y: int
    mask: np.ndarray | None
    contours: Sequence[np.ndarray]
    area: float
    centroid: tuple[float, float]

    @classmethod
    def of_mask(cls, mask: np.ndarray, scale: int, track_id: int, label: str) -> _Shape | None:
        """Shape of a mask uint8 (H, W), 0 or 1; None if it is empty."""
        x, y, w, h = cv2.boundingRect(mask)
        if not w:
            return None
        crop = mask[y : y + h, x : x + w] * np.uint8(255)
        if scale > 1:  # smooths the staircase of an enlarged outline
            grown = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
            crop = (cv2.GaussianBlur(grown, (0, 0), 0.8 * scale, borderType=cv2.BORDER_REPLICATE) > 127) * np.uint8(255)
        contours, _ = cv2.findContours(crop, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        moments = cv2.moments(crop, binaryImage=True)
        area = max(moments["m00"], 1.0)
        centroid = (x * scale + moments["m10"] / area, y * scale + moments["m01"] / area)
        return cls(track_id, track_color(track_id), label, x * scale, y * scale, crop, contours, area, centroid)

    @classmethod
    def of_box(cls, box: np.ndarray, scale: int, track_id: int, label: str) -> _Shape:
        """Shape of a box (x0, y0, x1, y1)."""
        x0, y0, x1, y1 = (round(float(value) * scale) for value in box)
        contour = np.array([[[0, 0]], [[x1 - x0, 0]], [[x1 - x0, y1 - y0]], [[0, y1 - y0]]], np.int32)
        area, centroid = float((x1 - x0) * (y1 - y0)), ((x0 + x1) / 2, (y0 + y1) / 2)
        return cls(track_id, track_color(track_id), label, x0, y0, None, [contour], area, centroid)

    def fill(self, canvas: np.ndarray, opacity: float) -> None:
        if self.mask is None:
            return
        region = canvas[self.y : self.y + self.mask.shape[0], self.x : self.x + self.mask.shape[1]]
        tint = np.empty_like(region)
        tint[:] = self.color[::-1]
        np.copyto(region, cv2.addWeighted(region, 1 - opacity, tint, opacity, 0), where=self.mask[..., None] > 0)

    def outline(self, canvas: np.ndarray, thickness: int) -> None:
        for color, width in ((rim_color(self.color), thickness + min(thickness, 2)), (self.color[::-1], thickness)):
            cv2.drawContours(canvas, self.contours, -1, color, width, cv2.LINE_AA, offset=(self.x, self.y))


@lru_cache(maxsize=256)
def _render_label(chip: str, text: str, color: Color, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Label of the identity on its color, then the text on a dark ground: BGR float32 (h, w, 3), opacity (h, w, 1)."""
    size *= _SUPERSAMPLING
    bold, regular = _font("DejaVuSans-Bold.ttf", size), _font("DejaVuSans.ttf", size)
    pad, height, radius = round(0.4 * size), round(1.45 * size), round(0.3 * size)
    chip_width = max(round(bold.getlength(chip)) + 2 * pad, height)
    width = chip_width + (round(regular.getlength(text)) + 2 * pad if text else 0)
    label = Image.new("RGBA", (width, height), (*_LABEL_BACKGROUND[:3], 0))
    pen = ImageDraw.Draw(label)
    pen.rounded_rectangle((0, 0, width - 1, height - 1), radius, fill=_LABEL_BACKGROUND)
    pen.rounded_rectangle((0, 0, chip_width - 1, height - 1), radius, fill=(*color, 255))
    middle = round(0.5 * height)
    pen.text((chip_width / 2, middle), chip, (*text_color(color), 255), bold, anchor="mm")
    pen.text((chip_width + pad, middle), text, (255, 255, 255, 255), regular, anchor="lm")
    # Shrinking premultiplied colors keeps transparent corners from bleeding into the edges.
    pixels = np.array(label, np.float32)
    pixels[..., :3] *= pixels[..., 3:] / 255
    shrunk_size = (width // _SUPERSAMPLING, height // _SUPERSAMPLING)
    shrunk = np.asarray(cv2.resize(pixels, shrunk_size, interpolation=cv2.INTER_AREA))
    alpha = shrunk[..., 3:] / 255
    return shrunk[..., 2::-1] / np.maximum(alpha, 1e-6), alpha


@lru_cache(maxsize=64)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Font from matplotlib's data, which Detectron2 requires."""
    return ImageFont.truetype(os.path.join(matplotlib.get_data_path(), "fonts", "ttf", name), size)


def _place(
    x: int, y: int, w: int, h: int, taken: list[tuple[int, int, int, int]], width: int, height: int
) -> tuple[int, int]:
    """Free position nearest to (x, y), straight up or down, for a label of (w, h) on a canvas of (width, height)."""
    x, y = min(max(x, 0), width - w), min(max(y, 0), height - h)
    blocking = [other for other in taken if other[0] < x + w and x < other[2]]
    candidates = [y, *(other[3] + 1 for other in blocking), *(other[1] - h - 1 for other in blocking)]
    for candidate in sorted(candidates, key=lambda candidate: abs(candidate - y)):
        inside = 0 <= candidate <= height - h
        if inside and all(candidate + h <= other[1] or candidate >= other[3] for other in blocking):
            return x, candidate
    return x, y


def _subpixel(x: float, y: float) -> tuple[int, int]:
    return round(x * 2**SHIFT), round(y * 2**SHIFT)
