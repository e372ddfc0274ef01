"""Parquet with a row for each detection, see :mod:`.table`; by the package pyarrow, which is optional."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..atomic_file import replacing_path
from ..frame_tracks import FrameTracks, VideoInfo, VideoTracks
from ..json_files import AnnotationError
from .fields import with_fields
from .table import columns, rows_of
from .table_reader import video_of

# Rows that are compressed together.
_ROWS_AT_A_TIME = 10_000


def write(path: str | os.PathLike, info: VideoInfo, frames: Iterable[FrameTracks]) -> None:
    """Write a video's detections or tracks, a few thousand rows at a time. Raises TrackFormatError as
    :func:`with_fields`, and ImportError without pyarrow, for which :func:`.registry.format_of` asks before."""
    import pyarrow as arrow
    from pyarrow import parquet

    fields, frames = with_fields(frames, path)
    kinds = {int: arrow.int64(), float: arrow.float64(), str: arrow.string()}
    schema = arrow.schema([(name, kinds[kind]) for name, kind in columns(fields, info).items()])
    with replacing_path(path) as part, parquet.ParquetWriter(part, schema) as writer:
        waiting: list[list[Any]] = []
        for frame in frames:
            waiting += rows_of(frame, info)
            if len(waiting) >= _ROWS_AT_A_TIME:
                writer.write_table(_table(arrow, schema, waiting))
                waiting = []
        writer.write_table(_table(arrow, schema, waiting))


def _table(arrow: Any, schema: Any, rows: list[list[Any]]) -> Any:
    values = zip(*rows) if rows else [()] * len(schema)
    return arrow.Table.from_arrays(
        [arrow.array(column, field.type) for column, field in zip(values, schema)], schema=schema
    )


def read(path: str | os.PathLike) -> list[VideoTracks]:
    """The file's one video.

    Raises:
        AnnotationError: pyarrow is not installed, the file is damaged, a column is missing or a value is wrong.
        OSError: the file cannot be opened.
    """
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise AnnotationError(f"{path}: Parquet needs the package pyarrow: pip install pyarrow") from None
    with Path(path).open("rb") as file:
        try:
            table = parquet.read_table(file)
            rows = table.to_pylist()
        except (arrow.ArrowException, OSError, ValueError) as error:
            raise AnnotationError(f"{path}: damaged file: {str(error).splitlines()[0]}") from None
    entries = [(f"{path}: row {number}", row) for number, row in enumerate(rows, 1)]
    return [video_of(path, table.column_names, entries)]
