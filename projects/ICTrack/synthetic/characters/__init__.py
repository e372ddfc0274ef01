"""Bundled sample data: cut-out characters composed over real photos and clips, with exact masks and identities."""

from __future__ import annotations

from .assets import real_clips
from .generate import SampleConfig, generate_sample, subsample_youtube_vis
from .output import SampleDataError
from .register import register_sample

__all__ = [
    "SampleConfig",
    "SampleDataError",
    "generate_sample",
    "real_clips",
    "register_sample",
    "subsample_youtube_vis",
]
