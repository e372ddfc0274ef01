"""A data set in YouTube-VIS format with moving rectangles, written to a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ictrack.structures.rle import encode_mask

HEIGHT, WIDTH = 48, 64
# Not contiguous, not in order.
CATEGORIES = [{"id": 9, "name": "dog"}, {"id": 4, "name": "person"}]
# video id -> frames; ids neither from 1 nor in order
LENGTHS = {7: 3, 2: 5, 30: 4}


def rectangle(x: int, y: int, width: int, height: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[max(y, 0) : y + height, max(x, 0) : x + width] = True
    return mask


def true_masks(video_id: int, frame: int) -> list[tuple[int, int, np.ndarray]]:
    """(category id, object number, mask) of what is in a frame: two dogs that move apart, a person in some frames."""
    objects = [(9, 0, rectangle(2 + 3 * frame, 4, 12, 10)), (9, 1, rectangle(44 - 3 * frame, 30, 14, 9))]
    if (frame + video_id) % 2 == 0:
        objects.append((4, 2, rectangle(28, 12 + frame, 8, 16)))
    return objects


def ground_truth(labeled: bool = True) -> dict[str, Any]:
    videos, annotations = [], []
    for video_id, length in LENGTHS.items():
        names = [f"clip{video_id}/{frame:05d}.png" for frame in range(length)]
        videos.append({"id": video_id, "height": HEIGHT, "width": WIDTH, "length": length, "file_names": names})
        for number, category in ((0, 9), (1, 9), (2, 4)):
            masks = [{n: mask for _, n, mask in true_masks(video_id, frame)}.get(number) for frame in range(length)]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "video_id": video_id,
                    "category_id": category,
                    "iscrowd": 0,
                    "segmentations": [None if mask is None else encode_mask(mask) for mask in masks],
                    "areas": [None if mask is None else int(mask.sum()) for mask in masks],
                }
            )
    data: dict[str, Any] = {"videos": videos, "categories": CATEGORIES}
    return {**data, "annotations": annotations} if labeled else data


def write_dataset(root: Path, labeled: bool = True) -> tuple[str, str]:
    """Write annotation file and frames below ``root``; returns both paths. A frame's grey value tells its place."""
    images = root / "images"
    for position, (video_id, length) in enumerate(LENGTHS.items()):
        (images / f"clip{video_id}").mkdir(parents=True)
        for frame in range(length):
            image = np.full((HEIGHT, WIDTH, 3), 40 * position + frame, dtype=np.uint8)
            cv2.imwrite(str(images / f"clip{video_id}" / f"{frame:05d}.png"), image)
    json_file = root / "annotations.json"
    json_file.write_text(json.dumps(ground_truth(labeled)))
    return str(json_file), str(images)
