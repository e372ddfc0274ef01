"""Log of the edits of a file of tracks: JSON Lines beside it, an object for each edit, in their order.

A line is ``{"edit": "swap", "ids": [3, 5], "from": 812, "same": [[DETECTION, DETECTION], ...], "different": [...]}``, a
DETECTION ``{"frame": 811, "box": [x0, y0, x1, y1]}``. ``from`` is null for a join.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .atomic_file import replacing
from .describe import describe
from .json_files import is_finite, is_int, parse_json, require
from .track_edits import Detection, Edit, Pair


def log_of(tracks: str | os.PathLike) -> Path:
    """Path of the log of a file of tracks."""
    return Path(f"{os.fspath(tracks)}.edits.jsonl")


def write_edits(path: str | os.PathLike, edits: Iterable[Edit]) -> None:
    """Write a log, in place of an old one."""
    with replacing(path) as file:
        for edit in edits:
            values = {
                "edit": edit.name,
                "ids": edit.ids,
                "from": edit.start,
                "same": _encode(edit.same),
                "different": _encode(edit.different),
            }
            file.write(json.dumps(values).encode("ascii") + b"\n")


def _encode(pairs: Iterable[Pair]) -> list[list[dict[str, Any]]]:
    return [[vars(detection) for detection in pair] for pair in pairs]


def read_edits(path: str | os.PathLike) -> list[Edit]:
    """Edits of a log; none where there is no file.

    Raises:
        AnnotationError: a line is no edit; the message has file and line.
        OSError: the file cannot be opened.
    """
    path = Path(path)
    if not path.exists():
        return []
    lines = [(line, f"{path}: line {number}") for number, line in enumerate(path.read_bytes().splitlines(), 1)]
    return [_edit(parse_json(line, where), where) for line, where in lines if line.strip()]


def _edit(data: Any, where: str) -> Edit:
    require(isinstance(data, dict) and isinstance(data.get("edit"), str), where, 'must be an object with "edit"')
    ids = data.get("ids")
    is_pair = isinstance(ids, list) and len(ids) == 2 and all(map(is_int, ids))
    require(is_pair, f"{where}: ids", f"must be two integers, not {describe(ids)}")
    start = data.get("from")
    require(start is None or is_int(start), f"{where}: from", f"must be a frame or null, not {describe(start)}")
    pairs = [_pairs(data.get(key), f"{where}: {key}") for key in ("same", "different")]
    return Edit(data["edit"], (ids[0], ids[1]), start, *pairs)


def _pairs(value: Any, where: str) -> tuple[Pair, ...]:
    good = isinstance(value, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in value)
    require(good, where, f"must be a list of pairs, not {describe(value)}")
    return tuple((_detection(x, where), _detection(y, where)) for x, y in value)


def _detection(value: Any, where: str) -> Detection:
    good = isinstance(value, dict) and is_int(value.get("frame")) and isinstance(value.get("box"), list)
    good = good and len(value["box"]) == 4 and all(map(is_finite, value["box"]))
    require(good, where, f'must have detections {{"frame", "box"}}, not {describe(value)}')
    x0, y0, x1, y1 = map(float, value["box"])
    return Detection(value["frame"], (x0, y0, x1, y1))
