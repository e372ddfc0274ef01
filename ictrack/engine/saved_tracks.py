"""Tracks of a run, on the disk frame by frame while it lasts, and in their file format at its end."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ictrack.data.frame_stream import FrameStream
from ictrack.structures.atomic_file import naming
from ictrack.structures.frame_tracks import FrameTracks, VideoInfo
from ictrack.structures.track_formats import format_of
from ictrack.structures.track_formats.fields import Fields, check_fields, no_detections
from ictrack.structures.track_formats.joint_names import joint_names

from .track_journal import RunState, TrackJournal

logger = logging.getLogger(__name__)


class SavedTracks:
    """Recorder of a video's tracks for one file.

    Also a context manager. It removes the journal, unless the run broke off or :meth:`finish` keeps it, and another run
    can go on from it.

    Attributes:
        state: State of the run that this one goes on with; None for a new one.
        ids, num_detections: Identities, and number of detections, of that run.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        info: VideoInfo,
        name: str | None = None,
        *,
        resume: bool = False,
        fingerprint: str = "",
    ) -> None:
        """
        Args:
            path: File to write, see :func:`ictrack.structures.track_formats.format_of`.
            info: Facts about the video; ``joint_names`` may be missing.
            name: Name of the format; None: by the suffix.
            resume, fingerprint: See :class:`TrackJournal`.

        Raises:
            TrackFormatError: no format has this name or suffix.
            OutputError: the run cannot go on.
        """
        format_of(path, name)
        self.path = Path(path)
        self.info = info
        self.name = name
        self.ids: set[int] = set()
        self.num_detections = 0
        self._num_recorded = 0
        self._fields: Fields | None = None
        self._has_detections = False
        self._is_finished = False
        self._journal = TrackJournal(self.path, info, resume=resume, fingerprint=fingerprint)
        self.state = self._journal.state
        if self.state is not None:
            for frame in self._journal.frames():
                self._note(frame)
                self.num_detections += len(frame)
                self.ids.update(() if frame.ids is None else frame.ids.tolist())

    def add(self, frame: FrameTracks) -> None:
        """Append a frame. Raises TrackFormatError at the first detections, if the format cannot hold them."""
        self._note(frame)
        self._journal.add(frame)

    def save_state(self, num_frames: int, tracker: dict) -> None:
        """Keep the tracker's state after ``num_frames`` frames, all of which were added that could be read."""
        self._journal.save_state(RunState(num_frames, self._num_recorded, tracker))

    def frames(self) -> Iterator[FrameTracks]:
        """Frames so far, one at a time."""
        return self._journal.frames()

    def finish(self, frames: FrameStream, length: int, *, keep: bool = False) -> None:
        """Write the file.

        Args:
            frames: Stream of the video, which names the frames that could not be read.
            length: Number of frames that were read, including those.
            keep: Whether a later run may go on from here.
        """
        self._journal.close()
        has_masks = self._fields is not None and self._fields.masks
        every = _with_unreadable(self._journal.frames(), frames, length)
        with naming(self.path):
            format_of(self.path, self.name, has_masks=has_masks).write(self.path, self.info, every)
        self._is_finished = not keep

    def _note(self, frame: FrameTracks) -> None:
        if not self._has_detections:
            self._fields = Fields.of(frame)
            if len(frame):
                self._has_detections = True
                track_format = format_of(self.path, self.name, has_masks=self._fields.masks)
                check_fields(self._fields, self.path, track_format.needs)
                if frame.keypoints is not None and not self.info.joint_names:
                    self.info = replace(self.info, joint_names=joint_names(frame.keypoints.shape[1]))
        self._num_recorded += 1

    def __enter__(self) -> SavedTracks:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._is_finished or not self._journal.can_resume:
            self._journal.remove()
        else:
            self._journal.close()
            logger.warning("%s: the tracks so far; --resume goes on from there", self._journal.path)


def _with_unreadable(recorded: Iterable[FrameTracks], frames: FrameStream, length: int) -> Iterator[FrameTracks]:
    """Recorded frames, and those that could not be read without detections."""
    iterator, whole = iter(recorded), frames.whole
    frame = next(iterator, None)
    for number in map(frames.whole_index, range(length)):
        if frame is not None and frame.index == number:
            yield frame
            frame = next(iterator, None)
        else:
            yield replace(no_detections(number), file_name=whole.frame_name(number), time=whole.frame_time(number))
