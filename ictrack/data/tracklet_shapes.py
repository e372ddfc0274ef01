"""Per-frame geometry of tracklets, masks or keypoints: detections to JSON, parsed, and in a training crop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.structures import BitMasks, Instances, Keypoints
from pycocotools import mask as mask_util

from ictrack.structures.describe import describe
from ictrack.structures.joints import JointSet, embedded_joints
from ictrack.structures.json_files import AnnotationError, is_finite, require
from ictrack.structures.rle import RLE, encode_mask
from ictrack.structures.youtube_vis_json import MAX_COORDINATE, read_masks

from .frame_geometry import is_mirrored, warp_mask, warp_points

_DECIMALS = 3  # of a pose's numbers in a file


class TrackletShapes(ABC):
    """Geometry of tracklets: its encoding in a file, and its view through a sample's window.

    Attributes:
        key: Key of an annotation's list with one entry a frame, null where the tracklet is not seen.
        field: Field of the detector's Instances.
        category: Single entry of a file's ``categories``.
    """

    key: str
    field: str
    category: dict[str, Any]

    def encode(self, instances: Instances) -> list[Any]:
        """File entry of each of N detections. Raises ValueError if the detector does not predict the field."""
        if not instances.has(self.field):
            raise ValueError(f"tracklets are made of `{self.field}`, which this detector does not predict")
        return self._encode(instances.get(self.field))

    @abstractmethod
    def _encode(self, shapes: Any) -> list[Any]:
        """File entries of the field's content."""

    @abstractmethod
    def check_categories(self, categories: Sequence[dict[str, Any]], path: str) -> None:
        """Raise AnnotationError if the categories do not fit these shapes. ``path`` is the list's JSON path."""

    @abstractmethod
    def read(self, entries: Sequence[Any], paths: Sequence[str], size: tuple[int, int]) -> list[Any]:
        """Checked shapes.

        Args:
            entries: N entries in a file, without null.
            paths: N JSON paths of the entries.
            size: (height, width) of the video.

        Raises:
            AnnotationError: an entry is no shape; the message has its path.
        """

    @abstractmethod
    def seen(self, shapes: Sequence[Any], affine: np.ndarray, size: tuple[int, int]) -> tuple[list[int], Instances]:
        """Shapes seen through a window.

        Args:
            shapes: Result of :meth:`read`.
            affine: (2, 3) map from pixels of the window to pixels of the shapes.
            size: (height, width) of the window.

        Returns:
            Indices of the shapes that are at least partly seen, ascending, and these shapes as fields of Instances.
        """


class MaskShapes(TrackletShapes):
    """Masks: RLEs under "segmentations", gt_masks (BitMasks) and their tight gt_boxes.

    Boxes of a detector without masks are filled rectangles.
    """

    key, field = "segmentations", "pred_masks"
    category = {"id": 1, "name": "object"}

    def encode(self, instances: Instances) -> list[Any]:
        """File entry of each of N detections. Raises ValueError if the detector predicts neither masks nor boxes."""
        if instances.has(self.field) or not instances.has("pred_boxes"):
            return super().encode(instances)
        boxes = instances.pred_boxes.tensor.double().numpy()
        # pycocotools reads the memory row by row, whatever the array's order.
        boxes = np.ascontiguousarray(np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1))
        rles = mask_util.frPyObjects(boxes, *instances.image_size) if len(boxes) else []
        return [{"size": list(rle["size"]), "counts": rle["counts"].decode("ascii")} for rle in rles]

    def _encode(self, shapes: Any) -> list[Any]:
        return [encode_mask(mask) for mask in shapes.numpy()]

    def check_categories(self, categories: Sequence[dict[str, Any]], path: str) -> None:
        """Masks fit any category."""

    def read(self, entries: Sequence[Any], paths: Sequence[str], size: tuple[int, int]) -> list[Any]:
        rles, _ = read_masks(entries, paths, [size] * len(entries))
        for rle, path in zip(rles, paths):
            if tuple(rle["size"]) != size:
                raise AnnotationError(f"{path}.size: is {rle['size']}, the video's is {list(size)}")
        return rles

    def seen(self, shapes: Sequence[RLE], affine: np.ndarray, size: tuple[int, int]) -> tuple[list[int], Instances]:
        masks = [warp_mask(mask_util.decode(rle), affine, size) for rle in shapes]
        kept = [i for i, mask in enumerate(masks) if mask.any()]
        stacked = np.stack([masks[i] for i in kept]) if kept else np.zeros((0, *size), dtype=bool)
        bits = BitMasks(torch.from_numpy(stacked))
        return kept, Instances(size, gt_masks=bits, gt_boxes=bits.get_bounding_boxes())


class PoseShapes(TrackletShapes):
    """Poses: [x1, y1, score1, ...] of all joints under "keypoints", and gt_keypoints (N, J, 3) with these scores.

    Joints outside a window are (0, 0, 0), as in :class:`ictrack.data.labeled_pose_mapper.LabeledPoseMapper`, and a
    mirrored window exchanges left and right joints. In a file the category's "keypoints" name the joints.
    """

    key, field = "keypoints", "pred_keypoints"

    def __init__(self, joints: JointSet) -> None:
        self.joints = joints
        self.category = {"id": 1, "name": "person", "keypoints": list(joints.names)}

    def _encode(self, shapes: Any) -> list[Any]:
        if tuple(shapes.shape[1:]) != (len(self.joints), 3):
            raise ValueError(f"pred_keypoints are {tuple(shapes.shape)}, not (N, {len(self.joints)}, 3)")
        return shapes.flatten(1).double().numpy().round(_DECIMALS).tolist()

    def check_categories(self, categories: Sequence[dict[str, Any]], path: str) -> None:
        for i, category in enumerate(categories):
            require(
                category.get("keypoints") == list(self.joints.names),
                f"{path}[{i}].keypoints",
                f"must be the joints of {self.joints.name}, the model's, not {describe(category.get('keypoints'))}",
            )

    def read(self, entries: Sequence[Any], paths: Sequence[str], size: tuple[int, int]) -> list[Any]:
        count = 3 * len(self.joints)
        for entry, path in zip(entries, paths):
            require(
                isinstance(entry, list)
                and len(entry) == count
                and all(is_finite(value) and abs(value) <= MAX_COORDINATE for value in entry)
                and min(entry[2::3]) >= 0,
                path,
                f"must be {count} numbers x, y and score, the latter at least 0, not {describe(entry)}",
            )
        return [np.array(entry, dtype=np.float64).reshape(-1, 3) for entry in entries]

    def seen(
        self, shapes: Sequence[np.ndarray], affine: np.ndarray, size: tuple[int, int]
    ) -> tuple[list[int], Instances]:
        poses = np.stack(shapes) if len(shapes) else np.zeros((0, len(self.joints), 3))
        poses[..., :2] = warp_points(poses[..., :2], affine)
        inside = ((poses[..., :2] >= 0) & (poses[..., :2] <= size[::-1])).all(axis=2) & (poses[..., 2] > 0)
        poses[~inside] = 0
        if is_mirrored(affine):
            poses = poses[:, list(self.joints.flip_permutation)]
        kept = inside.any(axis=1).nonzero()[0]
        return kept.tolist(), Instances(size, gt_keypoints=Keypoints(torch.from_numpy(poses[kept])))


def tracklet_shapes(cfg: CfgNode) -> TrackletShapes:
    """Geometry of the tracklets of a configuration, by which its embedding heads read them."""
    joints = embedded_joints(cfg)
    return MaskShapes() if joints is None else PoseShapes(joints)
