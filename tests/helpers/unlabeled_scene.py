"""Small unlabeled videos for tests: frames told apart by their grey level, on the left half; the right half is red."""

from pathlib import Path

import cv2
import numpy as np

from ictrack.data.video_writer import VideoWriter

HEIGHT, WIDTH = 48, 80


def frame(index: int) -> np.ndarray:
    """BGR."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, : WIDTH // 2] = 30 + 8 * index
    image[:, WIDTH // 2 :, 2] = 200
    return image


def write_folder(folder: Path, num_frames: int, suffix: str = ".png") -> Path:
    folder.mkdir(parents=True)
    for index in range(num_frames):
        cv2.imwrite(str(folder / f"{index:05d}{suffix}"), frame(index))
    return folder


def write_file(path: Path, num_frames: int, fps: float = 25) -> Path:
    with VideoWriter(path, fps) as writer:
        for index in range(num_frames):
            writer.write(frame(index))
    return path
