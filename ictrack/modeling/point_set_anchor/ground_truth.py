"""Ground truth of PointSetAnchor: labeled people in pixel indices, and the poses that an embedding is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from detectron2.structures import Instances
from torch import Tensor

from .outputs import Stage
from .targets import StageTargets


def labeled_people(instances: Instances, num_joints: int, name: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """Keypoints (G, J, 3) and boxes (G, 4), both corners inside, of an image, in pixel indices.

    Args:
        instances: Instances with gt_keypoints and gt_boxes.
        num_joints: J.
        name: What an error calls the image.
        device: Device of the result.

    Raises:
        ValueError: If there are no keypoints, or other than J, or values that are not finite.
    """
    if len(instances) and not instances.has("gt_keypoints"):
        raise ValueError(f"{name}: its instances have no gt_keypoints")
    if not len(instances):  # in Detectron2 these have no gt_keypoints
        return torch.zeros(0, num_joints, 3, device=device), torch.zeros(0, 4, device=device)
    keypoints = instances.gt_keypoints.tensor.to(device, torch.float32)
    boxes = instances.gt_boxes.tensor.to(device, torch.float32)
    if keypoints.shape[1:] != (num_joints, 3):
        raise ValueError(f"{name}: gt_keypoints are {tuple(keypoints.shape)}, must be (N, {num_joints}, 3)")
    if not (keypoints.isfinite().all() and boxes.isfinite().all()):
        raise ValueError(f"{name}: gt_keypoints or gt_boxes are not finite")
    return shifted(keypoints, -0.5), boxes - boxes.new_tensor([0, 0, 1, 1])


def people_of_image(record: Mapping[str, Any], num_joints: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """:func:`labeled_people` of an image of a training batch, named by its ``file_name`` in errors.

    Raises:
        ValueError: Also if it has no "instances", not even an empty set.
    """
    if "instances" not in record:
        raise ValueError("PointSetAnchor trains on images with instances; an image of the batch has none")
    return labeled_people(record["instances"], num_joints, _name(record), device)


def annotated_joints(record: Mapping[str, Any], num_joints: int, device: torch.device) -> Tensor:
    """(J,) bool joints that an image's data set labels: its ``annotated_joints``, by default all.

    Raises:
        ValueError: If they are other than J.
    """
    annotated = torch.as_tensor(record.get("annotated_joints", [True] * num_joints), device=device)
    if annotated.shape != (num_joints,):
        raise ValueError(f"{_name(record)}: annotated_joints are {tuple(annotated.shape)}, must be ({num_joints},)")
    return annotated.bool()


def _name(record: Mapping[str, Any]) -> str:
    return record.get("file_name", "an image of the batch")


def shifted(keypoints: Tensor, shift: float) -> Tensor:
    """(G, J, 3) keypoints with ``shift`` added to x and y."""
    return keypoints + keypoints.new_tensor([shift, shift, 0])


def inside(keypoints: Tensor, size: tuple[int, int]) -> Tensor:
    """(G, J, 3) keypoints in pixel indices, with visibility 0 for those outside an image of ``size`` (h, w)."""
    limits = keypoints.new_tensor([size[1], size[0]]) - 0.5
    is_inside = ((keypoints[..., :2] >= -0.5) & (keypoints[..., :2] <= limits)).all(-1)
    return torch.cat([keypoints[..., :2], keypoints[..., 2:] * is_inside[..., None]], dim=-1)


def poses_to_embed(
    stage: Stage, targets: StageTargets, keypoints: list[Tensor], ids: list[Tensor], padded_size: tuple[int, int]
) -> list[Instances]:
    """Instances that :class:`KeypointEmbeddingModule` is trained on, in continuous coordinates.

    Args:
        stage, targets: Last stage and its targets.
        keypoints: (G, J, 3) labeled people of every image, in pixel indices.
        ids: (G,) identities of these people.
        padded_size: (H, W) of the network's input with padding.

    Returns:
        Poses of positive anchors of every image, with the visibility of their person's label, then the labels.
    """
    result = []
    for i, (labels, people_ids) in enumerate(zip(keypoints, ids)):
        here = targets.images == i
        people = targets.people[here]
        predicted = torch.cat([stage.poses[i, targets.anchors[here]] + 0.5, labels[people, :, 2:]], dim=-1)
        index = torch.cat([people, torch.arange(len(labels), device=people.device)])
        poses = torch.cat([predicted, shifted(labels, 0.5).to(predicted)])
        is_predicted = torch.arange(len(index), device=people.device) < len(people)
        gt_ids = people_ids.to(index.device)[index]
        fields = {"gt_keypoints": poses, "gt_index": index, "gt_ids": gt_ids, "is_predicted": is_predicted}
        result.append(Instances(padded_size, **fields))
    return result
