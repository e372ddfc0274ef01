"""Rows of ``cfg.DATASETS.REGISTER`` for the synthetic data."""

from __future__ import annotations

from pathlib import Path


def dataset_options(root: Path) -> list[str]:
    """KEY VALUE pairs that register the data of :func:`generate_sample` in ``root``.

    ``ictrack_sample_train`` and ``ictrack_sample_val``: labeled images, COCO format.
    ``ictrack_sample_clips_tune`` and ``ictrack_sample_clips_val``: labeled clips at full rate, YouTube-VIS format;
    with ``_skip<k>`` appended: every k-th frame of them.
    ``ictrack_sample_unlabeled``: unlabeled clips, folders of frames.
    """
    stills = [
        [f"ictrack_sample_{split}", "coco", str(folder / "instances.json"), str(folder / "images")]
        for split, folder in ((split, root / f"stills_{split}") for split in ("train", "val"))
    ]
    clips = []
    for split in ("tune", "val"):
        name, folder = f"ictrack_sample_clips_{split}", root / f"clips_{split}"
        files = {name: folder / "instances.json"}
        files |= {
            f"{name}_{path.stem.removeprefix('instances_')}": path for path in folder.glob("instances_skip*.json")
        }
        clips += [[name, "youtube_vis", str(path), str(folder / "JPEGImages")] for name, path in sorted(files.items())]
    unlabeled = ["ictrack_sample_unlabeled", "videos", str(root / "unlabeled")]
    return ["DATASETS.REGISTER", str([*stills, *clips, unlabeled])]
