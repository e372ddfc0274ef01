"""Speed of reading unlabeled video, compared with Detectron2's reader."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from detectron2.config import CfgNode, get_cfg
from detectron2.data import transforms as T
from detectron2.data.detection_utils import read_image

from ictrack.config import add_ictrack_config
from ictrack.data.frame_geometry import Window, apply_window, window_reduction, window_to_source
from ictrack.data.image_file import read_reduced_image
from ictrack.data.video_dataset_mapper import VideoDatasetMapper

from .measure import measure_calls

SOURCE_SIZE = (720, 1280)
TRAIN_SIZE = (360, 640)
_NUM_FRAMES = 16
_GRAIN = 8.0  # gray levels


def benchmark_data(*, repeats: int, opts: Sequence[str] = ()) -> dict[str, Any]:
    """Milliseconds for a pair of 720p JPEG frames at the training size of 360 x 640.

    ``detectron2`` reads and resizes with Detectron2's functions, ``reader`` does the same with ours, ``mapper`` is all
    of :class:`VideoDatasetMapper`, with augmentations and target colors, at the configured zoom. ``speedup`` is the
    ratio of CPU times of ``detectron2`` and ``reader``, ``mapper_speedup`` of ``detectron2`` and ``mapper``.

    Args:
        repeats: Number of measured pairs of each.
        opts: KEY VALUE pairs of the mapper's configuration.
    """
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.INPUT.UNLABELED.SIZE = list(TRAIN_SIZE)
    cfg.merge_from_list(list(opts))
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)  # as in a loader's workers
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _compare(write_frames(folder, _NUM_FRAMES), cfg, repeats)
    finally:
        cv2.setNumThreads(threads)


def write_frames(folder: str, count: int) -> list[str]:
    """JPEG files of a moving scene of soft blobs and grain, between 1 and 2 bits a pixel as good photos have."""
    rng = np.random.default_rng(0)
    height, width = SOURCE_SIZE
    blobs = rng.uniform(0, 255, (height // 16, width // 16 + count, 3)).astype(np.float32)
    scene = cv2.resize(blobs, (width + 16 * count, height), interpolation=cv2.INTER_CUBIC)
    noise = np.asarray(rng.normal(0, _GRAIN, scene.shape), np.float32)
    grain = cv2.GaussianBlur(noise, (0, 0), 1)
    paths = []
    for i in range(count):
        paths.append(os.path.join(folder, f"{i:05d}.jpg"))
        cv2.imwrite(
            paths[-1],
            (scene + grain)[:, 8 * i : 8 * i + width].clip(0, 255).astype(np.uint8),
            [cv2.IMWRITE_JPEG_QUALITY, 90],
        )
    return paths


def _compare(paths: list[str], cfg: CfgNode, repeats: int) -> dict[str, Any]:
    pairs = [(paths[i % (len(paths) - 8)], paths[i % (len(paths) - 8) + 8]) for i in range(repeats)]
    resize = T.ResizeShortestEdge([TRAIN_SIZE[0]] * 2, TRAIN_SIZE[1])
    whole = window_to_source(Window(1.0, 0.0, False, (0.0, 0.0)), SOURCE_SIZE, TRAIN_SIZE)

    def detectron2_frame(path: str) -> np.ndarray:
        image = T.AugInput(read_image(path, format="BGR"))
        T.AugmentationList([resize])(image)
        return image.image

    def our_frame(path: str) -> np.ndarray:
        return apply_window(read_reduced_image(path, lambda size: window_reduction(whole)), whole, TRAIN_SIZE)

    def pair_of(read: Callable[[str], np.ndarray]) -> Callable[[tuple[str, str]], list[np.ndarray]]:
        return lambda pair: [read(path) for path in pair]

    mapper = VideoDatasetMapper(cfg, num_videos=1)
    record = {"video_name": "benchmark", "file_names": paths}
    assert detectron2_frame(paths[0]).shape == our_frame(paths[0]).shape  # and both are warm
    results = {
        "detectron2": measure_calls(pair_of(detectron2_frame), pairs),
        "reader": measure_calls(pair_of(our_frame), pairs),
        "mapper": measure_calls(mapper, [record] * repeats),
    }
    cpu = {name: result["median_cpu_ms"] for name, result in results.items()}
    return {
        "source_size": list(SOURCE_SIZE),
        "train_size": list(TRAIN_SIZE),
        "bits_per_pixel": 8 * os.path.getsize(paths[0]) / (SOURCE_SIZE[0] * SOURCE_SIZE[1]),
        **results,
        "speedup": cpu["detectron2"] / cpu["reader"],
        "mapper_speedup": cpu["detectron2"] / cpu["mapper"],
    }
