"""Selection of people from predicted poses: candidates, scores of joints, OKS-NMS, and test-time augmentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from detectron2.data.transforms import ResizeShortestEdge
from torch import Tensor
from torch.nn import functional as F

from .anchors import PoseAnchors, clip_points
from .heatmap import find_peaks, sample_heatmaps, snap_to_peaks
from .oks_nms import oks_nms

KEYPOINT_SCORES = ("instance", "heatmap", "instance_times_heatmap")


@dataclass(frozen=True)
class PoseCandidates:
    """Poses of one image, before or after suppression.

    Attributes:
        points: (N, J, 2) x, y in pixel indices.
        scores: (N,) scores of the people.
        heatmap_scores: (N, J) heatmap values at the joints.
    """

    points: Tensor
    scores: Tensor
    heatmap_scores: Tensor

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: Tensor) -> PoseCandidates:
        return PoseCandidates(self.points[index], self.scores[index], self.heatmap_scores[index])

    @property
    def areas(self) -> Tensor:
        """(N,) width times height of the poses."""
        return (self.points.amax(1) - self.points.amin(1)).prod(1)

    def mirrored(self, width: int, flip_permutation: Sequence[int]) -> PoseCandidates:
        """Candidates in the mirrored image of ``width`` pixels."""
        permutation = list(flip_permutation)
        points = torch.stack([width - 1 - self.points[..., 0], self.points[..., 1]], dim=-1)[:, permutation]
        return PoseCandidates(points, self.scores, self.heatmap_scores[:, permutation])

    def resized(self, size: tuple[int, int], new_size: tuple[int, int]) -> PoseCandidates:
        """Candidates in the image resized from (height, width) ``size`` to ``new_size``; pixels are areas."""
        factors = self.points.new_tensor([new_size[1] / size[1], new_size[0] / size[0]])
        return PoseCandidates((self.points + 0.5) * factors - 0.5, self.scores, self.heatmap_scores)

    @staticmethod
    def cat(candidates: Sequence[PoseCandidates]) -> PoseCandidates:
        return PoseCandidates(
            torch.cat([c.points for c in candidates]),
            torch.cat([c.scores for c in candidates]),
            torch.cat([c.heatmap_scores for c in candidates]),
        )


@dataclass(frozen=True)
class PoseSelector:
    """Selector of people; the fields are those of the configuration.

    Attributes:
        sigmas: OKS standard deviations of the joints.
        pre_nms_topk: Number of best anchors of each level that become candidates.
        heatmap_stride: Stride of the heatmaps.
        snap: Whether joints are replaced by heatmap peaks, see :func:`snap_to_peaks`.
        snap_gate, peak_kernel, max_peaks: See :func:`snap_to_peaks` and :func:`find_peaks`.
        keypoint_score: Score of a joint: the person's, the heatmap's value at the joint, or their product.
        score_thresh: Score above which a candidate is kept.
        nms_oks: OKS with a better candidate above which a candidate is suppressed.
        max_detections: Largest number of people per image.
    """

    sigmas: tuple[float, ...]
    pre_nms_topk: int
    heatmap_stride: int
    snap: bool
    snap_gate: float
    peak_kernel: int
    max_peaks: int
    keypoint_score: str
    score_thresh: float
    nms_oks: float
    max_detections: int

    def __post_init__(self) -> None:
        if self.keypoint_score not in KEYPOINT_SCORES:
            raise ValueError(
                f"MODEL.POINT_SET_ANCHOR.KEYPOINT_SCORE is {self.keypoint_score!r}, expected one of {KEYPOINT_SCORES}"
            )
        if self.peak_kernel % 2 == 0:
            raise ValueError(f"MODEL.POINT_SET_ANCHOR.PEAK_KERNEL must be odd, is {self.peak_kernel}")

    def strongest(self, scores: Tensor, anchors: PoseAnchors) -> Tensor:
        """Indices of the anchors whose ``scores`` (A,) are among the best of their level."""
        index = torch.arange(len(scores), device=scores.device)
        return torch.cat(
            [
                i[s.topk(self.pre_nms_topk).indices] if len(s) > self.pre_nms_topk else i
                for i, s in zip(anchors.split(index), anchors.split(scores))
            ]
        )

    def candidates(
        self, points: Tensor, scores: Tensor, heatmaps: Tensor, offsets: Tensor, image_size: tuple[int, int]
    ) -> PoseCandidates:
        """Candidates of one image.

        Args:
            points: (N, J, 2) regressed poses, inside the image.
            scores: (N,) scores of the people.
            heatmaps: (J, h, w).
            offsets: (J, 2, h, w) in cells.
            image_size: (height, width) without padding.
        """
        extent = points.new_tensor([image_size[1], image_size[0]])
        return self.candidates_within(points, scores, heatmaps, offsets, extent)

    def candidates_within(
        self, points: Tensor, scores: Tensor, heatmaps: Tensor, offsets: Tensor, extent: Tensor
    ) -> PoseCandidates:
        """See :meth:`candidates`, with ``extent`` (2,), width and height of the image without padding."""
        heatmap_scores = sample_heatmaps(heatmaps, points, self.heatmap_stride)
        if self.snap:
            peaks = find_peaks(heatmaps, offsets, self.heatmap_stride, self.peak_kernel, self.max_peaks)
            points, peak_scores = snap_to_peaks(points, peaks, self.snap_gate)
            heatmap_scores = torch.where(peak_scores > 0, peak_scores, heatmap_scores)
            points = clip_points(points[None], extent[None])[0]
        return PoseCandidates(points, scores, heatmap_scores)

    def select(self, candidates: PoseCandidates) -> PoseCandidates:
        """Candidates kept by OKS-NMS over all views of an image, the best first."""
        candidates = candidates[(candidates.scores > self.score_thresh).nonzero().squeeze(1)]
        sigmas = candidates.points.new_tensor(self.sigmas)
        return candidates[
            oks_nms(candidates.points, candidates.scores, candidates.areas, sigmas, self.nms_oks, self.max_detections)
        ]

    def keypoints(self, people: PoseCandidates) -> Tensor:
        """(N, J, 3): x, y in Detectron2's continuous coordinates, and each joint's score."""
        instance = people.scores[:, None].expand_as(people.heatmap_scores)
        scores = {
            "instance": instance,
            "heatmap": people.heatmap_scores,
            "instance_times_heatmap": instance * people.heatmap_scores,
        }[self.keypoint_score]
        return torch.cat([people.points + 0.5, scores[..., None]], dim=-1)


@dataclass(frozen=True)
class AugmentedViews:
    """Resized and mirrored copies of an image (``cfg.TEST.AUG``).

    Attributes:
        min_sizes: Shorter sides of the copies.
        max_size: Longest side of the copy of the largest min_size; it scales in proportion for the others.
        flip: Whether each copy is also mirrored.
    """

    min_sizes: Sequence[int]
    max_size: int
    flip: bool

    def __call__(self, image: Tensor) -> Iterator[tuple[Tensor, bool]]:
        """Float copies (C, h, w) of an image (C, H, W), and whether each is mirrored."""
        largest = max(self.min_sizes)
        for min_size in self.min_sizes:
            limit = round(self.max_size * min_size / largest)
            size = ResizeShortestEdge.get_output_shape(image.shape[1], image.shape[2], min_size, limit)
            copy = F.interpolate(image[None].float(), size=size, mode="bilinear", antialias=True)[0]
            yield copy, False
            if self.flip:
                yield copy.flip(-1), True
