"""Mapper of an unlabeled video to a pair or a clip of its frames, for learning correspondence."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from detectron2.config import CfgNode, configurable
from detectron2.data import transforms as T

from .augmentation import RandomColor
from .bad_files import BadFileCounter
from .frame_geometry import Window, apply_window, draw_window, visible_cells, window_reduction, window_to_source
from .frame_stream import VideoReadError
from .image_file import SourceFrame
from .random_access_video import FileVideo, ImageFolderVideo, RandomAccessVideo
from .tracklets import VideoTracklets

logger = logging.getLogger(__name__)


class VideoDatasetMapper:
    """Mapper of a record of :mod:`ictrack.data.datasets.unlabeled_videos` to augmented frames of that video.

    The result holds ``video_name``, ``file_name``, ``frame_indices`` (T of them, ascending), ``height`` and ``width``
    (of the first source frame), and for each frame: the image; the colors it had before they were jittered, as Lab
    scaled to about -1 to 1, averaged over cells of ``color_stride`` pixels; whether the cell's center lies inside the
    frame; and the affine map from the pixels of the image to those of the source frame, in continuous coordinates (the
    first pixel's center is (0.5, 0.5)). With H, W the size of the images and h, w = H, W divided by ``color_stride``:

    ======== ================================= =====================================  =============================
    T        2: a pair                         2: its second frame                    3 and more: a clip
    ======== ================================= =====================================  =============================
    image    ``image`` (3, H, W) uint8         ``reference_image``                    ``clip`` (T, 3, H, W)
    colors  ``colors`` (3, h, w) float32      ``reference_colors``                   ``clip_colors`` (T, 3, h, w)
    validity ``valid`` (h, w) bool             ``reference_valid``                    ``clip_valid`` (T, h, w)
    mapping  ``image_to_source`` (2, 3) float32 ``reference_image_to_source``         ``clip_to_source`` (T, 2, 3)
    ======== ================================= =====================================  =============================

    A record's ``part``, two fractions of the video such as (0, 0.8), limits its frames. With tracklets, ``tracklets``
    is a list of T Instances; see :meth:`VideoTracklets.instances`.

    A video that is too short repeats frames: with a single one the pair is two augmented views. A video with an
    unreadable frame is logged and mapped to None (the loader then draws another).

    Args:
        num_frames: T.
        interval: [smallest, largest] distance from one frame to the next.
        interval_unit: Unit of the distance, "frames" or "seconds".
        folder_fps: Frames per second of folders of images that do not state any.
        size: (H, W).
        zoom: Smallest and largest magnification; 1 shows as much of a frame as fits, below 1 its edges are padded.
        max_enlargement: Largest enlargement of a frame, at least 1, down to which it is decoded smaller.
        rotation: Largest rotation to either side, in degrees.
        flip_prob: Probability of mirroring all frames.
        same_window: Whether all frames of a sample share zoom, rotation and offset.
        color_augmentation: Augmentation of each frame, with draws of its own; None: none.
        grey_prob: Probability of removing all color from a frame, so that the network cannot copy it.
        color_stride: Side of a cell in pixels, a divisor of H and W.
        image_format: "RGB" or "BGR".
        decoder_threads: Number of threads of each video decoder; 0 leaves it to FFmpeg.
        max_bad_videos: Number of unreadable videos in a worker after which BadFilesError is raised.
        tracklets: Tracklets of every video by its name; None: samples hold none.
    """

    @configurable
    def __init__(
        self,
        *,
        num_frames: int,
        interval: Sequence[float],
        interval_unit: str,
        folder_fps: float,
        size: tuple[int, int],
        zoom: tuple[float, float],
        max_enlargement: float,
        rotation: float,
        flip_prob: float,
        same_window: bool,
        color_augmentation: T.Augmentation | None,
        grey_prob: float,
        color_stride: int,
        image_format: str,
        decoder_threads: int,
        max_bad_videos: int,
        tracklets: Mapping[str, VideoTracklets] | None = None,
    ) -> None:
        if num_frames < 2:
            raise ValueError(f"INPUT.UNLABELED.NUM_FRAMES must be at least 2, not {num_frames}")
        if len(interval) != 2 or not 0 < interval[0] <= interval[1] < math.inf:
            raise ValueError(f"INPUT.UNLABELED.INTERVAL must be [smallest, largest] distance above 0, not {interval}")
        if interval_unit not in ("frames", "seconds"):
            raise ValueError(f'INPUT.UNLABELED.INTERVAL_UNIT must be "frames" or "seconds", not "{interval_unit}"')
        if interval_unit == "frames" and any(distance != int(distance) for distance in interval):
            raise ValueError(f"INPUT.UNLABELED.INTERVAL must be whole numbers of frames, not {interval}")
        if len(zoom) != 2 or not 0 < zoom[0] <= zoom[1] < math.inf:
            raise ValueError(f"INPUT.UNLABELED.ZOOM must be [smallest, largest] magnification above 0, not {zoom}")
        if max_enlargement < 1:
            raise ValueError(f"INPUT.UNLABELED.MAX_ENLARGEMENT must be at least 1, not {max_enlargement}")
        if len(size) != 2 or min(size) < 1 or any(side % color_stride for side in size):
            raise ValueError(
                f"INPUT.UNLABELED.SIZE must be [height, width], multiples of COLOR_STRIDE {color_stride}, not {size}"
            )
        if image_format not in ("RGB", "BGR"):
            raise ValueError(f"INPUT.FORMAT must be RGB or BGR for unlabeled video, not {image_format}")
        self._num_frames = num_frames
        self._interval = interval
        self._interval_unit = interval_unit
        self._folder_fps = folder_fps
        self._size = (size[0], size[1])
        self._zoom = zoom
        self._max_enlargement = max_enlargement
        self._rotation = rotation
        self._flip_prob = flip_prob
        self._same_window = same_window
        self._color_augmentation = color_augmentation
        self._grey_prob = grey_prob
        self._color_stride = color_stride
        self._image_format = image_format
        self._decoder_threads = decoder_threads
        self._tracklets = tracklets
        self._bad_videos = BadFileCounter(max_bad_videos, "unlabeled videos", "DATALOADER.MAX_BAD_VIDEO_SHARE")
        self._short_videos: set[str] = set()

    @classmethod
    def from_config(
        cls, cfg: CfgNode, num_videos: int, tracklets: Mapping[str, VideoTracklets] | None = None
    ) -> dict[str, Any]:
        inp = cfg.INPUT.UNLABELED
        colors = RandomColor(inp.COLOR_JITTER, inp.HUE_JITTER, "BGR") if inp.COLOR_JITTER or inp.HUE_JITTER else None
        return {
            "num_frames": inp.NUM_FRAMES,
            "interval": inp.INTERVAL,
            "interval_unit": inp.INTERVAL_UNIT,
            "folder_fps": inp.FOLDER_FPS,
            "size": tuple(inp.SIZE),
            "zoom": tuple(inp.ZOOM),
            "max_enlargement": inp.MAX_ENLARGEMENT,
            "rotation": inp.ROTATION,
            "flip_prob": inp.FLIP_PROB,
            "same_window": inp.SAME_WINDOW,
            "color_augmentation": colors,
            "grey_prob": inp.GREY_PROB,
            "color_stride": inp.COLOR_STRIDE,
            "image_format": cfg.INPUT.FORMAT,
            "decoder_threads": cfg.DATALOADER.DECODER_THREADS,
            "tracklets": tracklets,
            # One video at least must be good, or a worker would look for it forever.
            "max_bad_videos": min(int(cfg.DATALOADER.MAX_BAD_VIDEO_SHARE * num_videos), num_videos - 1),
        }

    def __call__(self, record: dict[str, Any]) -> dict[str, Any] | None:
        try:
            video = self._open(record)
            indices = self._draw_indices(video, record)
            flip = np.random.uniform() < self._flip_prob
            windows = [draw_window(self._zoom, self._rotation, flip) for _ in indices]
            if self._same_window:
                windows = windows[:1] * len(windows)
            frames = video.read(indices, lambda i, size: self._reduction(windows[i], size))
        except VideoReadError as error:
            self._bad_videos.count(record["video_file"] if "video_file" in record else record["video_name"], error)
            return None
        mappings = [window_to_source(w, (f.height, f.width), self._size) for f, w in zip(frames, windows)]
        views = [self._view(frame, affine) for frame, affine in zip(frames, mappings)]
        sample = {
            "video_name": record["video_name"],
            "file_name": record["video_file"] if "video_file" in record else record["file_names"][indices[0]],
            "frame_indices": indices,
            "height": frames[0].height,
            "width": frames[0].width,
        }
        if self._tracklets is not None:
            of_video = self._tracklets[record["video_name"]]
            sample["tracklets"] = [
                of_video.instances(index, affine, (frame.height, frame.width), self._size)
                for index, affine, frame in zip(indices, mappings, frames)
            ]
        images, colors, valid, affines = zip(*views)
        if len(views) == 2:
            for prefix, i in (("", 0), ("reference_", 1)):
                sample[f"{prefix}image"], sample[f"{prefix}colors"] = images[i], colors[i]
                sample[f"{prefix}valid"], sample[f"{prefix}image_to_source"] = valid[i], affines[i]
        else:
            sample["clip"], sample["clip_colors"] = torch.stack(images), torch.stack(colors)
            sample["clip_valid"], sample["clip_to_source"] = torch.stack(valid), torch.stack(affines)
        return sample

    def _open(self, record: dict[str, Any]) -> RandomAccessVideo:
        if "video_file" in record:
            return FileVideo(record["video_file"], self._decoder_threads)
        return ImageFolderVideo(record["file_names"], record.get("fps", self._folder_fps))

    def _draw_indices(self, video: RandomAccessVideo, record: dict[str, Any]) -> list[int]:
        name, part = record["video_name"], record.get("part", (0.0, 1.0))
        start, stop = (round(share * video.length) for share in part)
        start = min(start, video.length - 1)
        length = max(1, stop - start)
        if length < self._num_frames and name not in self._short_videos:
            self._short_videos.add(name)
            logger.warning("%s: has only %d frame(s), which are repeated in a sample", name, length)
        rate = video.fps if self._interval_unit == "seconds" else 1.0
        smallest, largest = (max(1, round(distance * rate)) for distance in self._interval)
        return [start + index for index in draw_frame_indices(length, self._num_frames, smallest, largest)]

    def _reduction(self, window: Window, source_size: tuple[int, int]) -> int:
        return window_reduction(window_to_source(window, source_size, self._size), self._max_enlargement)

    def _view(
        self, frame: SourceFrame, affine: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Image, colors, validity and mapping of a frame."""
        image = apply_window(frame, affine, self._size)
        colors = lab_colors(image, self._color_stride)
        valid = visible_cells(affine, (frame.height, frame.width), self._size, self._color_stride)
        if self._color_augmentation is not None:
            image = self._color_augmentation.get_transform(image).apply_image(image)
        if np.random.uniform() < self._grey_prob:
            image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        channels = cv2.split(image)
        return (
            torch.from_numpy(np.stack(channels[::-1] if self._image_format == "RGB" else channels)),
            torch.from_numpy(np.ascontiguousarray(colors.transpose(2, 0, 1))),
            torch.from_numpy(valid),
            torch.from_numpy(affine.astype(np.float32)),
        )


def draw_frame_indices(length: int, num_frames: int, smallest: int, largest: int) -> list[int]:
    """Ascending indices whose distances are drawn uniformly from ``smallest`` to ``largest``, at a random start.

    A video that is too short for the drawn distances shrinks them, as evenly as possible; one with fewer than
    ``num_frames`` frames repeats some.
    """
    gaps = np.random.randint(smallest, largest + 1, size=num_frames - 1)
    span = int(gaps.sum())
    positions = np.concatenate([[0], np.cumsum(gaps)])
    if span < length:
        return (positions + np.random.randint(length - span)).tolist()
    apart = np.arange(num_frames) if length >= num_frames else np.zeros(num_frames, np.int64)
    room = length - 1 - apart[-1]
    squeezed = np.round(positions * (length - 1) / span - apart).astype(np.int64).clip(0, room)
    return (np.maximum.accumulate(squeezed) + apart).tolist()


def lab_colors(image: np.ndarray, stride: int) -> np.ndarray:
    """Lab of the mean colors of ``stride`` x ``stride`` pixels, each channel (v - 128) / 128 of its 8-bit encoding.

    Args:
        image: (H, W, 3) BGR uint8; ``stride`` divides H and W.

    Returns:
        (H / stride, W / stride, 3) float32: L from -1 to 0.99, a and b around 0.
    """
    height, width = image.shape[:2]
    small = cv2.resize(image, (width // stride, height // stride), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)  # L in [0, 100], a and b about +-127
    return (lab * np.array([2.55, 1, 1], np.float32) - np.array([128, 0, 0], np.float32)) / 128
