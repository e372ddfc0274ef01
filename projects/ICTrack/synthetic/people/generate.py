"""Generator of synthetic people: labeled images, unlabeled clips, and labeled clips for tuning and evaluation.

    root/stills_train, root/stills_val      images/*.jpg and person_keypoints.json, COCO format, 17 joints
    root/unlabeled/<clip>/*.jpg            no labels
    root/clips_tune, root/clips_val         images/<clip>/*.jpg, annotations/<clip>.json (every frame, if there is) and
                                            annotations_skip<k>/<clip>.json (every k-th frame), PoseTrack18 format
    root/sample_pose.json                   seed and sizes

Clothes and scenery of ``stills_train`` and ``unlabeled`` are neither in ``clips_tune`` nor in ``stills_val`` and
``clips_val``, which share theirs. The data depend only on the seed, not on the number of processes.
"""

from __future__ import annotations

import functools
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from synthetic.characters.output import (
    SPLIT_OF,
    Job,
    Record,
    begin_sample,
    job_generator,
    run_jobs,
    write_jpeg,
    write_json,
)

from .annotations import (
    MAX_LENGTH,
    coco_file,
    coco_person,
    posetrack_file,
    posetrack_frame,
    subsample_posetrack,
)
from .clips import Clip, ClipStyle
from .stills import make_still

STAMP = "sample_pose.json"
STILLS, CLIPS = ("stills_train", "stills_val"), ("clips_tune", "clips_val")


@dataclass(frozen=True)
class PoseSampleConfig:
    """Sizes of the synthetic data.

    Attributes:
        height, width: Size of every image in pixels.
        train_stills, val_stills: Numbers of labeled images.
        unlabeled_clips, unlabeled_length: Number of unlabeled clips, and frames of each.
        tune_clips, val_clips, clip_length: Numbers of labeled clips, and frames of each.
        clip_step: Number of frames of a labeled clip from one that is drawn to the next.
        skips: Frame skips for which subsampled annotation files are written, where they are multiples of ``clip_step``.
        min_visible: Smallest number of visible pixels of annotated people.
        clip_quality: JPEG quality of clips; that of images varies.
    """

    height: int = 192
    width: int = 320
    train_stills: int = 2000
    val_stills: int = 200
    unlabeled_clips: int = 20
    unlabeled_length: int = 32
    tune_clips: int = 10
    val_clips: int = 20
    clip_length: int = 60
    clip_step: int = 1
    skips: tuple[int, ...] = (2, 4, 8)
    min_visible: int = 40
    clip_quality: int = 92


def generate_sample_pose(
    root: str | os.PathLike, seed: int = 0, config: PoseSampleConfig | None = None, workers: int | None = None
) -> Path:
    """Write the synthetic data to ``root``, replacing such data in it.

    Args:
        root: Folder to write to; it is made.
        seed: Seed; the same seed and config give the same files, byte for byte.
        config: Sizes of the data.
        workers: Number of processes; by default that of the cores that this process may use.

    Returns:
        ``root``.

    Raises:
        SampleDataError: If ``root`` has files that are not such data.
        ValueError: If clips are longer than PoseTrack's image ids allow.
    """
    root, config = Path(root), config or PoseSampleConfig()
    if config.clip_length > MAX_LENGTH:
        raise ValueError(f"clip_length is {config.clip_length}; PoseTrack's ids allow {MAX_LENGTH} frames")
    jobs = begin_sample(root, STAMP, {"seed": seed, **asdict(config)})
    records = run_jobs(functools.partial(_make, root, seed, config), jobs, workers)
    for folder in STILLS:
        stills = [records[job] for job in jobs if job[0] == folder]
        write_json(root / folder / "person_keypoints.json", coco_file(stills))
    for folder in CLIPS:
        for skip in (skip for skip in (1, *config.skips) if skip % config.clip_step == 0):
            annotations = root / folder / ("annotations" if skip == 1 else f"annotations_skip{skip}")
            annotations.mkdir()
            for job in jobs:
                if job[0] == folder:
                    name, data = sequence_name(*job), records[job]
                    write_json(annotations / f"{name}.json", subsample_posetrack(data, skip // config.clip_step))
    return root


def sequence_name(folder: str, index: int) -> str:
    """Name of a clip in PoseTrack's form."""
    return f"{index + 1:06d}_sample_{SPLIT_OF[folder]}"


def _make(root: Path, seed: int, config: PoseSampleConfig, job: Job) -> Record:
    """Write an image or the frames of a clip; return its record."""
    folder, index = job
    rng = job_generator(seed, job)
    if folder in STILLS:
        return _make_still(root / folder, rng, config, SPLIT_OF[folder], index)
    length = config.clip_length if folder in CLIPS else config.unlabeled_length
    step = config.clip_step if folder in CLIPS else 1
    clip = Clip(rng, SPLIT_OF[folder], index, length, config.height, config.width, ClipStyle(), step)
    if folder in CLIPS:
        return _make_labeled_clip(root / folder, clip, config, folder, index)
    for time, image, _ in clip:
        write_jpeg(root / folder / f"{index:03d}" / f"{time:05d}.jpg", image, config.clip_quality)
    return {}


def _make_still(folder: Path, rng: np.random.Generator, config: PoseSampleConfig, split: str, index: int) -> Record:
    still = make_still(rng, split, config.height, config.width)
    name = f"{index:06d}.jpg"
    write_jpeg(folder / "images" / name, still.image, int(rng.integers(60, 96)))
    people = [coco_person(p) for p in still.people if np.count_nonzero(p.mask) >= config.min_visible]
    image = {"file_name": name, "height": config.height, "width": config.width, "scenery": list(still.scenery)}
    return {"image": image, "people": people}


def _make_labeled_clip(folder: Path, clip: Clip, config: PoseSampleConfig, kind: str, index: int) -> Record:
    name = sequence_name(kind, index)
    images, annotations = [], []
    for time, frame, people in clip:
        file_name = f"images/{name}/{time:06d}.jpg"
        write_jpeg(folder / file_name, frame, config.clip_quality)
        image, rows = posetrack_frame(people, index + 1, time, config.min_visible)
        size = {"width": config.width, "height": config.height}
        images.append({"file_name": file_name, **size, "scenery": list(clip.scenery), **image})
        annotations += rows
    return posetrack_file(images, annotations)
