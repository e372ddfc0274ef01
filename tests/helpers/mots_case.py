"""Random ground truths and results of masks in MOTS's text, with ignored regions, and the official kit on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trackeval
from PIL import Image

from ictrack.evaluation.submission import MOTSWriter
from ictrack.structures.rle import encode_mask

SIZE = (60, 90)


def _ellipse(center: np.ndarray, radii: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return ((x - center[0]) / radii[0]) ** 2 + ((y - center[1]) / radii[1]) ** 2 <= 1


def write_mots_case(
    root: Path, *, seed: int, first_frame: int = 1, pictures: bool = False, num_sequences: int = 2
) -> dict[str, int]:
    """Write ``gt/<sequence>.txt`` and ``results/data/<sequence>.txt`` of cars (1), pedestrians (2) and regions (10).

    With ``pictures`` also ``png/<sequence>/<frame>.png`` of the same ground truth. Returns the numbers of frames.
    """
    rng = np.random.default_rng(seed)
    lengths = {}
    for number in range(num_sequences):
        name, length = f"{number:04d}", int(rng.integers(8, 16))
        lengths[name] = length
        with (
            MOTSWriter(root / "gt" / f"{name}.txt") as truth,
            MOTSWriter(root / "results" / "data" / f"{name}.txt") as found,
        ):
            objects = [(rng.uniform(5, 55, 2), rng.uniform(5, 14, 2), int(rng.integers(1, 3))) for _ in range(6)]
            tracks = np.arange(6)
            for frame in range(first_frame, first_frame + length):
                masks, ids, classes = [], [], []
                for index, (center, radii, category) in enumerate(objects):
                    center += rng.normal(0, 2, 2)
                    if rng.random() < 0.85:
                        masks.append(_ellipse(center, radii))
                        ids.append(category * 1000 + index)
                        classes.append(category)
                if rng.random() < 0.7:
                    masks.append(_ellipse(rng.uniform(10, 80, 2), rng.uniform(15, 25, 2)))
                    ids.append(10000)
                    classes.append(10)
                # A pixel goes to the first mask, so the regions are behind the objects.
                rles = [encode_mask(mask) for mask in masks]
                truth.add(frame, ids, classes, -np.arange(len(ids), dtype=float), rles)
                if rng.random() < 0.2:
                    tracks[:2] = tracks[1::-1]
                guesses, who, kinds = [], [], []
                for index, (center, radii, category) in enumerate(objects):
                    if rng.random() < 0.85:
                        guesses.append(_ellipse(center + rng.normal(0, 1.5, 2), radii * rng.uniform(0.8, 1.2, 2)))
                        who.append(int(tracks[index]))
                        kinds.append(category)
                for extra in range(3):
                    guesses.append(_ellipse(rng.uniform(0, 90, 2), rng.uniform(4, 9, 2)))
                    who.append(50 + extra)
                    kinds.append(int(rng.integers(1, 3)))
                found.add(frame, who, kinds, rng.random(len(who)), [encode_mask(guess) for guess in guesses])
                if pictures:
                    values = np.zeros(SIZE, dtype=np.uint16)
                    for mask, identity in list(zip(masks, ids))[::-1]:
                        values[mask] = identity
                    path = root / "png" / name / f"{frame:06d}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(values).save(path)
    return lengths


def official_mots(root: Path, benchmark: str, lengths: dict[str, int]) -> object:
    """The kit's data set of a case; the tracker's name is "results"."""
    kit = {"MOTSChallenge": trackeval.datasets.MOTSChallenge, "KITTI-MOTS": trackeval.datasets.KittiMOTS}[benchmark]
    config = {
        "GT_FOLDER": str(root / "gt"),
        "TRACKERS_FOLDER": str(root),
        "TRACKERS_TO_EVAL": ["results"],
        "SEQ_INFO": dict(lengths),
        "GT_LOC_FORMAT": "{gt_folder}/{seq}.txt",
        "SKIP_SPLIT_FOL": True,
        "PRINT_CONFIG": False,
    }
    return kit({key: value for key, value in config.items() if key in kit.get_default_dataset_config()})
