"""YouTube-VIS ``results.json``: written track by track, and read with every problem told before it is scored.

A file is a list of {video_id, category_id, score, segmentations}; ``segmentations`` has one entry a frame of the video,
an RLE of the frame's size or null.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ictrack.structures.rle import RLEError, decode_runs
from ictrack.structures.youtube_vis_json import AnnotationError, is_finite, is_int, read_json

logger = logging.getLogger(__name__)


class ResultsWriter:
    """Writes a ``results.json`` entry by entry; between two writes the file always is valid JSON.

    Nothing is kept in memory. Each entry, with the bracket that closes the list, is handed to the operating system in
    one piece, so that a run that dies leaves a file with all entries written until then.
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


def read_results(path: str | Path, ground_truth: dict[str, Any]) -> list[dict[str, Any]]:
    """The content of a ``results.json`` or ``.json.gz``, safe to score.

    Tracks that are there twice are kept, with a warning that counts them.

    Args:
        path: the file.
        ground_truth: the content of the data set's file; annotations are not needed.

    Raises:
        AnnotationError: with the file's name and the JSON path of the first problem.
        OSError: the file cannot be opened.
    """
    results = read_json(path)
    for problem in find_problems(results, ground_truth):
        raise AnnotationError(f"{path}: {problem}")
    num_copies = len(results) - len({json.dumps(result, sort_keys=True) for result in results})
    if num_copies:
        logger.warning("%s: %d tracks are copies of another one", path, num_copies)
    return results


def find_problems(results: Any, ground_truth: dict[str, Any]) -> Iterator[str]:
    """Everything that keeps results from being scored, each as "JSON path: what is wrong".

    Args:
        results: the content of a ``results.json``.
        ground_truth: the content of the data set's file.
    """
    if not isinstance(results, list):
        yield "$: must be a list of tracks"
        return
    videos = {video["id"]: video for video in ground_truth["videos"]}
    categories = {category["id"] for category in ground_truth["categories"]}
    seen: dict[tuple[Any, Any], int] = {}
    for i, result in enumerate(results):
        where = f"[{i}]"
        if not isinstance(result, dict):
            yield f"{where}: must be an object"
            continue
        video_id, category_id, score = result.get("video_id"), result.get("category_id"), result.get("score")
        if not is_finite(score):
            yield f"{where}.score: must be a finite number, not {score!r}"
        if not is_int(category_id) or category_id not in categories:
            yield f"{where}.category_id: there is no category {category_id!r}"
        if not is_int(video_id) or video_id not in videos:
            yield f"{where}.video_id: there is no video {video_id!r}"
            continue
        if "id" in result:
            if not is_int(result["id"]):
                yield f"{where}.id: must be an integer, not {result['id']!r}"
            elif seen.setdefault((video_id, result["id"]), i) != i:
                yield f"{where}.id: {result['id']} is the id of [{seen[video_id, result['id']]}] in the same video"
        for problem in _segmentation_problems(result.get("segmentations"), videos[video_id]):
            yield f"{where}.segmentations{problem}"


def _segmentation_problems(segmentations: Any, video: dict[str, Any]) -> Iterator[str]:
    length = len(video["file_names"])
    if not isinstance(segmentations, list):
        yield ": must be a list with one entry a frame"
        return
    if len(segmentations) != length:
        yield f": has {len(segmentations)} entries, the video {length} frames"
    frames = [t for t, segmentation in enumerate(segmentations) if segmentation is not None]
    size = [video["height"], video["width"]]
    for t, reason in _rle_problems([segmentations[t] for t in frames], frames):
        yield f"[{t}]: {reason}"
    for t in frames:
        segmentation = segmentations[t]
        if isinstance(segmentation, dict) and segmentation.get("size") != size:
            yield f"[{t}].size: is {segmentation.get('size')!r}, the video's frames are {size}"


def _rle_problems(rles: Sequence[Any], frames: Sequence[int]) -> Iterator[tuple[int, str]]:
    """(frame, reason) of every RLE that is no mask. All are read at once, and one by one only where that fails."""
    try:
        decode_runs(rles)
        return
    except RLEError:
        pass
    for frame, rle in zip(frames, rles):
        try:
            decode_runs([rle])
        except RLEError as error:
            yield frame, error.reason
