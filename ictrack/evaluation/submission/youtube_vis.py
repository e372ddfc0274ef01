"""YouTube-VIS ``results.json``: writer, packing for a server, and reader.

A file is a list of {video_id, category_id, score, segmentations}; ``segmentations`` has one entry for each frame of the
video, an RLE of the frame's size or null. Servers take a zip with that file, named ``results.json``, at its top.

A video's tracks are collected as encoded masks by :class:`ictrack.structures.tracks.TrackRecorder`, which takes little
more memory than their strings.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from ictrack.structures.atomic_file import replacing
from ictrack.structures.json_files import is_zip, parse_json, read_json, require

from .archive import Archive, write_archive

logger = logging.getLogger(__name__)

RESULTS_NAME = "results.json"


class ResultsWriter:
    """Writer of a ``results.json``, entry by entry; between two writes the file is always valid JSON.

    Nothing is kept in memory. Each entry, with the bracket that closes the list, is written in one call, so that a run
    that dies leaves a file with all entries written until then. Only a kill in the middle of that call can leave half
    an entry at the end, which :func:`repair_results` removes.
    """

    _END = b"\n]\n"

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, "wb", buffering=0)  # noqa: SIM115 (closed by close)
        self._file.write(b"[" + self._END)
        self._end = 1
        self.num_entries = 0

    def write(self, entries: Iterable[dict[str, Any]]) -> None:
        """Append ``entries``. Raises ValueError on a number that is not finite, which JSON cannot hold."""
        for entry in entries:
            text = json.dumps(entry, separators=(",", ":"), allow_nan=False).encode("ascii")
            text = (b",\n" if self.num_entries else b"\n") + text
            block = memoryview(text + self._END)
            self._file.seek(self._end)
            while block:
                block = block[self._file.write(block) :]
            self._end += len(text)
            self.num_entries += 1

    def close(self) -> None:
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()

    def __enter__(self) -> ResultsWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def repair_results(path: str | Path) -> int:
    """Remove half an entry at the end of a file that a killed :class:`ResultsWriter` left; a whole file stays as it is.

    Returns:
        Number of entries kept.

    Raises:
        AnnotationError: the file is not in that writer's form: a bracket, then an entry a line.
        OSError: the file cannot be opened.
    """
    path = Path(path)
    lines = path.read_bytes().split(b"\n")
    require(lines[0] == b"[", str(path), "does not begin as a file of ResultsWriter")
    entries: list[bytes] = []
    for line in lines[1:]:
        entry = line.removesuffix(b",")
        try:
            if not isinstance(json.loads(entry), dict):
                break
        except ValueError:
            break
        entries.append(entry)
    with replacing(path) as file:
        file.write(b"[\n" + b",\n".join(entries) + b"\n]\n")
    return len(entries)


def _results_of_tracks(content: Any, path: Path) -> Any:
    """Annotations of a file that ``--save-tracks`` wrote, which are results with more keys; other content unchanged.
    Raises AnnotationError for a ground truth, whose annotations have no scores."""
    annotations = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(annotations, list) or not annotations:
        return content
    has_scores = all(isinstance(annotation, dict) and "score" in annotation for annotation in annotations)
    require(has_scores, str(path), "$: must be a list of tracks; this is a ground truth: its annotations have no score")
    logger.warning("%s: a file of --save-tracks; its annotations are taken for the results", path)
    return annotations


def pack_results(pred_path: str | Path, zip_path: str | Path) -> Path:
    """Write the zip that a server takes, from a ``.json`` or ``.json.gz`` file of any name. Returns ``zip_path``."""
    return write_archive(zip_path, [(RESULTS_NAME, Path(pred_path))])


def read_results_file(path: str | Path) -> Any:
    """Unchecked content of a results file: ``.json``, ``.json.gz``, or a zip with one ``results.json``.

    Raises:
        AnnotationError: the file is damaged or no JSON; or the zip is not safe to unpack (see
            :class:`~.archive.Archive`), has no ``results.json`` at its top, or another one elsewhere.
        OSError: the file cannot be opened.
    """
    path = Path(path)
    if not is_zip(path):
        return _results_of_tracks(read_json(path), path)
    with Archive(path) as archive:
        found = [name for name in archive.names if PurePosixPath(name).name == RESULTS_NAME]
        require(bool(found), str(path), f"holds no {RESULTS_NAME}")
        require(len(found) == 1, str(path), f"holds more than one {RESULTS_NAME}: {', '.join(map(repr, found[:3]))}")
        require(found[0] == RESULTS_NAME, archive.where(found[0]), "must lie at the top of the zip, in no folder")
        data = archive.read(RESULTS_NAME)
    return parse_json(data, archive.where(RESULTS_NAME))
