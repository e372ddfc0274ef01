"""Folders of generated pictures: made by several processes, the same whatever their number."""

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

# The folders of a sample, whose order is part of what seeds them, and the split of characters, or looks, and scenery
# that each is made of.
SPLIT_OF = {
    "stills_train": "train",
    "stills_val": "val",
    "unlabelled": "train",
    "clips_tune": "tune",
    "clips_val": "val",
}
FOLDERS = tuple(SPLIT_OF)


class SampleDataError(ValueError):
    """A sample folder that is not what is expected; the message names it."""


def begin_sample(root: Path, stamp: str, content: Record, others: Sequence[str] = ()) -> list[Job]:
    """Make ``root`` with its stamp and its folders, in the place of an earlier sample there.

    Args:
        stamp: name of the file by which a sample is known.
        content: of the stamp: the seed, and sizes, among them the numbers of stills and clips of each split.
        others: what an earlier sample may have beside its stamp and ``FOLDERS``.

    Returns:
        A job for each picture or clip.

    Raises:
        SampleDataError: ``root`` holds files, but no stamp.
    """
    if root.exists() and any(root.iterdir()):
        if not (root / stamp).is_file():
            raise SampleDataError(f"{root}: holds files but no {stamp}; not overwritten")
        for entry in (*FOLDERS, *others):
            if (root / entry).is_dir():
                shutil.rmtree(root / entry, ignore_errors=True)
            else:
                (root / entry).unlink(missing_ok=True)
    root.mkdir(parents=True, exist_ok=True)
    (root / stamp).write_text(json.dumps(content, indent=1) + "\n")
    # Long jobs first, so that processes end together.
    counts = {
        "clips_val": content["val_clips"],
        "clips_tune": content["tune_clips"],
        "unlabelled": content["unlabelled_clips"],
        "stills_train": content["train_stills"],
        "stills_val": content["val_stills"],
    }
    for folder in counts:
        (root / folder).mkdir()
    return [(folder, index) for folder, count in counts.items() for index in range(count)]


def job_generator(seed: int, job: Job) -> np.random.Generator:
    """All that is random about a picture or clip, whichever process makes it."""
    folder, index = job
    return np.random.default_rng([seed, FOLDERS.index(folder), index])


def run_jobs(make: Callable[[Job], Record], jobs: Sequence[Job], workers: int | None) -> dict[Job, Record]:
    """What ``make`` returns for each job.

    Args:
        workers: processes; None: as many as the cores that this process may use.
    """
    workers = workers or _cores()
    if workers <= 1:
        return {job: make(job) for job in jobs}
    # Forked workers inherit what is imported; elsewhere the platform's default start method is the safe one. OpenCV's
    # threads do not survive a fork, and a child would wait for them: none may exist at that moment.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    try:
        with ProcessPoolExecutor(workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(0,)) as pool:
            return dict(zip(jobs, pool.map(make, jobs, chunksize=4)))
    finally:
        cv2.setNumThreads(threads)


def write_jpeg(path: Path, image: np.ndarray, quality: int) -> None:
    """Write a picture; its folder is made. Raises OSError, naming the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, quality]):
        raise OSError(f"{path}: cannot be written")


def write_json(path: Path, data: Record) -> None:
    """Write a file of annotations."""
    path.write_text(json.dumps(data))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
