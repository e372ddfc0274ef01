"""Random ground truths and results in MOTChallenge's layout, with distractors, and the official kit on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trackeval


def write_mot_case(root: Path, *, seed: int, num_sequences: int = 3, with_classes: bool = True) -> dict[str, int]:
    """Write ``gt/<sequence>/gt/gt.txt`` and ``results/data/<sequence>.txt``; every case of the rules occurs.

    Returns:
        number of frames of each sequence.
    """
    rng = np.random.default_rng(seed)
    lengths = {}
    for number in range(num_sequences):
        name, length = f"SEQ-{number:02d}", int(rng.integers(15, 40))
        lengths[name] = length
        truth, found = [], []
        for identity in range(1, 13):
            # Half of the objects are pedestrians; classes 2, 6, 7, 8 and 12 are distractors in some benchmark.
            category = int(rng.choice([1, 1, 1, 2, 6, 7, 8, 12, 3])) if with_classes else -1
            start, end = sorted(rng.integers(1, length + 1, 2))
            corner, size = rng.uniform(0, 200, 2), rng.uniform(20, 60, 2)
            speed, track = rng.uniform(-3, 3, 2), 100 + identity
            for frame in range(start, end + 1):
                corner = corner + speed
                mark = int(rng.random() > 0.1)
                truth.append((frame, identity, *corner.round(2), *size.round(2), mark, category, 0.5))
                if rng.random() < 0.05:
                    track += 20  # a switch of identities
                if rng.random() < 0.85:
                    noise = rng.normal(0, 5, 4).round(2)
                    found.append((frame, track, *(np.r_[corner, size] + noise).round(2), 0.9, -1, -1, -1))
        for extra in range(8):  # false positives
            for frame in rng.choice(np.arange(1, length + 1), 4, replace=False):
                found.append((frame, 900 + extra, *rng.uniform(0, 200, 2).round(2), 30, 30, 0.4, -1, -1, -1))
        _write(root / "gt" / name / "gt" / "gt.txt", truth, rng)
        (root / "gt" / name / "seqinfo.ini").write_text(f"[Sequence]\nname={name}\nseqLength={length}\nimDir=img1\n")
        _write(root / "results" / "data" / f"{name}.txt", found, rng)
    return lengths


def _write(path: Path, rows: list[tuple], rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    order = rng.permutation(len(rows))
    path.write_text("".join(",".join(f"{value:g}" for value in rows[i]) + "\n" for i in order))


def official_mot(root: Path, benchmark: str, lengths: dict[str, int]) -> trackeval.datasets.MotChallenge2DBox:
    """The kit's data set of a case; the tracker's name is "results"."""
    return trackeval.datasets.MotChallenge2DBox(
        {
            "GT_FOLDER": str(root / "gt"),
            "TRACKERS_FOLDER": str(root),
            "TRACKERS_TO_EVAL": ["results"],
            "BENCHMARK": benchmark,
            "SEQ_INFO": dict(lengths),
            "SKIP_SPLIT_FOL": True,
            "PRINT_CONFIG": False,
        }
    )
