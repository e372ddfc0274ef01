"""Tracklets mined from unlabeled video: their file, and their view through a sample's window.

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
    """Tracklets of one video, in encoded form.

    Attributes:
        shapes: Geometry of the tracklets.
        size: (height, width) of the frames that the shapes refer to.
        frames: Pairs (tracklet id, shape) by frame index.
    """

    def __init__(self, shapes: TrackletShapes, size: tuple[int, int], frames: dict[int, list[tuple[int, Any]]]) -> None:
        self.shapes = shapes
        self.size = size
        self.frames = frames

    def instances(
        self, frame_index: int, affine: np.ndarray, source_size: tuple[int, int], size: tuple[int, int]
    ) -> Instances:
        """Tracklets of a frame seen through a window.

        Args:
            frame_index: Index of the frame.
            affine: (2, 3) map from pixels of the window to pixels of the frame.
            source_size: (height, width) of the frame; shapes that refer to another size are scaled to it.
            size: (height, width) of the window.

        Returns:
            Instances with the fields of :meth:`TrackletShapes.seen`, gt_ids (int64) and gt_classes (0: tracklets are
            class-agnostic), without unseen tracklets.
        """
        scale = np.array([[self.size[1] / source_size[1]], [self.size[0] / source_size[0]]])
        entries = self.frames.get(frame_index, [])
        kept, instances = self.shapes.seen([shape for _, shape in entries], affine * scale, size)
        instances.gt_ids = torch.tensor([entries[i][0] for i in kept], dtype=torch.int64)
        instances.gt_classes = torch.zeros(len(kept), dtype=torch.int64)
        return instances


def read_tracklets(path: str | os.PathLike[str], shapes: TrackletShapes) -> dict[str, VideoTracklets]:
    """Tracklets by the name of their video, without videos that have none.

    Args:
        path: Path of the file.
        shapes: Geometry that the tracklets must have.

    Raises:
        AnnotationError: the file has another format or other shapes, or two videos have one name.
        OSError: the file cannot be opened.
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
            raise AnnotationError(f"{path}: videos[{i}].file_names: a second video is called {name}")
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
