"""Threads that share the cores with other work."""

from __future__ import annotations

import os


def wait_passively() -> None:
    """Let threads of PyTorch sleep while they wait for each other, unless the user says how they wait.

    By default they keep the core busy. Decoding, drawing and encoding need it, too, and so does whatever else runs on
    the machine: with two cores and other work on them, tracking by the default model was ten times as slow.

    PyTorch's threads read this when it is imported, so call it before.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
