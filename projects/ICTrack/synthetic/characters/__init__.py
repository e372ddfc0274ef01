"""Synthetic characters over real photos and clips, with exact masks and identities."""

from __future__ import annotations

from .assets import real_clips
from .datasets import dataset_options
from .generate import SampleConfig, generate_sample, subsample_youtube_vis
from .output import SampleDataError

__all__ = [
    "SampleConfig",
    "SampleDataError",
    "dataset_options",
    "generate_sample",
    "real_clips",
    "subsample_youtube_vis",
]
