"""CVAT's XML for video, version 1.1: writer.

Boxes, and poses as skeletons, are a ``<track>`` for each identity with an element for each frame, and one that is
``outside`` after the last of a run; the label is that of the class with the largest sum of scores. Of a track of masks
CVAT would read only the first: each ``<mask>`` is a ``<track>`` of its own, as CVAT writes them, with the identity as
an attribute. Scores are attributes, too. The boxes of masks and of skeletons are not held, nor are empty masks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
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

# Key of the spool for masks, whose elements need no order by identity; no identity is negative.
_MASKS = -1


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
    write_parts(path, info, [frames])


def write_parts(path: str | os.PathLike, info: VideoInfo, parts: Iterable[Iterable[FrameTracks]]) -> None:
    """Write a video's tracks of several kinds, such as boxes and masks, each with all its frames; see :func:`write`."""
    with TrackSpool(Path(path).absolute().parent) as spool, replacing(path) as file:
        num_frames = num_classes = 0
        kinds: list[Fields] = []
        labels: dict[int, str] = {}
        for part in parts:
            fields, frames = with_fields(part, path, needs=("ids",))
            kinds.append(fields)
            put = _spool_masks if fields.masks else _spool_tracks
            last_frame, last_class, of_tracks = put(spool, frames, info)
            num_frames, num_classes = max(num_frames, last_frame), max(num_classes, last_class)
            labels.update(of_tracks)
        file.write(_head(info, num_frames, num_classes, kinds).encode())
        for key in spool.tracks:
            if key in labels:
                file.write(f'  <track id="{key}" label={quoteattr(labels[key])} source="auto">\n'.encode())
            for item in spool.items(key):
                file.write(item)
            if key in labels:
                file.write(b"  </track>\n")
        file.write(b"</annotations>\n")


def _spool_masks(spool: TrackSpool, frames: Iterable[FrameTracks], info: VideoInfo) -> tuple[int, int, dict[int, str]]:
    """Put each mask's ``<track>`` into the spool; returns the numbers of frames and of classes, and no labels."""
    num_frames = num_classes = num_masks = 0
    for frame in frames:
        num_frames = frame.index + 1
        num_classes = max(num_classes, 1 + int(frame.classes.max(initial=-1)))
        if not len(frame):
            continue
        assert frame.ids is not None and frame.rles is not None
        rows = zip(frame.ids.tolist(), frame.scores.tolist(), frame.classes.tolist(), frame.rles)
        for track_id, score, category, rle in rows:
            shape = _mask(rle)
            if shape:
                label = quoteattr(info.category_name(category))
                attributes = _attribute("score", score) + _attribute("track_id", track_id)
                places = f'frame="{frame.index}" keyframe="1" outside="0" occluded="0"'
                element = f'    <mask {places} {shape} z_order="0">{attributes}</mask>\n'
                head = f'  <track id="{num_masks}" label={label} source="auto">\n'
                spool.add(_MASKS, f"{head}{element}  </track>\n".encode())
                num_masks += 1
    return num_frames, num_classes, {}


def _spool_tracks(spool: TrackSpool, frames: Iterable[FrameTracks], info: VideoInfo) -> tuple[int, int, dict[int, str]]:
    """Put the elements of each track into the spool; returns numbers of frames and classes, and labels by identity."""
    tracks: dict[int, _Track] = {}
    num_frames = 0
    for frame in frames:
        num_frames = frame.index + 1
        for row, track_id in enumerate([] if frame.ids is None else frame.ids.tolist()):
            track = tracks.setdefault(track_id, _Track())
            category = int(frame.classes[row])
            track.votes[category] = track.votes.get(category, 0.0) + float(frame.scores[row])
            _end_run(spool, track_id, track, frame.index)
            track.last_frame, track.last_element = frame.index, _element(frame, row, info)
            spool.add(track_id, track.last_element.format(frame=frame.index, outside=0).encode())
    for track_id, track in tracks.items():
        _end_run(spool, track_id, track, num_frames)
    num_classes = 1 + max((category for track in tracks.values() for category in track.votes), default=-1)
    labels = {track_id: info.category_name(elected_class(track.votes)) for track_id, track in tracks.items()}
    return num_frames, num_classes, labels


def _end_run(spool: TrackSpool, track_id: int, track: _Track, next_frame: int) -> None:
    """Say that a track is out of sight from the frame after its last one on, unless the next frame has it again."""
    if 0 <= track.last_frame < next_frame - 1:
        spool.add(track_id, track.last_element.format(frame=track.last_frame + 1, outside=1).encode())


def _element(frame: FrameTracks, row: int, info: VideoInfo) -> str:
    """Element with places for the numbers of the frame and of ``outside``."""
    score = _attribute("score", float(frame.scores[row]))
    common = 'frame="{frame}" keyframe="1" outside="{outside}" occluded="0"'
    if frame.keypoints is not None:
        points = "".join(_joint(name, *pose) for name, pose in zip(info.joint_names, frame.keypoints[row].tolist()))
        return f'    <skeleton {common} z_order="0">{score}{points}</skeleton>\n'
    left, top, right, bottom = frame.boxes[row].tolist()
    corners = f'xtl="{left!r}" ytl="{top!r}" xbr="{right!r}" ybr="{bottom!r}"'
    return f'    <box {common} {corners} z_order="0">{score}</box>\n'


def _joint(name: str, x: float, y: float, score: float) -> str:
    label = quoteattr(name).replace("{", "{{").replace("}", "}}")
    outside = "{outside}" if score > 0 else "1"
    places = f'keyframe="1" outside="{outside}" occluded="0" points="{x!r},{y!r}"'
    return f"<points label={label} {places}>{_attribute('score', score)}</points>"


def _attribute(name: str, value: float) -> str:
    return f'<attribute name="{name}">{value!r}</attribute>'


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


def _head(info: VideoInfo, num_frames: int, num_classes: int, kinds: Sequence[Fields]) -> str:
    shapes = {"mask" if fields.masks else "skeleton" if fields.poses else "rectangle" for fields in kinds}
    kind = "skeleton" if "skeleton" in shapes else "any" if len(shapes) > 1 else shapes.pop()
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
    attributes = "".join(
        f"<attribute><name>{attribute}</name><mutable>True</mutable><input_type>text</input_type>"
        "<default_value></default_value><values></values></attribute>"
        for attribute in (("score",) if kind in ("skeleton", "rectangle") else ("score", "track_id"))
    )
    own = f"<type>{kind}</type><attributes>{attributes}</attributes>"
    part = f"<type>points</type><attributes>{attributes}</attributes><parent>{escape(name)}</parent>"
    labels = [(name, own), *((joint, part) for joint in joints)]
    return "".join(f"        <label><name>{escape(label)}</name>{facts}</label>\n" for label, facts in labels)
