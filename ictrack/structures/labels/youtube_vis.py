"""YouTube-VIS JSON of any number of videos.

The frames of a video are those that the labels list, whatever their numbers. An identity is an annotation's
``track_id``; its ``id`` counts the tracks of the file. Of labels, the boxes are those of the masks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pycocotools import mask as mask_util

from ..rle import RLE
from ..track_formats.rows import LabeledVideo, Row
from ..track_formats.youtube_vis import numbers, read_labels
from ..youtube_vis_writer import write_youtube_vis
from .frames import listed_frames, picture_path
from .label_set import LabelSet


def read(path: Path) -> list[LabeledVideo]:
    """Videos of a file of annotations or results."""
    return read_labels(path)


def write(path: Path, labels: LabelSet) -> None:
    videos = []
    for number, video in enumerate(labels.videos, 1):
        frames = listed_frames(video)
        entry = {
            "id": number,
            "width": video.info.width,
            "height": video.info.height,
            "length": len(frames),
            "file_names": [picture_path(video, index) for index in frames],
            **numbers(frames),
        }
        if video.info.fps:
            entry["fps"] = video.info.fps
        times = [video.facts(index).time for index in frames]
        videos.append(entry if None in times else {**entry, "times": times})
    categories = [{"id": number, "name": name} for number, name in labels.categories.items()]
    write_youtube_vis(path, {"videos": videos, "categories": categories, "annotations": _annotations(labels)})


def _annotations(labels: LabelSet) -> Iterator[dict[str, Any]]:
    number = 0
    for video_id, video in enumerate(labels.videos, 1):
        frames = listed_frames(video)
        positions = {index: position for position, index in enumerate(frames)}
        tracks: dict[tuple[bool, int], dict[int, Row]] = {}
        for index in frames:
            for row in video.rows.get(index, ()):
                _place(tracks, row, positions[index])
        for (is_crowd, track_id), rows in tracks.items():
            number += 1
            first = next(iter(rows.values()))
            masks: list[RLE | None] = [rows[i].rle if i in rows else None for i in range(len(frames))]
            annotation = {
                "id": number,
                "track_id": track_id,
                "video_id": video_id,
                "category_id": first.category,
                "iscrowd": int(is_crowd),
                "height": video.info.height,
                "width": video.info.width,
                "length": len(frames),
                "segmentations": masks,
                "bboxes": [mask and mask_util.toBbox(mask).tolist() for mask in masks],
                "areas": [mask and int(mask_util.area(mask)) for mask in masks],
            }
            yield annotation if first.score == 1 else {**annotation, "score": first.score}


def _place(tracks: dict[tuple[bool, int], dict[int, Row]], row: Row, position: int) -> None:
    """Put a row into its track; crowds without identity are put together to as few tracks as possible."""
    track_id = row.track_id
    if track_id is None:
        track_id = 0
        while position in tracks.get((True, track_id), ()):
            track_id += 1
    tracks.setdefault((row.is_crowd, track_id), {})[position] = row
