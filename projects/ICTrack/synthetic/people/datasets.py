"""The generated data as a user's own data sets: entries of ``cfg.DATASETS``."""

from __future__ import annotations

from pathlib import Path


def dataset_options(root: Path) -> list[str]:
    """KEY VALUE pairs that register what :func:`generate_sample_pose` wrote to ``root``.

    ``ictrack_sample_pose_train`` and ``ictrack_sample_pose_val``: labelled stills, COCO's keypoints.
    ``ictrack_sample_pose_clips_tune`` and ``ictrack_sample_pose_clips_val``: labelled clips at full rate, PoseTrack18
    format; with ``_skip<k>`` appended: every k-th frame of them.
    ``ictrack_sample_pose_unlabelled``: unlabelled clips, folders of frames.
    """
    stills = [
        [f"ictrack_sample_pose_{split}", "coco", str(folder / "person_keypoints.json"), str(folder / "images")]
        for split, folder in ((split, root / f"stills_{split}") for split in ("train", "val"))
    ]
    clips = [
        [f"ictrack_sample_pose_clips_{split}{path.name.removeprefix('annotations')}", str(path), str(path.parent)]
        for split in ("tune", "val")
        for path in sorted((root / f"clips_{split}").glob("annotations*"))
    ]
    return [
        "DATASETS.POSE_FORMAT", str(stills),
        "DATASETS.POSETRACK_FORMAT", str(clips),
        "DATASETS.UNLABELLED_VIDEOS", str([["ictrack_sample_pose_unlabelled", str(root / "unlabelled")]]),
    ]  # fmt: skip
