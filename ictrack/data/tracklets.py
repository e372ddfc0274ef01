"""Tracklets mined from unlabelled video: read from their file, and seen through a sample's window.

The file is in YouTube-VIS format (``videos``, ``categories``, ``annotations``), as :mod:`ictrack.engine.mine_tracklets`
writes it, an annotation holding a mask or a pose (:mod:`.tracklet_shapes`) or null a frame; a video is known by the
folder of its ``file_names``.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from detectron2.structures import Instances

from ictrack.structures.json_files import AnnotationError
from ictrack.structures.youtube_vis_json import read_ground_truth, video_name

from .tracklet_shapes import TrackletShapes


class VideoTracklets:
    """The tracklets of one video, in encoded form.

    Attributes:
        shapes: what they are made of.
        size: (height, width) of the frames in which the shapes are.
        frames: frame index -> [(tracklet, shape), ...].
    """

    def __init__(self, shapes: TrackletShapes, size: tuple[int, int], frames: dict[int, list[tuple[int, Any]]]) -> None:
        self.shapes = shapes
        self.size = size
        self.frames = frames

    def instances(
        self, frame_index: int, affine: np.ndarray, source_size: tuple[int, int], size: tuple[int, int]
    ) -> Instances:
        """What is seen of a frame's tracklets.

        Args:
            frame_index: of the frame.
            affine: (2, 3) from pixels of the image to pixels of the frame.
            source_size: (height, width) of the frame; shapes in frames of another size are of the same one, scaled.
            size: (height, width) of the image.

        Returns:
            Instances with the fields of :meth:`TrackletShapes.seen`, gt_ids (int64) and gt_classes (0: tracklets are
            class-agnostic), without those of which nothing is seen.
        """
        scale = np.array([[self.size[1] / source_size[1]], [self.size[0] / source_size[0]]])
        entries = self.frames.get(frame_index, [])
        kept, instances = self.shapes.seen([shape for _, shape in entries], affine * scale, size)
        instances.gt_ids = torch.tensor([entries[i][0] for i in kept], dtype=torch.int64)
        instances.gt_classes = torch.zeros(len(kept), dtype=torch.int64)
        return instances


def read_tracklets(path: str | os.PathLike[str], shapes: TrackletShapes) -> dict[str, VideoTracklets]:
    """Name of a video -> its tracklets, of the videos that have any.

    Args:
        path: of the file.
        shapes: what the tracklets must be made of.

    Raises:
        AnnotationError: the file is not of the format, its tracklets are made of something else, or two videos have
            one name.
        OSError: it cannot be opened.
    """
    path = os.fspath(path)
    data = read_ground_truth(path, content=shapes.key)
    shapes.check_categories(data["categories"], f"{path}: categories")
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
        size = sizes[annotation["video_id"]]
        of_video = result.setdefault(names[annotation["video_id"]], VideoTracklets(shapes, size, {}))
        entries = {index: entry for index, entry in enumerate(annotation[shapes.key]) if entry is not None}
        paths = [f"{path}: annotations[{i}].{shapes.key}[{index}]" for index in entries]
        for index, shape in zip(entries, shapes.read(list(entries.values()), paths, size)):
            of_video.frames.setdefault(index, []).append((annotation["id"], shape))
    return result
