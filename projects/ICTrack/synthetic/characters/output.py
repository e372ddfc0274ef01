"""Folders of synthetic data, written by several processes with results that do not depend on their number."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

Job = tuple[str, int]
Record = dict[str, Any]

# Folder of the synthetic data -> split of its characters (or looks) and scenery. The order is part of the seeds.
SPLIT_OF = {
    "stills_train": "train",
    "stills_val": "val",
    "unlabeled": "train",
    "clips_tune": "tune",
    "clips_val": "val",
}
FOLDERS = tuple(SPLIT_OF)


class SampleDataError(ValueError):
    """Folder that is not one of synthetic data; the message names it."""


def begin_sample(root: Path, stamp: str, content: Record, others: Sequence[str] = ()) -> list[Job]:
    """Make ``root`` with its stamp and folders, replacing such data in it.

    Args:
        root: Folder to make.
        stamp: Name of the file that marks a folder of synthetic data.
        content: Content of the stamp: seed and sizes, with the numbers of images and clips of each split.
        others: Further entries of ``root`` to remove.

    Returns:
        Job for each image or clip.

    Raises:
        SampleDataError: If ``root`` has files, but no stamp.
    """
    if root.exists() and any(root.iterdir()):
        if not (root / stamp).is_file():
            raise SampleDataError(f"{root}: has files but no {stamp}; choose an empty folder")
        for entry in (*FOLDERS, *others):
            if (root / entry).is_dir():
                shutil.rmtree(root / entry, ignore_errors=True)
            else:
                (root / entry).unlink(missing_ok=True)
    root.mkdir(parents=True, exist_ok=True)
    (root / stamp).write_text(json.dumps(content, indent=1) + "\n")
    # Long jobs come first, so that processes finish together.
    counts = {
        "clips_val": content["val_clips"],
        "clips_tune": content["tune_clips"],
        "unlabeled": content["unlabeled_clips"],
        "stills_train": content["train_stills"],
        "stills_val": content["val_stills"],
    }
    for folder in counts:
        (root / folder).mkdir()
    return [(folder, index) for folder, count in counts.items() for index in range(count)]


def job_generator(seed: int, job: Job) -> np.random.Generator:
    """Generator of everything random in an image or clip, the same in every process."""
    folder, index = job
    return np.random.default_rng([seed, FOLDERS.index(folder), index])


def run_jobs(make: Callable[[Job], Record], jobs: Sequence[Job], workers: int | None) -> dict[Job, Record]:
    """Results of ``make`` for each job.

    Args:
        make: Function of a job.
        jobs: Jobs.
        workers: Number of processes; None: that of the cores that this process may use.
    """
    workers = workers or _cores()
    if workers <= 1:
        return {job: make(job) for job in jobs}
    # Forked workers need not import again; off Linux the default start method is the safe one. OpenCV's threads do not
    # survive a fork, and a child would wait for them: none may exist at that moment.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    try:
        with ProcessPoolExecutor(workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(0,)) as pool:
            return dict(zip(jobs, pool.map(make, jobs, chunksize=4)))
    finally:
        cv2.setNumThreads(threads)


def write_jpeg(path: Path, image: np.ndarray, quality: int) -> None:
    """Write an image and make its folder. Raises OSError that names the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, quality]):
        raise OSError(f"{path}: cannot be written")


def write_json(path: Path, data: Record) -> None:
    """Write an annotation file."""
    path.write_text(json.dumps(data))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
