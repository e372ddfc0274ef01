"""Generator of synthetic characters: labeled images, unlabeled clips, and labeled clips for tuning and evaluation.

    root/stills_train, root/stills_val      images/*.jpg and instances.json, COCO format with RLE masks
    root/unlabeled/<clip>/*.jpg            no labels; on request ground truth in root/unlabeled_truth.json,
                                            YouTube-VIS format, for studies that compare with it
    root/clips_tune, root/clips_val         JPEGImages/<clip>/*.jpg, instances.json (every frame) and
                                            instances_skip<k>.json (every k-th frame), YouTube-VIS format
    root/sample.json                        seed and sizes

Characters and backgrounds of ``stills_train`` and ``unlabeled`` are neither in ``clips_tune`` nor in ``stills_val``
and ``clips_val``, which share theirs. The data depend only on the seed, not on the number of processes.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ictrack.structures.rle import encode_mask
from ictrack.structures.youtube_vis_writer import write_youtube_vis

from .assets import CATEGORIES, Character
from .clips import Clip, ClipStyle
from .output import SPLIT_OF, Job, Record, begin_sample, job_generator, run_jobs, write_jpeg, write_json
from .stills import make_still

UNLABELED_TRUTH = "unlabeled_truth.json"
# Unlabeled clips have more animated characters.
UNLABELED_STYLE = ClipStyle(animated_share=0.7)
LABELED_STYLE = ClipStyle()
CATEGORY_ROWS = [{"id": i, "name": name, "supercategory": name} for i, name in enumerate(CATEGORIES, start=1)]
INFO = {
    "description": "ICTrack synthetic data. Scores on them say nothing about YouTube-VIS or COCO.",
    "version": "1",
}


@dataclass(frozen=True)
class SampleConfig:
    """Sizes of the synthetic data.

    Attributes:
        height, width: Size of every image in pixels.
        train_stills, val_stills: Numbers of labeled images.
        unlabeled_clips, unlabeled_length: Number of unlabeled clips, and frames of each.
        unlabeled_truth: Whether to write the ground truth of unlabeled clips.
        tune_clips, val_clips, clip_length: Numbers of labeled clips, and frames of each.
        skips: Frame skips for which a subsampled annotation file is written.
        min_visible_still, min_visible_clip: Smallest number of visible pixels of annotated objects.
        clip_quality: JPEG quality of clips; that of images varies.
    """

    height: int = 192
    width: int = 320
    train_stills: int = 2000
    val_stills: int = 200
    unlabeled_clips: int = 24
    unlabeled_length: int = 32
    unlabeled_truth: bool = False
    tune_clips: int = 10
    val_clips: int = 20
    clip_length: int = 80
    skips: tuple[int, ...] = (2, 4, 8, 16)
    min_visible_still: int = 40
    min_visible_clip: int = 20
    clip_quality: int = 92


def generate_sample(
    root: str | os.PathLike, seed: int = 0, config: SampleConfig | None = None, workers: int | None = None
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
    """
    root, config = Path(root), config or SampleConfig()
    jobs = begin_sample(root, "sample.json", {"seed": seed, **asdict(config)}, others=[UNLABELED_TRUTH])
    records = run_jobs(functools.partial(_make, root, seed, config), jobs, workers)
    for folder in ("stills_train", "stills_val"):
        write_json(root / folder / "instances.json", _coco([records[job] for job in jobs if job[0] == folder]))
    for folder in ("clips_tune", "clips_val"):
        data = _youtube_vis([records[job] for job in jobs if job[0] == folder])
        write_youtube_vis(root / folder / "instances.json", data)
        for skip in config.skips:
            write_youtube_vis(root / folder / f"instances_skip{skip}.json", subsample_youtube_vis(data, skip))
    if config.unlabeled_truth:
        write_youtube_vis(root / UNLABELED_TRUTH, _youtube_vis([records[job] for job in jobs if job[0] == "unlabeled"]))
    return root


def subsample_youtube_vis(data: Record, skip: int) -> Record:
    """Content of a YouTube-VIS file with every ``skip``-th frame of each video, without objects in none of them.

    Args:
        data: Content of a YouTube-VIS annotation file.
        skip: Frame skip, at least 1.
    """
    if skip < 1:
        raise ValueError(f"skip is {skip}; it must be at least 1")
    videos = [
        {**video, "length": len(video["file_names"][::skip]), "file_names": video["file_names"][::skip]}
        for video in data["videos"]
    ]
    annotations = []
    for annotation in data["annotations"]:
        kept = {key: annotation[key][::skip] for key in ("segmentations", "bboxes", "areas")}
        if any(kept["segmentations"]):
            annotations.append({**annotation, **kept, "length": len(kept["areas"])})
    return {**data, "videos": videos, "annotations": annotations}


