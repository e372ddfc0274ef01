"""A small YouTube-VIS ground truth with results, in all forms that a file may have."""

import numpy as np
from plain_video_ap import run_lengths

from ictrack.structures.rle import encode_mask

SIZE = (12, 16)


def box(x, y, width, height):
    mask = np.zeros(SIZE, dtype=bool)
    mask[y : y + height, x : x + width] = True
    return encode_mask(mask)


def runs_of(rle):
    """The same mask with a list for counts."""
    return {"size": rle["size"], "counts": run_lengths(rle["counts"])}


def small_case():
    """Ground truth and results with all forms of masks, a crowd, equal scores, hits and misses."""
    masks = [box(1 + t, 2, 6, 5) for t in range(3)]
    others = [box(9, 6 - t, 5, 5) for t in range(3)]
    polygon = [[2, 1, 9, 1, 9, 8, 2, 8]]
    truth = [
        (7, 4, 0, [masks[0], masks[1], None]),
        (7, 4, 0, [None, runs_of(others[1]), others[2]]),
        (7, 9, 1, [others[0], others[0], others[0]]),
        (3, 4, 0, [polygon, masks[1]]),
        (3, 9, 0, [others[0], others[1]]),
    ]
    found = [
        (7, 4, 0.9, [masks[0], masks[1], masks[2]]),
        (7, 4, 0.8, [None, others[1], others[1]]),
        (7, 9, 0.8, [others[1], None, others[0]]),
        (7, 4, 0.3, [masks[2], None, None]),
        (3, 4, 0.8, [masks[0], runs_of(masks[0])]),
        (3, 9, 1, [others[0], polygon]),
        (3, 9, 0.1, [None, others[1]]),
    ]
    ground_truth = {
        "videos": [
            {"id": v, "height": 12, "width": 16, "length": n, "file_names": [f"clip{v}/{t}.jpg" for t in range(n)]}
            for v, n in ((7, 3), (3, 2))
        ],
        "categories": [{"id": 9, "name": "dog"}, {"id": 4, "name": "cat"}],
        "annotations": [
            {
                "id": i + 1,
                "video_id": video_id,
                "category_id": category_id,
                "iscrowd": crowd,
                "segmentations": segmentations,
                "areas": [None if s is None else 30 + i for s in segmentations],
            }
            for i, (video_id, category_id, crowd, segmentations) in enumerate(truth)
        ],
    }
    del ground_truth["annotations"][3]["areas"]
    results = [
        {"video_id": video_id, "category_id": category_id, "score": score, "segmentations": segmentations}
        for video_id, category_id, score, segmentations in found
    ]
    return ground_truth, results
