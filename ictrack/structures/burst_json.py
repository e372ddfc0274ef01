"""Reader of BURST: masks of the classes that were annotated in a video, see github.com/Ali2500/BURST-benchmark.

``sequences`` {dataset, seq_name, width, height, annotated_image_paths, track_category_ids {track id: category id},
segmentations [{track id: {rle, and in results score, category_id}}, ...]}, of which a ground truth also has
neg_category_ids and not_exhaustive_category_ids; and ``split``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .describe import describe
from .federated_video import (
    UNCOUNTED,
    UNKNOWN,
    FederatedGroundTruth,
    FederatedVideo,
    FrameObjects,
    ObjectTable,
    Warn,
)
from .json_files import index_by_id, is_finite, require
from .tao_json import category_ids, is_id, merged_categories, seen_categories
from .youtube_vis_json import normalize_segmentations

# TAO's categories that stand for others, where a file has no categories, and those that are not scored; as TrackEval.
_MERGED = {504: 347, 720: 347, 912: 529, 967: 529, 207: 554, 153: 943, 201: 1175}
_NOT_SCORED = frozenset({
    20, 63, 108, 180, 188, 204, 212, 247, 303, 403, 407, 415, 490, 504, 507, 513, 529, 567, 569, 588, 672, 691, 702,
    708, 711, 720, 736, 737, 798, 813, 815, 827, 831, 851, 877, 883, 912, 971, 976, 1130, 1133, 1134, 1169, 1184, 1220,
})  # fmt: skip
_MAX_DIGITS = 18
_NUMBER = re.compile(r"(\d{1,18})\.\w+$")


def burst_ground_truth(content: Mapping[str, Any], path: str | Path) -> FederatedGroundTruth:
    """Data set of a file's content. Raises AnnotationError, with file and JSON path, if it is wrong."""
    split = str(content.get("split", ""))
    listed = index_by_id(content.get("categories", []), f"{path}: categories")
    merged = merged_categories(listed, str(path)) if listed else _MERGED
    entries = [entry for entry in _entries(content, path) if entry.category not in _NOT_SCORED]
    order = {(entry.video, entry.picture): entry.frame_index for entry in entries}
    ordered = sorted(order, key=lambda key: (key[0], order[key]))
    counted = {key: i for i, key in enumerate(ordered)}
    table = _table(entries, counted, merged)
    sequences = content["sequences"]
    frames: list[list[FrameObjects]] = [[] for _ in sequences]
    for (video, _), found in zip(ordered, table.by_picture(len(ordered))):
        frames[video].append(found)
    names = list(map(_name, sequences))
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        require(first.setdefault(name, i) == i, f"{path}: sequences[{i}]", f"{describe(name)} is there twice")
    pictures = {
        (name, picture): (name, counted.get((video, picture), UNCOUNTED))
        for video, (name, sequence) in enumerate(zip(names, sequences))
        for picture in sequence["annotated_image_paths"]
    }
    videos = [
        FederatedVideo(
            _name(sequence),
            len(sequence["annotated_image_paths"]),
            category_ids(sequence, "neg", f"{path}: sequences[{i}]"),
            category_ids(sequence, "not_exhaustive", f"{path}: sequences[{i}]"),
            (sequence["height"], sequence["width"]),
        )
        for i, sequence in enumerate(sequences)
    ]
    return FederatedGroundTruth(
        videos,
        frames,
        {key: name for key, name in seen_categories(table.classes, listed).items() if key not in _NOT_SCORED},
        frozenset(listed),
        merged,
        pictures,
        has_masks=True,
        split=split,
    )


