"""Objects of one video of TAO or BURST, and what counts of one class, as TrackEval decides it.

Reference: TrackEval 1.3 (github.com/JonathonLuiten/TrackEval, ``datasets/tao.py`` and ``burst.py``). Results of a class
that are on no object of it (IoU >= 0.5) do not count

- in a frame without objects of the class, unless the video is known to have none (``negative``);
- in a video in which not every object of the class was annotated (``not_exhaustive``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as mask_util

from ictrack.structures.federated_video import FederatedVideo, FrameObjects

from ..association.overlap import box_iou, match
from ..association.relabel import sequence_of_ids
from ..association.tracked_sequence import TrackedSequence


@dataclass(frozen=True)
class VideoObjects:
    """Objects of a video's T frames that have some.

    Attributes:
        video: Facts about the video.
        gt, pred: (T,) objects of the ground truth and of the results.
        iou: (T,) IoU (G_t, D_t) of all of them, whatever their classes.
    """

    video: FederatedVideo
    gt: Sequence[FrameObjects]
    pred: Sequence[FrameObjects]
    iou: Sequence[np.ndarray]

    @classmethod
    def compare(
        cls, video: FederatedVideo, gt: Sequence[FrameObjects], pred: Sequence[FrameObjects], has_masks: bool
    ) -> VideoObjects:
        """Objects of a video with their IoU, of masks or of boxes."""
        return cls(video, gt, pred, [_iou(a, b, has_masks) for a, b in zip(gt, pred)])

    def scored_classes(self) -> list[int]:
        """Category ids of which something may count: those that have objects, and negative ones."""
        found = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(frame.classes for frame in self.gt)]))
        return sorted({*found.tolist(), *self.video.negative})

    def sequence_of(self, category: int) -> TrackedSequence:
        """Objects of a class that count, and their IoU."""
        gt_ids, pred_ids, similarity = [], [], []
        for gt, pred, iou in zip(self.gt, self.pred, self.iou):
            in_gt, in_pred = gt.classes == category, pred.classes == category
            iou = iou[in_gt][:, in_pred]
            stays = np.ones(iou.shape[1], dtype=bool)
            if category in self.video.not_exhaustive or (not in_gt.any() and category not in self.video.negative):
                stays[:] = False
                stays[match(iou)[1]] = True
            gt_ids.append(gt.ids[in_gt])
            pred_ids.append(pred.ids[in_pred][stays])
            similarity.append(iou[:, stays])
        return sequence_of_ids(gt_ids, pred_ids, similarity, self.video.num_frames)


def _iou(gt: FrameObjects, pred: FrameObjects, has_masks: bool) -> np.ndarray:
    if not (len(gt) and len(pred)):
        return np.zeros((len(gt), len(pred)))
    shapes: tuple[Any, Any] = gt.shapes, pred.shapes
    return mask_util.iou(*shapes, [0] * len(pred)) if has_masks else box_iou(*shapes)
