"""Storage of a video's items by track on the disk, for formats that list a track's frames together."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator
from pathlib import Path


class TrackSpool:
    """Temporary file of byte strings by track, which leaves 16 bytes of each in memory. Also a context manager.

    Attributes:
        tracks: Identities in the order in which they came first.
    """

    def __init__(self, folder: str | Path) -> None:
        """
        Args:
            folder: Folder on whose disk the file is; it is made if missing, and the file has no name there.
        """
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=str(folder))  # noqa: SIM115  closed by __exit__
        self._items: dict[int, tuple[array[int], array[int]]] = {}
        self._end = 0

    @property
    def tracks(self) -> list[int]:
        return list(self._items)

    def add(self, track_id: int, item: bytes) -> None:
        """Append an item to a track."""
        if track_id not in self._items:
            self._items[track_id] = (array("q"), array("q"))
        starts, lengths = self._items[track_id]
        starts.append(self._end)
        lengths.append(len(item))
        self._file.write(item)
        self._end += len(item)

    def items(self, track_id: int) -> Iterator[bytes]:
        """Items of a track in the order in which they came; nothing is added meanwhile."""
        for start, length in zip(*self._items[track_id]):
            self._file.seek(start)
            yield self._file.read(length)

    def __enter__(self) -> TrackSpool:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