def burst_results(content: Any, path: str | Path, gt: FederatedGroundTruth, warn: Warn) -> list[list[FrameObjects]]:
    """Objects of each video and each of its frames in ``gt``, of the content of a results file.

    Raises AnnotationError, with file and JSON path, if it is wrong.
    """
    require(isinstance(content, dict), str(path), "results must be an object with sequences")
    split = str(content.get("split", gt.split))
    require(split == gt.split, f"{path}: split", f"{describe(split)} is not the ground truth's, {describe(gt.split)}")
    entries = list(_entries(content, path))
    sizes = {video.name: video.size for video in gt.videos}
    names = list(map(_name, content["sequences"]))
    for i, (name, sequence) in enumerate(zip(names, content["sequences"])):
        size = (sequence["height"], sequence["width"])
        expected = sizes.get(name, size)
        text = f"{describe(name)} has height and width {size}, in the ground truth {expected}"
        require(size == expected, f"{path}: sequences[{i}]", text)
    unknown = (None, UNKNOWN)
    keys = {(entry.video, entry.picture) for entry in entries}
    positions = {key: gt.pictures.get((names[key[0]], key[1]), unknown)[1] for key in keys}
    return gt.by_frame(_table(entries, positions, gt.merged), warn)


@dataclass(frozen=True)
class _Entry:
    """Mask of an object in a picture, and its place in the file."""

    where: str
    video: int
    picture: str
    frame_index: int
    track: int
    category: int
    score: float
    rle: Mapping[str, Any]


def _name(sequence: Mapping[str, Any]) -> str:
    return f"{sequence['dataset']}/{sequence['seq_name']}"


def _entries(content: Mapping[str, Any], path: str | Path) -> Iterator[_Entry]:
    """Checked masks of all sequences."""
    sequences: Any = content.get("sequences")
    require(isinstance(sequences, list), f"{path}: sequences", "must be a list")
    for video, sequence in enumerate(sequences):
        where = f"{path}: sequences[{video}]"
        require(isinstance(sequence, dict), where, "must be an object")
        for key, kind in (
            ("dataset", str), ("seq_name", str), ("width", int), ("height", int), ("annotated_image_paths", list),
            ("segmentations", list), ("track_category_ids", dict),
        ):  # fmt: skip
            require(isinstance(sequence.get(key), kind), f"{where}.{key}", f"must be of the type {kind.__name__}")
        pictures, frames = sequence["annotated_image_paths"], sequence["segmentations"]
        require(len(pictures) == len(frames), f"{where}.segmentations", f"{len(frames)}, for {len(pictures)} pictures")
        for t, (picture, objects) in enumerate(zip(pictures, frames)):
            number = _NUMBER.search(picture) if isinstance(picture, str) else None
            require(number is not None, f"{where}.annotated_image_paths[{t}]", f"{describe(picture)} has no number")
            require(isinstance(objects, dict), f"{where}.segmentations[{t}]", "must be an object")
            for track, one in objects.items():
                place = f"{where}.segmentations[{t}].{describe(track)}"
                assert number is not None
                yield _entry(place, video, picture, int(number[1]), track, one, sequence)


def _entry(
    where: str, video: int, picture: str, frame_index: int, track: str, one: Any, sequence: Mapping[str, Any]
) -> _Entry:
    require(track.isdecimal() and len(track) <= _MAX_DIGITS, where, "a track's id must be a whole number")
    require(isinstance(one, dict) and isinstance(one.get("rle"), str), f"{where}.rle", "must be a string")
    category = one.get("category_id", sequence["track_category_ids"].get(track))
    require(is_id(category), where, f"track_category_ids has no category of the track, but {describe(category)}")
    score = one.get("score", 1.0)
    require(is_finite(score), f"{where}.score", f"must be a number, not {describe(score)}")
    rle = {"size": [sequence["height"], sequence["width"]], "counts": one["rle"]}
    return _Entry(where, video, picture, frame_index, int(track), int(category), float(score), rle)


def _table(
    entries: Sequence[_Entry], pictures: Mapping[tuple[int, str], int], merged: Mapping[int, int]
) -> ObjectTable:
    places = [entry.where for entry in entries]
    rles, _ = normalize_segmentations([entry.rle for entry in entries], places, [(1, 1)] * len(entries))
    return ObjectTable(
        np.array([pictures[entry.video, entry.picture] for entry in entries], dtype=np.int64),
        np.array([entry.track for entry in entries], dtype=np.int64),
        np.array([merged.get(entry.category, entry.category) for entry in entries], dtype=np.int64),
        np.array([entry.score for entry in entries], dtype=float),
        rles,
        places.__getitem__,
    )
