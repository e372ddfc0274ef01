"""Makes generated sample data of poses known to Detectron2's catalogues."""

from __future__ import annotations

import os
from pathlib import Path

from detectron2.data import MetadataCatalog

from ictrack.data.datasets.coco_keypoints import register_coco_keypoints
from ictrack.data.datasets.posetrack import register_posetrack
from ictrack.data.datasets.unlabelled_videos import register_unlabelled_videos
from synthetic.characters.output import SampleDataError
from synthetic.characters.register import forget


def register_sample_pose(root: str | os.PathLike) -> list[str]:
    """Register the data of ``generate_sample_pose``; a second call replaces the first one's names.

    ``ictrack_sample_pose_train`` and ``ictrack_sample_pose_val``: labelled stills, COCO's keypoints.
    ``ictrack_sample_pose_unlabelled``: unlabelled clips, folders of frames; its metadata's ``video_root`` holds these.
    ``ictrack_sample_pose_clips_tune`` and ``ictrack_sample_pose_clips_val``: labelled clips at full rate, PoseTrack18
    format; with ``_skip<k>`` appended: every k-th frame of them.

    Returns:
        The names of the labelled data sets.

    Raises:
        SampleDataError: naming the file or folder that is missing.
    """
    root = Path(root)
    names = []
    for split in ("train", "val"):
        name, folder = f"ictrack_sample_pose_{split}", root / f"stills_{split}"
        json_file = _existing(folder / "person_keypoints.json", root)
        forget(name)
        register_coco_keypoints(name, str(json_file), str(folder / "images"))
        names.append(name)
    for split in ("tune", "val"):
        folder = root / f"clips_{split}"
        skipped = sorted(
            folder.glob("annotations_skip*"), key=lambda path: int(path.name.removeprefix("annotations_skip"))
        )
        for path in (_existing(folder / "annotations", root), *skipped):
            name = f"ictrack_sample_pose_clips_{split}{path.name.removeprefix('annotations')}"
            forget(name)
            register_posetrack(name, str(path), str(folder))
            names.append(name)
    name, unlabelled = "ictrack_sample_pose_unlabelled", str(_existing(root / "unlabelled", root))
    forget(name)
    register_unlabelled_videos(name, unlabelled)
    MetadataCatalog.get(name).set(video_root=unlabelled)
    return names


def _existing(path: Path, root: Path) -> Path:
    if not path.exists():
        raise SampleDataError(f"{path}: missing; {root} is no complete sample of poses (see generate_data.py)")
    return path
