"""Six images of two squares each, in COCO's format, in which a test spoils something."""

import json

import cv2
import numpy as np

from ictrack.structures.rle import encode_mask

HEIGHT, WIDTH = 64, 96
SQUARES = ((8, 10), (56, 30))
SIDE = 20


def polygon(x, y):
    return [[x, y, x + SIDE, y, x + SIDE, y + SIDE, x, y + SIDE]]


def rle(x, y):
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[y : y + SIDE, x : x + SIDE] = True
    return encode_mask(mask)


def coco_squares(mask=polygon, categories=("square",), first_id=1):
    images = [{"id": i, "file_name": f"{i}.png", "height": HEIGHT, "width": WIDTH} for i in range(6)]
    annotations = [
        {"id": first_id + 2 * i + k, "image_id": i, "category_id": 1 + (2 * i + k) % len(categories), "iscrowd": 0,
         "bbox": [x, y, SIDE, SIDE], "area": SIDE * SIDE, "segmentation": mask(x, y)}
        for i in range(6) for k, (x, y) in enumerate(SQUARES)
    ]  # fmt: skip
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i, "name": name} for i, name in enumerate(categories, start=1)],
    }


def write_squares(root, data, name="instances.json"):
    for image in data["images"]:
        picture = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
        for x, y in SQUARES:
            picture[y : y + SIDE, x : x + SIDE] = 220
        cv2.imwrite(str(root / image["file_name"]), picture)
    (root / name).write_text(json.dumps(data))
    return str(root / name)
