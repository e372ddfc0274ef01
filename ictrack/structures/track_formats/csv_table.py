"""CSV with a header and a row for each detection, see :mod:`.table`. Others' columns are read as well, see
:mod:`.table_reader`.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..atomic_file import replacing
from ..frame_tracks import FrameTracks, VideoInfo, VideoTracks
from ..json_files import AnnotationError, require
from .fields import with_fields
from .table import columns, rows_of
from .table_reader import video_of

_DELIMITERS = ",;\t"


def write(path: str | os.PathLike, info: VideoInfo, frames: Iterable[FrameTracks]) -> None:
    """Write a video's detections or tracks, frame by frame. Raises TrackFormatError as :func:`with_fields`."""
    fields, frames = with_fields(frames, path)
    with replacing(path) as file:
        file.write(_encode([list(columns(fields, info))]))
        for frame in frames:
            file.write(_encode(rows_of(frame, info)))


def _encode(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8")


def read(path: str | os.PathLike) -> list[VideoTracks]:
    """The file's one video.

    Raises:
        AnnotationError: the header or a row is wrong; the message has file and line.
        OSError: the file cannot be opened.
    """
    try:
        content = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path}: no text in UTF-8: {error}") from None
    first = content.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    records = _records(csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True), path)
    header = [name.strip() for name in next(records, (0, []))[1]]
    entries = []
    for number, row in records:
        if any(map(str.strip, row)):
            where = f"{path}: line {number}"
            require(len(row) == len(header), where, f"has {len(row)} values, the header {len(header)}")
            entries.append((where, dict(zip(header, (value.strip() for value in row)))))
    return [video_of(path, header, entries)]


def _records(reader: Any, path: str | os.PathLike) -> Iterator[tuple[int, list[str]]]:
    """(Number of its line, values) of each row. Raises AnnotationError if a quote is not closed in its line."""
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            reason = str(error) if reader.line_num == number else "has a quote that is not closed in the line"
            raise AnnotationError(f"{path}: line {number}: {reason}") from None
        if row is None:
            return
        require(reader.line_num == number, f"{path}: line {number}", "has a quote that is not closed in the line")
        yield number, row
