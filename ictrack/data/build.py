"""Test loader of videos for any per-frame Detectron2 model: frames one at a time, each video in its order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode, configurable
from detectron2.data import DatasetCatalog, build_detection_test_loader
from detectron2.data import detection_utils as utils
from detectron2.data import transforms as T
from detectron2.utils import comm
from torch.utils.data import DataLoader, Sampler

from .image_file import ImageReadError, read_image


class FrameReadError(ValueError):
    """A frame that cannot be read, or differs from its video's size. Evaluation must not skip a frame silently."""


class VideoInferenceSampler(Sampler):
    """Indices of the frames of whole videos: every video belongs to one process, its frames in order.

    Videos are dealt out by falling length, each to the process with the fewest frames so far.
    """

    def __init__(self, lengths: Sequence[int], rank: int | None = None, world_size: int | None = None) -> None:
        """
        Args:
            lengths: Number of frames of each video; the frames of all videos are numbered in that order.
            rank, world_size: Rank of this process and number of processes; None: Detectron2's.
        """
        rank = comm.get_rank() if rank is None else rank
        world_size = comm.get_world_size() if world_size is None else world_size
        starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        load = np.zeros(world_size, dtype=np.int64)
        mine = []
        for video in np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable"):
            owner = int(load.argmin())
            load[owner] += lengths[video]
            if owner == rank:
                mine.append(video)
        self._indices = [i for video in sorted(mine) for i in range(starts[video], starts[video + 1])]

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)


class VideoFrameMapper:
    """Mapper of a frame record to a Detectron2 model's input: the record with ``image``, (C, H, W) uint8."""

    @configurable
    def __init__(self, *, augmentations: Sequence[T.Augmentation], image_format: str) -> None:
        """
        Args:
            augmentations: Deterministic augmentations, e.g. resizing.
            image_format: Format of :func:`ictrack.data.image_file.read_image`.
        """
        self._augmentations = T.AugmentationList(augmentations)
        self._image_format = image_format

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        size = cfg.INPUT.MIN_SIZE_TEST
        return {
            "augmentations": [T.ResizeShortestEdge([size, size], cfg.INPUT.MAX_SIZE_TEST)] if size else [],
            "image_format": cfg.INPUT.FORMAT,
        }

    def __call__(self, record: dict[str, Any]) -> dict[str, Any]:
        """Input of one frame. Raises FrameReadError, which names the file."""
        record = dict(record)
        try:
            image = read_image(record["file_name"], format=self._image_format)
            utils.check_image_size(record, image)
        except (ImageReadError, utils.SizeMismatchError) as error:
            frame = f"frame {record['frame_index']} of video {record['video_id']}"
            raise FrameReadError(f"{record['file_name']}: cannot read {frame}: {error}") from error
        augmented = T.AugInput(image)
        self._augmentations(augmented)
        record["image"] = torch.as_tensor(np.ascontiguousarray(augmented.image.transpose(2, 0, 1)))
        return record


def frame_records(videos: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Frame records of video records: ``file_name``, ``height``, ``width``, ``video_id``, ``video_name``,
    ``video_length`` and ``frame_index`` (0-based)."""
    return [
        {
            "file_name": file_name,
            "height": video["height"],
            "width": video["width"],
            "video_id": video["video_id"],
            "video_name": video["video_name"],
            "video_length": video["length"],
            "frame_index": frame_index,
        }
        for video in videos
        for frame_index, file_name in enumerate(video["file_names"])
    ]


def build_video_test_loader(cfg: CfgNode, dataset_name: str) -> DataLoader:
    """Batches of one frame for :func:`detectron2.evaluation.inference_on_dataset`, this process's videos only.

    Frames are resized by ``INPUT.MIN_SIZE_TEST`` (0: not at all) and ``INPUT.MAX_SIZE_TEST``.

    Args:
        cfg: Configuration; ``INPUT.FORMAT`` and ``DATALOADER.NUM_WORKERS`` are also read.
        dataset_name: Name given to :func:`ictrack.data.datasets.register_youtube_vis` or ``register_posetrack``.

    Raises:
        AnnotationError: the data set's file is wrong.
        FrameReadError: while iterating, if a frame is wrong.
    """
    videos = DatasetCatalog.get(dataset_name)
    return build_detection_test_loader(
        frame_records(videos),
        mapper=VideoFrameMapper(cfg),
        sampler=VideoInferenceSampler([video["length"] for video in videos]),
        num_workers=cfg.DATALOADER.NUM_WORKERS,
    )
