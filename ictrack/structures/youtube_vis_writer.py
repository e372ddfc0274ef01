"""Writer of files in YouTube-VIS format, track by track."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from .atomic_file import replacing


def write_youtube_vis(path: str | os.PathLike, data: Mapping[str, Any]) -> None:
    """Write a YouTube-VIS file; it appears when it is complete, and its folder is made.

    Args:
        path: JSON file to write.
        data: Content as in :mod:`.youtube_vis_json`. ``annotations`` may be an iterator, of which only one track's
            text is in memory at a time.
    """
    head = "".join(f"{json.dumps(key)}: {json.dumps(value)},\n" for key, value in data.items() if key != "annotations")
    with replacing(path) as file:
        file.write(f'{{{head}"annotations": ['.encode())
        separator = "\n"
        for annotation in data["annotations"]:
            file.write(f"{separator}{json.dumps(annotation)}".encode())
            separator = ",\n"
        file.write(b"\n]}\n")
