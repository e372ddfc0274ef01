"""Tracks of a run, on the disk frame by frame while it lasts, and in their file format at its end."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ictrack.data.video_io import FrameStream
from ictrack.structures.atomic_file import part_of
from ictrack.structures.frame_tracks import FrameTracks, VideoInfo
from ictrack.structures.track_formats import format_of
from ictrack.structures.track_formats.fields import Fields, check_fields, no_detections
from ictrack.structures.track_formats.joint_names import joint_names
from ictrack.structures.track_formats.json_lines import frame_line, header_line, open_lines


class SavedTracks:
    """Recorder of a video's tracks for one file. Also a context manager, which removes what is not finished."""

    def __init__(self, path: str | os.PathLike, info: VideoInfo, name: str | None = None) -> None:
        """
        Args:
            path: File to write, see :func:`ictrack.structures.track_formats.format_of`.
            info: Facts about the video; ``joint_names`` may be missing.
            name: Name of the format; None: by the suffix.

        Raises:
            TrackFormatError: no format has this name or suffix.
        """
        format_of(path, name)
        self.path = Path(path)
        self.info = info
        self.name = name
        self._lines = part_of(self.path).with_suffix(".jsonl")
        self._stack = ExitStack()
        self._stack.callback(self._lines.unlink, missing_ok=True)
        self._file = self._stack.enter_context(self._lines.open("wb"))
        self._file.write(header_line(info))
        self._fields: Fields | None = None
        self._has_detections = False

    def add(self, frame: FrameTracks) -> None:
        """Append a frame. Raises TrackFormatError at the first detections, if the format cannot hold them."""
        if not self._has_detections:
            self._fields = Fields.of(frame)
            if len(frame):
                self._has_detections = True
                track_format = format_of(self.path, self.name, has_masks=self._fields.masks)
                check_fields(self._fields, self.path, track_format.needs)
                if frame.keypoints is not None and not self.info.joint_names:
                    self.info = replace(self.info, joint_names=joint_names(frame.keypoints.shape[1]))
        self._file.write(frame_line(frame))

    def finish(self, frames: FrameStream, length: int) -> None:
        """Write the file.

        Args:
            frames: Stream of the video, which names the frames that could not be read.
            length: Number of frames that were read, including those.
        """
        self._file.close()
        _, recorded = open_lines(self._lines)
        has_masks = self._fields is not None and self._fields.masks
        every = _with_unreadable(recorded, frames, length)
        format_of(self.path, self.name, has_masks=has_masks).write(self.path, self.info, every)

    def __enter__(self) -> SavedTracks:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()


def _with_unreadable(recorded: Iterable[FrameTracks], frames: FrameStream, length: int) -> Iterator[FrameTracks]:
    """Recorded frames, and those that could not be read without detections."""
    iterator = iter(recorded)
    frame = next(iterator, None)
    for index in range(length):
        if frame is not None and frame.index == index:
            yield frame
            frame = next(iterator, None)
        else:
            yield replace(no_detections(index), file_name=frames.frame_name(index), time=frames.frame_time(index))
