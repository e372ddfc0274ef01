"""Text that is the same for two runs on a video if their results are."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from ictrack.data.frame_stream import FrameStream


def run_fingerprint(settings: str, files: Iterable[str], frames: FrameStream, *more: str) -> str:
    """Hash of settings, files of a model, a source, and further options.

    Of files, names, sizes and times of change are taken, which is faster than their content and as good.
    """
    stamps = (f"{file} {_stamp(file)}" for file in (*files, *frames.files))
    facts = [settings, frames.name, str(frames.fps), *more, *stamps]
    return hashlib.sha256("\n".join(facts).encode("utf-8", "surrogateescape")).hexdigest()


def _stamp(path: str) -> str:
    try:
        stat = os.stat(path)
    except OSError:  # weights by a name that Detectron2's or timm's tools resolve
        return ""
    return f"{stat.st_size} {stat.st_mtime_ns}"
