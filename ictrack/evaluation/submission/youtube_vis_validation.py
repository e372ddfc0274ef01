"""Offline check of results for problems that a YouTube-VIS server, or its official tool, refuses or misreads."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ictrack.structures.describe import describe
from ictrack.structures.json_files import AnnotationError, is_finite, is_int, is_whole
from ictrack.structures.rle import RLEError, decode_runs, has_empty_runs
from ictrack.structures.youtube_vis_json import polygons_to_rle, read_ground_truth, video_name

from .problem import Problem, error, raise_first_error, warning
from .youtube_vis import read_results_file

logger = logging.getLogger(__name__)

# Number of tracks of a video and category that the metric reads, the best by score.
MAX_TRACKS = 100
LARGE_FILE_BYTES = 2**30  # larger uploads tend to fail


def validate_youtube_vis(gt_path: str | Path, pred_path: str | Path) -> Iterator[Problem]:
    """Problems of a results file, ``.json``, ``.json.gz`` or ``.zip``. No content raises an error.

    Args:
        gt_path: File of the data set; annotations are not needed.
        pred_path: File to submit.
    """
    contents = []
    reader: Callable[[Any], Any]
    for path, reader in ((gt_path, read_ground_truth), (pred_path, read_results_file)):
        try:
            contents.append(reader(path))
        except AnnotationError as wrong:
            yield error(str(path), str(wrong).removeprefix(f"{path}: "))
            return
        except OSError as wrong:
            yield error(str(path), f"cannot be read: {wrong.strerror or wrong}")
            return
    size = Path(pred_path).stat().st_size
    if size > LARGE_FILE_BYTES:
        yield warning(str(pred_path), f"takes {size / 2**30:.1f} GiB, which a server may refuse")
    gt, results = contents
    for problem in find_problems(results, gt):
        yield problem.in_file(pred_path)


def read_results(path: str | Path, gt: dict[str, Any]) -> list[dict[str, Any]]:
    """Content of a results file, safe to score. Content that is probably unintended is logged as a warning.

    Args:
        path: File for :func:`read_results_file`.
        gt: Content of the data set's file; annotations are not needed.

    Raises:
        AnnotationError: the file is wrong; the message has its name and the JSON path.
        OSError: the file cannot be opened.
    """
    results = read_results_file(path)
    raise_first_error((problem.in_file(path) for problem in find_problems(results, gt)), logger)
    return results


def find_problems(results: Any, gt: dict[str, Any]) -> Iterator[Problem]:
    """Problems that keep results from being scored as intended, in the results' order, with JSON paths.

    Args:
        results: Content of a ``results.json``.
        gt: Checked content of the data set's file.
    """
    if not isinstance(results, list):
        yield error("$", "must be a list of tracks")
        return
    if not results:
        yield warning("$", "there are no tracks; the official tool crashes on an empty list")
    videos = {video["id"]: video for video in gt["videos"]}
    categories = {category["id"] for category in gt["categories"]}
    seen: dict[tuple[Any, Any], int] = {}
    copies = _Copies()
    counts: Counter[tuple[Any, Any]] = Counter()
    for i, result in enumerate(results):
        where = f"[{i}]"
        if not isinstance(result, dict):
            yield error(where, "must be an object")
            continue
        video_id, category_id, score = result.get("video_id"), result.get("category_id"), result.get("score")
        is_known = True
        if not is_finite(score):
            yield error(f"{where}.score", f"must be a finite number, not {describe(score)}")
            is_known = False
        if not is_whole(category_id):
            yield error(f"{where}.category_id", f"must be an integer, not {describe(category_id)}")
            is_known = False
        elif category_id not in categories:
            yield warning(f"{where}.category_id", f"there is no category {describe(category_id)}; it is not scored")
            is_known = False
        if not is_whole(video_id) or video_id not in videos:
            yield error(f"{where}.video_id", f"there is no video {describe(video_id)}")
            continue
        track_id = result.get("id")
        if "id" in result:  # which the official tool replaces by numbers of its own
            if not is_int(track_id):
                yield warning(f"{where}.id", f"must be an integer, not {describe(track_id)}")
            elif seen.setdefault((video_id, track_id), i) != i:
                first = seen[video_id, track_id]
                yield warning(f"{where}.id", f"{describe(track_id)} is the id of [{first}] in the same video")
        name = f"video {describe(video_id)} {describe(video_name(videos[video_id]))}"
        track = describe(track_id) if is_int(track_id) else i
        has_errors = False
        for problem in _segmentation_problems(result.get("segmentations"), videos[video_id]):
            has_errors |= problem.severity == "error"
            yield Problem(
                problem.severity, f"{where}.segmentations{problem.path}", f"{problem.message} ({name}, track {track})"
            )
        if is_known and not has_errors:
            original = copies.find(i, results)
            if original is not None:
                yield warning(where, f"is a copy of [{original}] ({name}, track {track})")
            counts[video_id, category_id] += 1
            if counts[video_id, category_id] == MAX_TRACKS + 1:
                yield warning(
                    where, f"more than {MAX_TRACKS} tracks of category {category_id} ({name}): only the best count"
                )


class _Copies:
    """Finds tracks that are exact copies of an earlier one, at the cost of one look at each."""

    def __init__(self) -> None:
        self._first: dict[Any, int] = {}
        self._by_content: dict[Any, int] = {}

    def find(self, index: int, results: Sequence[dict[str, Any]]) -> int | None:
        """The position of the first copy of ``results[index]``, None if it is the first itself."""
        result = results[index]
        key = (result["video_id"], result["category_id"], result["score"])
        first = self._first.setdefault(key, index)
        if first == index:
            return None
        # Contents are compared only where everything else is equal, by their digests to keep no second copy of them.
        self._by_content.setdefault((key, _digest(results[first]["segmentations"])), first)
        original = self._by_content.setdefault((key, _digest(result["segmentations"])), index)
        return None if original == index else original


def _digest(segmentations: Sequence[Any]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for segmentation in segmentations:
        content = segmentation["counts"] if isinstance(segmentation, dict) else segmentation
        digest.update(f"{content!r};".encode())
    return digest.digest()


def _segmentation_problems(segmentations: Any, video: dict[str, Any]) -> Iterator[Problem]:
    length = len(video["file_names"])
    if not isinstance(segmentations, list):
        yield error("", "must be a list with one entry a frame")
        return
    if len(segmentations) != length:
        yield error("", f"has {len(segmentations)} entries, the video {length} frames")
    frames = [t for t, segmentation in enumerate(segmentations) if isinstance(segmentation, dict)]
    size = [video["height"], video["width"]]
    yield from _rle_problems([segmentations[t] for t in frames], frames)
    for t in frames:
        if segmentations[t].get("size") != size:
            given = describe(segmentations[t].get("size"))
            yield error(f"[{t}].size", f"is {given}, the video's frames are {size}")
    yield from _form_problems(segmentations, (video["height"], video["width"]))
    if not any(segmentation not in (None, []) for segmentation in segmentations):
        yield warning("", "holds no mask in any frame: it counts as a false positive")


def _rle_problems(rles: Sequence[dict[str, Any]], frames: Sequence[int]) -> Iterator[Problem]:
    """Every RLE that is no mask or is misread. All are read at once, and one by one only where that fails."""
    try:
        uneven = has_empty_runs(decode_runs(rles))
    except RLEError:
        uneven = set()
        for i, (frame, rle) in enumerate(zip(frames, rles)):
            try:
                uneven |= {i} if has_empty_runs(decode_runs([rle])) else set()
            except RLEError as wrong:
                yield error(f"[{frame}]", wrong.reason)
    for i in sorted(uneven):
        yield warning(f"[{frames[i]}].counts", "has a run of no pixels within, which the official tool may misread")


def _form_problems(segmentations: Sequence[Any], size: tuple[int, int]) -> Iterator[Problem]:
    """Problems of masks that are neither null nor an RLE with a string, as servers want it."""
    num_lists, first_list = 0, 0
    for t, segmentation in enumerate(segmentations):
        if isinstance(segmentation, dict):
            is_list = isinstance(segmentation.get("counts"), list)
        else:
            is_list = isinstance(segmentation, list)
            if is_list:
                try:
                    polygons_to_rle(segmentation, size, f"[{t}]") if segmentation else None
                except AnnotationError as wrong:
                    path, _, message = str(wrong).partition(": ")
                    yield error(path, message)
            elif segmentation is not None:
                yield error(f"[{t}]", f"an RLE is an object with size and counts, not {type(segmentation).__name__}")
        if is_list:
            first_list = first_list if num_lists else t
            num_lists += 1
    if num_lists:
        yield warning(
            f"[{first_list}]", f"{num_lists} masks are polygons or run lists; servers take compressed strings only"
        )
