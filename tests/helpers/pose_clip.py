"""A clip of the association study with one person, for tests of the project."""

from __future__ import annotations

import numpy as np
import torch
from detectron2.structures import Boxes, Instances

from experiments.association.poses import DetectedPoses, PoseClip
from ictrack.structures.joints import POSETRACK_18


def pose_clip(scores, *, number=1, unit=0):
    """Frames with somebody in the same place; detected with ``scores`` (frames, 17) of the joints."""
    points = np.stack([10 + 5.0 * np.arange(17), 20 + 3.0 * np.arange(17)], axis=1)
    name = f"{number:06d}_sample_test"
    images = [
        {"id": 10 + t, "file_name": f"images/{name}/{t:06d}.jpg", "is_labeled": True, "vid_id": f"{number:06d}",
         "nframes": len(scores)}
        for t in range(len(scores))
    ]  # fmt: skip
    annotations = [
        {"id": t, "image_id": 10 + t, "track_id": 0, "bbox_head": [10, 10, 9, 9], "bbox": [5, 5, 90, 70],
         "keypoints": np.column_stack([points, np.ones(17)]).ravel().tolist()}
        for t in range(len(scores))
    ]  # fmt: skip
    category = {"id": 1, "name": "person", "keypoints": list(POSETRACK_18.names)}
    frames = []
    for frame_scores in scores:
        found = Instances((100, 120), pred_boxes=Boxes(torch.tensor([[5.0, 5, 95, 75]])))
        keypoints = np.column_stack([points, frame_scores])[None]
        found.pred_keypoints = torch.tensor(keypoints, dtype=torch.float32)
        found.scores = torch.tensor([0.9])
        found.pred_classes = found.row = torch.zeros(1, dtype=torch.int64)
        frames.append(DetectedPoses(found, {}))
    data = {"images": images, "annotations": annotations, "categories": [category]}
    return PoseClip(name, data, frames, unit)
