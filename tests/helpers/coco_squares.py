"""Six images of 96 x 64 with two bright squares each, and their annotations in COCO's format."""

import cv2
import numpy as np
from pycocotools import mask as coco_mask

BOXES = [[8 + 44 * slot, 10 + 4 * image, 24, 24] for image in range(6) for slot in range(2)]


def write_squares(folder):
    rng = np.random.default_rng(0)
    for image in range(6):
        picture = rng.integers(0, 60, (64, 96, 3), dtype=np.uint8)
        for x, y, w, h in BOXES[2 * image : 2 * image + 2]:
            picture[y : y + h, x : x + w] = rng.integers(150, 255, 3)
        cv2.imwrite(str(folder / f"{image}.png"), picture)


def rle(box):
    x, y, w, h = box
    mask = np.zeros((64, 96), np.uint8, order="F")
    mask[y : y + h, x : x + w] = 1
    return {"size": [64, 96], "counts": coco_mask.encode(mask)["counts"].decode()}


def content_of(num_categories=1):
    """Objects with masks as RLE, in categories with the ids 5, 6, ... in turn."""
    return {
        "images": [{"id": i, "file_name": f"{i}.png", "height": 64, "width": 96} for i in range(6)],
        "annotations": [
            {"id": i + 1, "image_id": i // 2, "category_id": 5 + i % num_categories, "iscrowd": 0, "area": 576,
             "bbox": box, "segmentation": rle(box)}
            for i, box in enumerate(BOXES)
        ],
        "categories": [{"id": 5 + i, "name": f"square {i}"} for i in range(num_categories)],
    }  # fmt: skip
