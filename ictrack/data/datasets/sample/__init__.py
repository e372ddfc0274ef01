"""Bundled sample data: cut-out characters composed over real photos and clips, with exact masks and identities."""

from __future__ import annotations

from .generate import SampleConfig, generate_sample, subsample_youtube_vis

__all__ = ["SampleConfig", "generate_sample", "subsample_youtube_vis"]