def _make(root: Path, seed: int, config: SampleConfig, job: Job) -> Record:
    """Write an image or the frames of a clip; return its record, without ids."""
    folder, index = job
    rng = job_generator(seed, job)
    if folder.startswith("stills"):
        return _make_still(root / folder, rng, config, SPLIT_OF[folder], index)
    length = config.unlabeled_length if folder == "unlabeled" else config.clip_length
    style = UNLABELED_STYLE if folder == "unlabeled" else LABELED_STYLE
    clip = Clip(rng, SPLIT_OF[folder], index, length, config.height, config.width, style)
    if folder != "unlabeled":
        return _make_labeled_clip(root / folder / "JPEGImages", clip, config, index)
    if config.unlabeled_truth:
        return _make_labeled_clip(root / folder, clip, config, index)
    for _ in _write_frames(root / folder / f"{index:03d}", clip, config):
        pass
    return {}


def _make_still(folder: Path, rng: np.random.Generator, config: SampleConfig, split: str, index: int) -> Record:
    still = make_still(rng, split, config.height, config.width)
    name = f"{index:06d}.jpg"
    write_jpeg(folder / "images" / name, still.image, int(rng.integers(60, 96)))
    objects = [
        {**_identity(character, recolored), **_shape(mask)}
        for character, recolored, mask in still.objects
        if np.count_nonzero(mask) >= config.min_visible_still
    ]
    image = {"file_name": name, "height": config.height, "width": config.width, "background": still.background}
    return {"image": image, "objects": objects}


def _make_labeled_clip(images: Path, clip: Clip, config: SampleConfig, index: int) -> Record:
    name = f"{index:03d}"
    shapes = []
    for masks in _write_frames(images / name, clip, config):
        visible = [np.count_nonzero(mask) >= config.min_visible_clip for mask in masks]
        shapes.append([_shape(mask) if shows else None for mask, shows in zip(masks, visible)])
    objects = []
    for identity, frames in zip(clip.characters, zip(*shapes)):
        if any(frames):
            tracks = {
                plural: [frame and frame[single] for frame in frames]
                for plural, single in (("segmentations", "segmentation"), ("bboxes", "bbox"), ("areas", "area"))
            }
            objects.append({**_identity(*identity), **tracks})
    video = {
        "width": config.width,
        "height": config.height,
        "length": len(clip),
        "file_names": [f"{name}/{time:05d}.jpg" for time in range(len(clip))],
        "background": clip.background,
    }
    return {"video": video, "objects": objects}


def _write_frames(folder: Path, clip: Clip, config: SampleConfig) -> Iterator[list[np.ndarray]]:
    """Write each frame and yield the masks of its objects."""
    for time, (image, masks) in enumerate(clip):
        write_jpeg(folder / f"{time:05d}.jpg", image, config.clip_quality)
        yield masks


def _identity(character: Character, recolored: bool) -> Record:
    return {
        "category_id": CATEGORIES.index(character.category) + 1,
        "character": character.key,
        "family": character.family,
        "recolored": recolored,
    }


def _shape(mask: np.ndarray) -> Record:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    return {
        "segmentation": encode_mask(mask),
        "bbox": [x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1],
        "area": int(np.count_nonzero(mask)),
    }


def _coco(records: list[Record]) -> Record:
    images = [{"id": i, **record["image"]} for i, record in enumerate(records, start=1)]
    rows = [(i, row) for i, record in enumerate(records, start=1) for row in record["objects"]]
    annotations = [{"id": n, "image_id": i, "iscrowd": 0, **row} for n, (i, row) in enumerate(rows, start=1)]
    return {"info": INFO, "images": images, "annotations": annotations, "categories": CATEGORY_ROWS}


def _youtube_vis(records: list[Record]) -> Record:
    videos = [{"id": i, **record["video"]} for i, record in enumerate(records, start=1)]
    rows = [(video, row) for video, record in zip(videos, records) for row in record["objects"]]
    annotations = [
        {
            "id": n,
            "video_id": video["id"],
            "iscrowd": 0,
            **{key: video[key] for key in ("width", "height", "length")},
            **row,
        }
        for n, (video, row) in enumerate(rows, start=1)
    ]
    return {"info": INFO, "videos": videos, "annotations": annotations, "categories": CATEGORY_ROWS}
