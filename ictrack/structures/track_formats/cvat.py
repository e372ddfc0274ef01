"""CVAT's XML for video, version 1.1: writer.

A ``<track>`` has an element for each frame: ``<mask>`` where there are masks, else ``<skeleton>`` where there are
poses, else ``<box>``, with the detection's score as an attribute; the frame after the last of a run has an element that
is ``outside``. A track has one label, that of the class with the largest sum of scores. The boxes of masks and of
skeletons are not held, nor are empty masks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from pycocotools import mask as mask_util

from ..atomic_file import replacing
from ..frame_tracks import FrameTracks, VideoInfo
from ..rle import RLE
from ..tracks import elected_class
from .cvat_reader import read as read
from .fields import Fields, with_fields
from .spool import TrackSpool

_SCORE = "score"


@dataclass
class _Track:
    """What is known of a track while it is written: the last frame and its element, and votes for its class."""

    last_frame: int = -1
    last_element: str = ""
    votes: dict[int, float] = field(default_factory=dict)


def write(path: str | os.PathLike, info: VideoInfo, frames: Iterable[FrameTracks]) -> None:
    """Write a video's tracks; the elements wait on the disk.

    Raises:
        TrackFormatError: as :func:`with_fields`; identities are needed.
    """
    fields, frames = with_fields(frames, path, needs=("ids",))
    tracks: dict[int, _Track] = {}
    num_frames = 0
    with TrackSpool(Path(path).absolute().parent) as spool, replacing(path) as file:
        for frame in frames:
            num_frames = frame.index + 1
            for row, track_id in enumerate([] if frame.ids is None else frame.ids.tolist()):
                track = tracks.setdefault(track_id, _Track())
                category = int(frame.classes[row])
                track.votes[category] = track.votes.get(category, 0.0) + float(frame.scores[row])
                element = _element(frame, row, info)
                if element:
                    _end_run(spool, track_id, track, frame.index)
                    spool.add(track_id, element.format(frame=frame.index, outside=0).encode())
                    track.last_frame, track.last_element = frame.index, element
        for track_id, track in tracks.items():
            _end_run(spool, track_id, track, num_frames)
        num_classes = 1 + max((category for track in tracks.values() for category in track.votes), default=-1)
        file.write(_head(info, num_frames, num_classes, fields).encode())
        for track_id in spool.tracks:
            label = quoteattr(info.category_name(elected_class(tracks[track_id].votes)))
            _write_track(file, track_id, label, spool.items(track_id))
        file.write(b"</annotations>\n")


def _end_run(spool: TrackSpool, track_id: int, track: _Track, next_frame: int) -> None:
    """Say that a track is out of sight from the frame after its last one on, unless the next frame has it again."""
    if 0 <= track.last_frame < next_frame - 1:
        spool.add(track_id, track.last_element.format(frame=track.last_frame + 1, outside=1).encode())


def _write_track(file: BinaryIO, track_id: int, label: str, elements: Iterator[bytes]) -> None:
    file.write(f'  <track id="{track_id}" label={label} source="auto">\n'.encode())
    for element in elements:
        file.write(element)
    file.write(b"  </track>\n")


def _element(frame: FrameTracks, row: int, info: VideoInfo) -> str:
    """Element with places for the numbers of the frame and of ``outside``; "" for an empty mask."""
    score = f'<attribute name="{_SCORE}">{float(frame.scores[row])!r}</attribute>'
    common = 'frame="{frame}" keyframe="1" outside="{outside}" occluded="0"'
    if frame.rles is not None:
        shape = _mask(frame.rles[row])
        return f'    <mask {common} {shape} z_order="0">{score}</mask>\n' if shape else ""
    if frame.keypoints is not None:
        points = "".join(_joint(name, *pose) for name, pose in zip(info.joint_names, frame.keypoints[row].tolist()))
        return f'    <skeleton frame="{{frame}}" keyframe="1" z_order="0">{score}{points}</skeleton>\n'
    left, top, right, bottom = frame.boxes[row].tolist()
    corners = f'xtl="{left!r}" ytl="{top!r}" xbr="{right!r}" ybr="{bottom!r}"'
    return f'    <box {common} {corners} z_order="0">{score}</box>\n'


def _joint(name: str, x: float, y: float, score: float) -> str:
    label = quoteattr(name).replace("{", "{{").replace("}", "}}")
    outside = "{outside}" if score > 0 else "1"
    attribute = f'<attribute name="{_SCORE}">{score!r}</attribute>'
    return f'<points label={label} outside="{outside}" occluded="0" points="{x!r},{y!r}">{attribute}</points>'


def _mask(rle: RLE) -> str:
    """Attributes of a mask: its box, and in it run lengths row by row, of zeros first; "" if it is empty."""
    left, top, width, height = map(int, mask_util.toBbox(rle).tolist())
    if not width:
        return ""
    pixels = mask_util.decode(rle)[top : top + height, left : left + width].ravel()
    edges = np.flatnonzero(np.diff(pixels, prepend=0))
    runs = np.diff(np.concatenate([[0], edges, [len(pixels)]])).tolist()
    text = ", ".join(map(str, runs))
    return f'rle="{text}" left="{left}" top="{top}" width="{width}" height="{height}"'


def _head(info: VideoInfo, num_frames: int, num_classes: int, fields: Fields) -> str:
    kind = "mask" if fields.masks else "skeleton" if fields.poses else "rectangle"
    names = [category["name"] for category in info.categories(num_classes)]
    labels = "".join(_label(name, kind, info.joint_names if kind == "skeleton" else ()) for name in names)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n'
        f"      <name>{escape(info.name)}</name>\n      <size>{num_frames}</size>\n      <mode>interpolation</mode>\n"
        f"      <start_frame>0</start_frame>\n      <stop_frame>{max(num_frames - 1, 0)}</stop_frame>\n"
        f"      <labels>\n{labels}      </labels>\n      <original_size>\n        <width>{info.width}</width>\n"
        f"        <height>{info.height}</height>\n      </original_size>\n    </task>\n  </meta>\n"
    )


def _label(name: str, kind: str, joints: Sequence[str]) -> str:
    attribute = (
        f"<attributes><attribute><name>{_SCORE}</name><mutable>True</mutable><input_type>text</input_type>"
        "<default_value></default_value><values></values></attribute></attributes>"
    )
    own = f"        <label><name>{escape(name)}</name><type>{kind}</type>{attribute}</label>\n"
    parent = f"<parent>{escape(name)}</parent>"
    parts = [
        f"        <label><name>{escape(joint)}</name><type>points</type>{attribute}{parent}</label>\n"
        for joint in joints
    ]
    return own + "".join(parts)
