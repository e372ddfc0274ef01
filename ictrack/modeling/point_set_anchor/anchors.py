"""Pose anchors: one mean pose at every cell of every level, as in github.com/FangyunWei/PointSetAnchor.

Coordinates in this package are pixel indices of the network's input: the center of the first pixel is (0, 0), where
Detectron2's continuous coordinates have (0.5, 0.5). ``point_set_anchor.py`` converts between the two.

Naming convention of this package:
    B: images, A: anchors of all levels (level after level, cells row-major), J: joints, G: people of one image,
    l: level, (H_l, W_l): its resolution
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ictrack.structures.joints import JOINT_SETS, JointSet, convert_keypoints
from ictrack.structures.json_files import read_json

DEFAULT_TEMPLATE = Path(__file__).with_name("coco_pose_template.json")


def load_pose_template(path: Path, joints: JointSet) -> np.ndarray:
    """(J, 2) float64 mean pose of a file of ``ictrack prepare pose-template``, its mid-hip at the origin; a person's
    height is about 1.

    Args:
        path: JSON file of {"joint_set": name, "points": [[x, y], ...]}, y down, with any origin.
        joints: Expected joint set; a template of another set is converted by :func:`convert_keypoints`.

    Raises:
        ValueError: If the file is not a template of this joint set; the message names it and what is wrong.
    """
    try:
        content = read_json(path)
        joint_set, points = content["joint_set"], np.array(content["points"], dtype=np.float64)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a pose template ({type(error).__name__}: {error})") from error
    source = JOINT_SETS.get(joint_set)
    if source is None or not convert_keypoints(np.ones((1, len(source), 3)), source, joints)[..., 2].all():
        raise ValueError(f"{path}: .joint_set is {joint_set!r}, expected {joints.name!r}")
    if points.shape != (len(source), 2) or not np.isfinite(points).all():
        raise ValueError(f"{path}: .points must be {len(source)} pairs of finite numbers")
    points = convert_keypoints(np.insert(points, 2, 1, axis=1)[None], source, joints)[0, :, :2]
    return points - points[[joints.index("left_hip"), joints.index("right_hip")]].mean(axis=0)


@dataclass(frozen=True)
class PoseAnchors:
    """Anchors of all levels.

    Attributes:
        points: (A, J, 2) x, y.
        boxes: (A, 4) XYXY, both corners inside (legacy convention: the width is x1 - x0 + 1).
        origins: (A, 2) x, y of the cell: (column, row) * stride.
        strides: (A,) stride of the level.
        scales: (A,) unit of the point offsets in pixels.
        level_sizes: (H_l, W_l) of every level.
    """

    points: Tensor
    boxes: Tensor
    origins: Tensor
    strides: Tensor
    scales: Tensor
    level_sizes: list[tuple[int, int]]

    def split(self, x: Tensor, dim: int = 0) -> list[Tensor]:
        """Parts of a tensor by level, along the axis ``dim`` of A anchors."""
        return list(x.split([height * width for height, width in self.level_sizes], dim))


class PointSetAnchorGenerator(nn.Module):
    """Generator of the template's poses at every cell of every level.

    The first cell of a level of stride s has the pose round(template * point_scale * s + (s - 1) / 2), and a box of the
    template's aspect ratio and area (box_scale * s)^2 around the same center. Both move by s from cell to cell.
    """

    base_points: Tensor  # (L, J, 2), at each level's first cell
    base_boxes: Tensor  # (L, 4)
    strides: Tensor  # (L,) int64

    def __init__(self, template: np.ndarray, *, strides: Sequence[int], point_scale: float, box_scale: float):
        """
        Args:
            template: (J, 2) x, y of the mean pose, its mid-hip at the origin.
            strides: Stride of each level.
            point_scale: Length of the template's unit in strides.
            box_scale: Square root of a box's area in strides.
        """
        super().__init__()
        self.point_scale = point_scale
        self.size_divisibility = math.lcm(*strides)
        width, height = np.ptp(template, axis=0).tolist()
        points, boxes = [], []
        for stride in strides:
            center = (stride - 1) / 2
            points.append(np.rint(template * (point_scale * stride) + center))
            half = [
                (box_scale * stride * side - 1) / 2 for side in (math.sqrt(width / height), math.sqrt(height / width))
            ]
            boxes.append([center - half[0], center - half[1], center + half[0], center + half[1]])
        self.register_buffer("base_points", torch.from_numpy(np.stack(points)).float(), False)
        self.register_buffer("base_boxes", torch.from_numpy(np.rint(boxes)).float(), False)
        self.register_buffer("strides", torch.tensor(strides), False)

    def forward(self, level_sizes: Sequence[tuple[int, int]]) -> PoseAnchors:
        """Anchors of levels with resolutions ``level_sizes``."""
        origins, strides, levels = [], [], []
        for level, (stride, (height, width)) in enumerate(zip(self.strides, level_sizes)):
            rows, cols = torch.meshgrid(
                torch.arange(height, device=stride.device), torch.arange(width, device=stride.device), indexing="ij"
            )
            origins.append((torch.stack([cols, rows], dim=-1) * stride).flatten(0, 1).float())
            strides.append(stride.repeat(height * width))
            levels.append(torch.full_like(strides[-1], level))
        origin, of_level = torch.cat(origins), torch.cat(levels)
        stride = torch.cat(strides).float()
        return PoseAnchors(
            points=self.base_points[of_level] + origin[:, None],
            boxes=self.base_boxes[of_level] + origin.repeat(1, 2),
            origins=origin,
            strides=stride,
            scales=stride * self.point_scale,
            level_sizes=list(level_sizes),
        )


def decode_points(points: Tensor, deltas: Tensor, scales: Tensor) -> Tensor:
    """Poses (..., A, J, 2): anchors (..., A, J, 2) moved by deltas in units of (A,) scales."""
    return points + deltas * scales[:, None, None]


def clip_points(points: Tensor, maximum: Tensor) -> Tensor:
    """Points (B, A, J, 2) clipped to [0, maximum]; ``maximum`` is (B, 2) x, y of each image."""
    return torch.minimum(points.clamp(min=0), maximum[:, None, None])


def point_boxes(points: Tensor) -> Tensor:
    """Extents (..., 4) XYXY of point sets (..., J, 2)."""
    return torch.cat([points.amin(-2), points.amax(-2)], dim=-1)
