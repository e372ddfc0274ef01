"""Synthetic people in real scenery, with exact joints and identities."""

from __future__ import annotations

from .datasets import dataset_options
from .generate import PoseSampleConfig, generate_sample_pose

__all__ = ["PoseSampleConfig", "dataset_options", "generate_sample_pose"]
