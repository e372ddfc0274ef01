"""Bundled sample data of poses: made-up people in real scenery, with exact joints and identities."""

from __future__ import annotations

from .generate import PoseSampleConfig, generate_sample_pose
from .register import register_sample_pose

__all__ = ["PoseSampleConfig", "generate_sample_pose", "register_sample_pose"]
