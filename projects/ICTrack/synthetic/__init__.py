"""Synthetic data: characters with masks and people with poses, composed from the photos and clips in ``assets/``."""

from __future__ import annotations

from pathlib import Path


def register(root: str) -> None:
    """Register the data in a folder that ``generate_sample`` or ``generate_sample_pose`` filled."""
    from .characters import register_sample
    from .people import register_sample_pose
    from .people.generate import STAMP

    (register_sample_pose if (Path(root) / STAMP).is_file() else register_sample)(root)
