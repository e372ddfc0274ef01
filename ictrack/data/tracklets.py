"""Tracklets mined from unlabelled video: read from their file, and seen through a sample's window.

The file is in YouTube-VIS format (``videos``, ``categories``, ``annotations`` with an RLE or null a frame), as
:mod:`ictrack.engine.mine_tracklets` writes it; a video is known by the folder of its ``file_names``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from detectron2.structures import BitMasks, Instances
from pycocotools import mask as mask_util

from ictrack.structures.rle import RLE
from ictrack.structures.youtube_vis_json import AnnotationError, read_ground_truth, read_masks, video_name

from .frame_geometry import warp_mask


class VideoTracklets:
    """The tracklets of one video, in encoded form.

    Attributes:
        size: (height, width) of the masks.
        frames: frame index -> [(tracklet, RLE), ...].
    """

    def __init__(self, size: tuple[int, int], frames: dict[int, list[tuple[int, RLE]]]) -> None:
        self.size = size
        self.frames = frames

    def instances(
        self, frame_index: int, affine: np.ndarray, source_size: tuple[int, int], size: tuple[int, int]
    ) -> Instances:
        """What is seen of a frame's tracklets.

        Args:
            frame_index: of the frame.
            affine: (2, 3) from pixels of the image to pixels of the frame.
            source_size: (height, width) of the frame; masks of another size are of the same frame, scaled.
            size: (height, width) of the image.

        Returns:
            Instances with gt_masks (BitMasks), their tight gt_boxes, gt_ids (int64) and gt_classes (0: tracklets are
            class-agnostic), without those of which nothing is seen.
        """
        scale = np.array([[self.size[1] / source_size[1]], [self.size[0] / source_size[0]]])
        ids, masks = [], []
        for tracklet, rle in self.frames.get(frame_index, []):
            mask = warp_mask(mask_util.decode(rle), affine * scale, size)
            if mask.any():
                ids.append(tracklet)
                masks.append(mask)
        stacked = torch.from_numpy(np.stack(masks)) if masks else torch.zeros((0, *size), dtype=torch.bool)
        bits = BitMasks(stacked)
        return Instances(
            size,
            gt_masks=bits,
            gt_boxes=bits.get_bounding_boxes(),
            gt_ids=torch.tensor(ids, dtype=torch.int64),
            gt_classes=torch.zeros(len(ids), dtype=torch.int64),
        )


def read_tracklets(path: str | os.PathLike[str]) -> dict[str, VideoTracklets]:
    """Name of a video -> its tracklets, of the videos that have any.

    Raises:
        AnnotationError: the file is not of the format, or two videos have one name.
        OSError: it cannot be opened.
    """
    path = os.fspath(path)
    data = read_ground_truth(path)
    names: dict[int, str] = {}
    result: dict[str, VideoTracklets] = {}
    sizes: dict[int, tuple[int, int]] = {}
    for i, video in enumerate(data["videos"]):
        name = video_name(video)
        if name in names.values():
            raise AnnotationError(f"{path}: videos[{i}].file_names: a second video called {name}")
        names[video["id"]] = name
        sizes[video["id"]] = (video["height"], video["width"])
    for i, annotation in enumerate(data.get("annotations") or []):
        video_id = annotation["video_id"]
        of_video = result.setdefault(names[video_id], VideoTracklets(sizes[video_id], {}))
        for index, rle in _masks(annotation["segmentations"], f"{path}: annotations[{i}]", of_video.size):
            of_video.frames.setdefault(index, []).append((annotation["id"], rle))
    return result


def _masks(segmentations: Sequence[Any], where: str, size: tuple[int, int]) -> list[tuple[int, RLE]]:
    """(frame index, checked mask) of one tracklet."""
    indices = [index for index, segmentation in enumerate(segmentations) if segmentation is not None]
    paths = [f"{where}.segmentations[{index}]" for index in indices]
    rles, _ = read_masks([segmentations[index] for index in indices], paths, [size] * len(indices))
    for rle, name in zip(rles, paths):
        if tuple(rle["size"]) != size:
            raise AnnotationError(f"{name}.size: is {rle['size']}, the video's is {list(size)}")
    return list(zip(indices, rles))
