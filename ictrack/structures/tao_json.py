"""Reader of TAO: boxes of the classes that were annotated in a video, see github.com/TAO-Dataset.

A ground truth has ``videos`` {id, name, neg_category_ids, not_exhaustive_category_ids}, ``images`` {id, video_id,
frame_index}, ``categories`` {id, name, and merged: [{id}, ...]} and ``annotations`` {image_id, track_id, category_id,
bbox [x, y, w, h]}; results are a list of {image_id, track_id, category_id, score, bbox}. Both may have the ``video_id``
of the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from .json_files import AnnotationError, index_by_id, is_finite, is_whole, require

_MAX_ID = 2**62  # a float below it that is whole becomes the same int64


def tao_ground_truth(content: Mapping[str, Any], path: str | Path) -> FederatedGroundTruth:
    """Data set of a file's content. Raises AnnotationError, with file and JSON path, if it is wrong."""
    where = f"{path}: "
    videos = index_by_id(content.get("videos"), f"{where}videos")
    images = index_by_id(content.get("images"), f"{where}images")
    categories = index_by_id(content.get("categories"), f"{where}categories")
    annotations: Any = content.get("annotations")
    require(isinstance(annotations, list), f"{where}annotations", "must be a list")
    for i, image in enumerate(images.values()):
        place = f"{where}images[{i}]"
        video = image.get("video_id")
        require(is_whole(video) and video in videos, f"{place}.video_id", f"{describe(video)} is none")
        number = image.get("frame_index")
        require(is_whole(number), f"{place}.frame_index", f"must be an integer, not {describe(number)}")
    merged = merged_categories(categories, f"{where}categories")
    # Pictures without an object do not count, and neither do results in them.
    of_entries = (entry.get("image_id") for entry in annotations if isinstance(entry, dict))
    with_objects = {image for image in of_entries if is_whole(image) and image in images}
    position = {video: i for i, video in enumerate(videos)}
    ordered = sorted(with_objects, key=lambda i: (position[images[i]["video_id"]], images[i]["frame_index"]))
    counted = {image: i for i, image in enumerate(ordered)}
    pictures = {key: (image["video_id"], counted.get(key, UNCOUNTED)) for key, image in images.items()}
    table = tao_table(annotations, f"{where}annotations", pictures, merged)
    for row, category in enumerate(table.classes.tolist()):
        require(category in categories, f"{table.where(row)}.category_id", f"there is no category {category}")
        image = annotations[row]["image_id"]
        require(image in images, f"{table.where(row)}.image_id", f"there is no picture {describe(image)}")
    for row in of_other_videos(annotations, pictures):
        video = describe(annotations[row]["video_id"])
        require(False, f"{table.where(row)}.video_id", f"{video} is not the video of its picture")
    frames: list[list[FrameObjects]] = [[] for _ in videos]
    for image, found in zip(ordered, table.by_picture(len(ordered))):
        frames[position[images[image]["video_id"]]].append(found)
    num_frames = np.bincount([position[image["video_id"]] for image in images.values()], minlength=len(videos))
    return FederatedGroundTruth(
        [
            FederatedVideo(
                str(facts.get("name", number)),
                int(num_frames[i]),
                category_ids(facts, "neg", f"{where}videos[{i}]"),
                category_ids(facts, "not_exhaustive", f"{where}videos[{i}]"),
            )
            for i, (number, facts) in enumerate(videos.items())
        ],
        frames,
        seen_categories(table.classes, categories),
        frozenset(categories),
        merged,
        pictures,
        has_masks=False,
    )


def tao_results(content: Any, path: str | Path, gt: FederatedGroundTruth, warn: Warn) -> list[list[FrameObjects]]:
    """Objects of each video and each of its frames in ``gt``, of the content of a results file.

    Raises AnnotationError, with file and JSON path, if it is wrong.
    """
    require(isinstance(content, list), str(path), "results must be a list of {image_id, track_id, ...}")
    table = tao_table(content, f"{path}: ", gt.pictures, gt.merged, with_scores=True)
    for row in of_other_videos(content, gt.pictures):
        warn("video_id is not the video of its picture, which counts", table.where(row))
    return gt.by_frame(table, warn)


