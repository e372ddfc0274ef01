"""Rows of ``cfg.DATASETS.REGISTER`` for the synthetic data."""

from __future__ import annotations

from pathlib import Path


def dataset_options(root: Path) -> list[str]:
    """KEY VALUE pairs that register the data of :func:`generate_sample_pose` in ``root``.

    ``ictrack_sample_pose_train`` and ``ictrack_sample_pose_val``: labeled images, COCO's keypoints.
    ``ictrack_sample_pose_clips_tune`` and ``ictrack_sample_pose_clips_val``: labeled clips at full rate, where they
    are drawn at full rate, PoseTrack18 format; with ``_skip<k>`` appended: every k-th frame of them.
    ``ictrack_sample_pose_unlabeled``: unlabeled clips, folders of frames.
    """
    stills = [
        [f"ictrack_sample_pose_{split}", "coco_keypoints", str(path), str(path.parent / "images")]
        for split, path in ((split, root / f"stills_{split}" / "person_keypoints.json") for split in ("train", "val"))
    ]
    clips = [
        [
            f"ictrack_sample_pose_clips_{split}{path.name.removeprefix('annotations')}",
            "posetrack",
            str(path),
            str(path.parent),
        ]
        for split in ("tune", "val")
        for path in sorted((root / f"clips_{split}").glob("annotations*"))
    ]
    unlabeled = ["ictrack_sample_pose_unlabeled", "videos", str(root / "unlabeled")]
    return ["DATASETS.REGISTER", str([*stills, *clips, unlabeled])]
