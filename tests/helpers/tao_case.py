"""Random ground truths and results of TAO and BURST, and the official kit on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import trackeval

from ictrack.structures.rle import encode_mask

SIZE = (120, 160)
CATEGORIES = [1, 2, 3, 5, 8]


def tao_case(seed: int, num_videos: int = 4) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Ground truth and results of TAO, in which every rule occurs: negative and not exhaustive classes, results of
    classes without objects, ids that several videos have, pictures without objects, a merged class."""
    rng = np.random.default_rng(seed)
    categories = [{"id": i, "name": f"thing {i}"} for i in CATEGORIES]
    categories[0]["merged"] = [{"id": 77, "name": "part"}]
    videos, images, annotations, results = [], [], [], []
    track_id = 1
    for number in range(num_videos):
        classes = rng.choice(CATEGORIES[:4], 2, replace=False).tolist()
        others = [i for i in CATEGORIES if i not in classes]
        videos.append(
            {
                "id": number + 10,
                "name": f"val/set/video{number}",
                "neg_category_ids": others[:1],
                "not_exhaustive_category_ids": classes[:1] if number % 2 else others[1:2],
            }
        )
        length = int(rng.integers(6, 12))
        picture = [number * 100 + t for t in range(length)]
        images += [{"id": i, "video_id": number + 10, "frame_index": 30 * t} for t, i in enumerate(picture)]
        guess = 1  # the same ids in every video
        for _ in range(5):
            category = int(rng.choice(classes))
            box, step = np.r_[rng.uniform(0, 90, 2), rng.uniform(20, 40, 2)], np.r_[rng.uniform(-4, 4, 2), 0, 0]
            seen_as = int(rng.choice([category, category, *CATEGORIES]))
            for t in range(int(rng.integers(0, 3)), length - int(rng.integers(1, 3))):
                box = box + step
                written = 77 if category == 1 and rng.random() < 0.3 else category
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": picture[t],
                        "video_id": number + 10,
                        "track_id": track_id,
                        "category_id": written,
                        "bbox": box.round(1).tolist(),
                    }
                )
                if rng.random() < 0.1:
                    guess += 10
                if rng.random() < 0.85:
                    results.append(_result(rng, picture[t], guess, seen_as, box + rng.normal(0, 3, 4)))
            track_id += 1
            guess += 1
        for extra in range(5):
            category = int(rng.choice([*CATEGORIES, 77]))
            for t in rng.choice(length, 3, replace=False).tolist():
                box = np.r_[rng.uniform(0, 110, 2), rng.uniform(15, 40, 2)]
                results.append(_result(rng, picture[t], 500 + extra, category, box))
    tracks = {(a["track_id"], a["video_id"]): a["category_id"] for a in annotations}
    gt = {
        "videos": videos,
        "images": images,
        "categories": categories,
        "annotations": annotations,
        "tracks": [{"id": t, "video_id": v, "category_id": c} for (t, v), c in tracks.items()],
    }
    return gt, results


def _result(rng: np.random.Generator, image: int, track: int, category: int, box: np.ndarray) -> dict[str, Any]:
    return {
        "image_id": image,
        "track_id": track,
        "category_id": category,
        "bbox": [round(float(value), 1) for value in np.r_[box[:2], np.maximum(box[2:], 5)]],
        "score": round(float(rng.random()), 3),
    }


def burst_case(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ground truth and results of BURST with the objects of :func:`tao_case` as masks."""
    gt, results = tao_case(seed)
    parts = gt["categories"][0]["merged"]
    whole = {part["id"]: gt["categories"][0]["id"] for part in parts}
    frames = {image["id"]: image for image in gt["images"]}

    def sequences(entries: list[dict[str, Any]], is_gt: bool) -> list[dict[str, Any]]:
        listed = []
        for video in gt["videos"]:
            mine = [image for image in gt["images"] if image["video_id"] == video["id"]]
            segmentations: list[dict[str, Any]] = [{} for _ in mine]
            categories = {}
            for entry in entries:
                image = frames[entry["image_id"]]
                if image["video_id"] == video["id"]:
                    track = str(entry["track_id"])
                    category = whole.get(entry["category_id"], entry["category_id"])
                    categories.setdefault(track, category)
                    mask = np.zeros(SIZE, dtype=bool)
                    x, y, w, h = (int(value) for value in entry["bbox"])
                    mask[max(y, 0) : max(y + h, 1), max(x, 0) : max(x + w, 1)] = True
                    one = {"rle": encode_mask(mask)["counts"]}
                    if not is_gt:
                        one |= {"score": entry["score"], "category_id": category}
                    segmentations[mine.index(image)][track] = one
            _, dataset, name = video["name"].split("/")
            listed.append(
                {
                    "id": video["id"],
                    "dataset": dataset,
                    "seq_name": name,
                    "height": SIZE[0],
                    "width": SIZE[1],
                    "annotated_image_paths": [f"frame{image['frame_index']:04d}.jpg" for image in mine],
                    "segmentations": segmentations,
                    "track_category_ids": categories,
                    "neg_category_ids": video["neg_category_ids"],
                    "not_exhaustive_category_ids": video["not_exhaustive_category_ids"],
                }
            )
        return listed

    return (
        {"split": "val", "sequences": sequences(gt["annotations"], True)},
        {"split": "val", "sequences": sequences(results, False)},
    )


def write_case(root: Path, case: tuple[Any, Any]) -> tuple[Path, Path]:
    """Write the files of a case where the official kit expects them."""
    paths = root / "gt" / "gt.json", root / "trackers" / "results" / "data" / "results.json"
    for path, content in zip(paths, case):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return paths


def official(root: Path, kit: Any = trackeval.datasets.TAO) -> Any:
    """The kit's data set of a case; the tracker's name is "results"."""
    return kit(
        {
            "GT_FOLDER": str(root / "gt"),
            "TRACKERS_FOLDER": str(root / "trackers"),
            "TRACKERS_TO_EVAL": ["results"],
            "PRINT_CONFIG": False,
        }
    )