def of_other_videos(entries: Sequence[Mapping[str, Any]], pictures: Mapping[int, tuple[int, int]]) -> Iterator[int]:
    """Rows of the checked entries whose ``video_id``, if there is one, is not that of their picture."""
    for row, entry in enumerate(entries):
        picture = pictures.get(entry["image_id"])
        if picture is not None and entry.get("video_id", picture[0]) != picture[0]:
            yield row


def tao_table(
    entries: Sequence[Any],
    path: str,
    pictures: Mapping[int, tuple[int, int]],
    merged: Mapping[int, int],
    with_scores: bool = False,
) -> ObjectTable:
    """Checked entries {image_id, track_id, category_id, bbox} as a table."""

    def where(row: int) -> str:
        return f"{path}[{row}]"

    for i, entry in enumerate(entries):
        require(isinstance(entry, dict), where(i), "must be an object")
        for key in ("image_id", "track_id", "category_id"):
            require(is_id(entry.get(key)), f"{where(i)}.{key}", f"must be an integer, not {describe(entry.get(key))}")
        box = entry.get("bbox")
        usable = isinstance(box, list) and len(box) == 4 and all(map(is_finite, box))
        require(usable, f"{where(i)}.bbox", f"must be [x, y, w, h], not {describe(box)}")
        if with_scores:
            require(
                is_finite(entry.get("score")),
                f"{where(i)}.score",
                f"must be a number, not {describe(entry.get('score'))}",
            )
    classes = [merged.get(entry["category_id"], entry["category_id"]) for entry in entries]
    unknown = (None, UNKNOWN)
    return ObjectTable(
        np.array([pictures.get(entry["image_id"], unknown)[1] for entry in entries], dtype=np.int64),
        np.array([entry["track_id"] for entry in entries], dtype=np.int64),
        np.array(classes, dtype=np.int64),
        np.array([entry["score"] if with_scores else 1.0 for entry in entries], dtype=float),
        np.array([entry["bbox"] for entry in entries], dtype=float).reshape(-1, 4),
        where,
    )


def is_id(value: Any) -> bool:
    """Whether a JSON value is a whole number that an array can hold."""
    return is_whole(value) and -_MAX_ID <= value <= _MAX_ID


def merged_categories(categories: Mapping[int, Mapping[str, Any]], path: str) -> dict[int, int]:
    """Category id that stands for another one, by that one's."""
    merged = {}
    for number, category in categories.items():
        require(is_id(number), f"{path}: category {describe(number)}", "its id is out of range")
        parts = category.get("merged", [])
        usable = isinstance(parts, list) and all(isinstance(part, dict) and is_id(part.get("id")) for part in parts)
        require(usable, f"{path}: category {number}: merged", "must be a list of categories")
        merged.update({part["id"]: number for part in parts})
    return merged


def category_ids(video: Mapping[str, Any], key: str, path: str) -> frozenset[int]:
    """Category ids under ``<key>_category_ids`` of a video."""
    key = f"{key}_category_ids"
    ids: Any = video.get(key)
    if not (isinstance(ids, list) and all(map(is_id, ids))):
        raise AnnotationError(f"{path}.{key}: must be a list of category ids, not {describe(ids)}")
    return frozenset(map(int, ids))


def seen_categories(classes: np.ndarray, categories: Mapping[int, Mapping[str, Any]]) -> dict[int, str]:
    """Names, in the categories' order, of those that have objects; ``class <id>`` without a name."""
    seen = set(classes.tolist())
    names = {number: str(one.get("name", f"class {number}")) for number, one in categories.items() if number in seen}
    return names | {number: f"class {number}" for number in sorted(seen - names.keys())}
