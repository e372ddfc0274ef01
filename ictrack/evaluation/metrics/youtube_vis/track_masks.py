"""Masks of the tracks of a video, checked and measured."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, compress, filterfalse
from typing import Any

import numpy as np

from ictrack.structures.rle import RLE
from ictrack.structures.youtube_vis_json import read_masks


@dataclass(frozen=True)
class TrackMasks:
    """Masks of N tracks of one video. T is the length of the longest list.

    Attributes:
        rles: N lists with an RLE, or something that is false, for each frame; they may be shorter than T.
        lengths: (N,) length of each track's list.
        present: (N, T) whether there is a mask, possibly without pixels.
        areas: (N, T) pixels, 0 without a mask.
        columns: (N, T, 2) first and last column of the mask; (0, -1) without pixels.
        other_size: (N, T) whether the mask's size differs from the video's.
        size: (H, W) of the video.
    """

    rles: list[list[RLE | None]]
    lengths: np.ndarray
    present: np.ndarray
    areas: np.ndarray
    columns: np.ndarray
    other_size: np.ndarray
    size: tuple[int, int]

    @classmethod
    def read(cls, entries: Sequence[dict[str, Any]], paths: Sequence[str], size: tuple[int, int]) -> TrackMasks:
        """Masks of annotations or results, from their ``segmentations``.

        Args:
            entries: N annotations or results of one video.
            paths: N JSON paths of the entries, for errors.
            size: (H, W) of the video.

        Raises:
            AnnotationError: a segmentation is no mask.
        """
        lists = [entry["segmentations"] for entry in entries]
        lengths = np.array([len(one) for one in lists], dtype=np.int64)
        in_list = np.arange(lengths.max(initial=0)) < lengths[:, None]
        flat = list(chain.from_iterable(lists))
        # An empty list of polygons is no mask, as in pycocotools. Anything else that is empty, as 0 or {}, is an error.
        is_mask = list(map(bool, flat))
        if not set(map(type, filterfalse(None, flat))) <= {type(None), list}:
            is_mask = [segmentation is not None and segmentation != [] for segmentation in flat]
        present = np.zeros(in_list.shape, dtype=bool)
        present[in_list] = np.array(is_mask, dtype=bool)
        tracks, frames = np.nonzero(present)
        given = list(compress(flat, is_mask))
        masks, extents = read_masks(given, _SegmentationPaths(paths, tracks, frames), [size] * len(given))
        if not all(map(operator.is_, masks, given)):
            remaining = iter(masks)
            lists = [[next(remaining) if segmentation else None for segmentation in one] for one in lists]
        areas = np.zeros(in_list.shape, dtype=np.int64)
        columns = np.full((*in_list.shape, 2), (0, -1), dtype=np.int64)
        other_size = np.zeros(in_list.shape, dtype=bool)
        if masks:
            areas[present] = extents.areas
            columns[present] = extents.columns
            other_size[present] = (extents.sizes != size).any(axis=1)
        return cls(lists, lengths, present, areas, columns, other_size, size)

    def __len__(self) -> int:
        return len(self.rles)

    def take(self, index: np.ndarray | slice) -> TrackMasks:
        """Masks of the tracks at positions, in that order."""
        return TrackMasks(
            rles=self.rles[index] if isinstance(index, slice) else [self.rles[i] for i in index.tolist()],
            lengths=self.lengths[index],
            present=self.present[index],
            areas=self.areas[index],
            columns=self.columns[index],
            other_size=self.other_size[index],
            size=self.size,
        )

    def mean_areas(self) -> np.ndarray:
        """Mean pixels (N,) over the frames with a mask that is not empty; 0 without such a frame."""
        frames = np.count_nonzero(self.areas, axis=1)
        return np.divide(self.areas.sum(axis=1), frames, out=np.zeros(len(self)), where=frames > 0)


class _SegmentationPaths(Sequence[str]):
    """JSON paths of tracks' segmentations, made on access."""

    def __init__(self, paths: Sequence[str], tracks: np.ndarray, frames: np.ndarray) -> None:
        self._paths, self._tracks, self._frames = paths, tracks, frames

    def __len__(self) -> int:
        return len(self._tracks)

    def __getitem__(self, index: Any) -> Any:
        return f"{self._paths[self._tracks[index]]}.segmentations[{self._frames[index]}]"
