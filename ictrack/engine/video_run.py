"""Tracking through a whole video: decoding, detection, drawing and encoding overlap, and the tracks survive a crash."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

from ictrack.data.frame_stream import FrameStream
from ictrack.data.video_io import open_frames
from ictrack.structures.atomic_file import remove_stale_parts
from ictrack.structures.command_line import OutputError, check_outputs
from ictrack.structures.frame_arrays import FrameArrays
from ictrack.structures.frame_tracks import FrameTracks
from ictrack.structures.stage_clock import StageClock
from ictrack.visualization.crop_gallery import CropGallery
from ictrack.visualization.live_window import LiveWindow

from .drawn_video import DrawnVideo, Picture
from .frame_tracker import FrameTracker
from .frame_tracks import to_frame_tracks
from .pipeline import Prefetcher, Sink
from .saved_tracks import SavedTracks

logger = logging.getLogger(__name__)

# Seconds between two states of the tracker on the disk, which is what a crash costs at most.
STATE_SECONDS = 5.0


@dataclass(frozen=True)
class TrackingSummary:
    """Counts of a run of :func:`track_video`.

    Attributes:
        frames: Number of frames, of which ``bad_frames`` could not be read and ``resumed`` were tracked before.
        tracks, detections: Numbers of identities and of their detections.
        seconds: Duration, with reading, drawing and writing.
        stages: Seconds of each stage; as they overlap, their sum may exceed the duration.
        stopped: Whether Ctrl-C ended the run.
    """

    frames: int
    bad_frames: int
    tracks: int
    detections: int
    seconds: float
    resumed: int = 0
    stages: StageClock = field(default_factory=StageClock)
    stopped: bool = False

    def __str__(self) -> str:
        bad = f" ({self.bad_frames} unreadable)" if self.bad_frames else ""
        before = f" ({self.resumed} before)" if self.resumed else ""
        fps = (self.frames - self.resumed) / max(self.seconds, 1e-9)
        return (
            f"{self.frames} frames{bad}{before}, {self.tracks} tracks, {self.detections} detections, {fps:.1f} frames/s"
        )


def track_video(
    tracker: FrameTracker,
    source: str | os.PathLike | int | FrameStream,
    output: str | os.PathLike | None = None,
    *,
    save_tracks: str | os.PathLike | None = None,
    track_format: str | None = None,
    crop_gallery: str | os.PathLike | None = None,
    show: bool = False,
    max_frames: int | None = None,
    fps: float | None = None,
    progress: bool = False,
    resume: bool = False,
    fingerprint: str = "",
) -> TrackingSummary:
    """Track through a video, draw it as an mp4, and save the tracks. Ctrl-C stops early and keeps both files.

    While it runs, the tracks are in ``<save_tracks>.partial.jsonl``, see :class:`.track_journal.TrackJournal`.

    Args:
        tracker: Tracker; its state is reset.
        source: Source of :func:`ictrack.data.video_io.open_frames`, or an open stream.
        output: Path of the mp4; small frames are enlarged so that labels are legible.
        save_tracks: Path of the tracks, in the format of its suffix.
        track_format: Name of a format of :mod:`ictrack.structures.track_formats`, instead of the suffix's.
        crop_gallery: Folder of a picture for each identity, see :class:`CropGallery`.
        show: Whether to show the drawn frames in a window; q or Esc stops early, as Ctrl-C does.
        max_frames: Number of frames after which to stop.
        fps: Frame rate of the mp4, instead of the source's (not for an open stream).
        progress: Whether to show a progress bar.
        resume: Whether to go on with the run that broke off, if there is one. The frames before are read again, and
            drawn again where there is an ``output``, but not tracked.
        fingerprint: Text that stands for the source and the model; a run goes on only where it is the same.

    Raises:
        VideoReadError: If the source cannot be read.
        OutputError: If a file cannot be written or is one of the source's, no window can be opened, or the run cannot
            go on; raised before the first frame.
        TrackFormatError: If no format has this name or suffix, raised before the first frame; or if the format cannot
            hold the detections, raised at the first of them.
    """
    frames = source if isinstance(source, FrameStream) else open_frames(source, fps)
    with frames, ExitStack() as stack:
        check_outputs([output, save_tracks], frames.files)
        start, clock = time.perf_counter(), StageClock()
        size = (frames.height, frames.width)
        tracker.start(size)
        if resume:
            _check_resumable(tracker, frames, save_tracks)
            for path in (output, save_tracks):
                if path is not None:
                    remove_stale_parts(path)
        saved = None
        if save_tracks is not None:
            info = tracker.video_info(frames)
            saved = SavedTracks(save_tracks, info, track_format, resume=resume, fingerprint=fingerprint)
            stack.enter_context(saved)
        run = _Run(tracker, frames, saved, clock)
        pictures: list[Sink[Picture]] = []
        if crop_gallery is not None:
            gallery = stack.enter_context(CropGallery(crop_gallery, tracker.class_names))
            pictures.append(stack.enter_context(Sink(partial(_add_crops, gallery, clock), "crops")))
        window = stack.enter_context(LiveWindow(frames.name)) if show else None
        if output is not None or window is not None:
            pictures.append(stack.enter_context(DrawnVideo(output, frames, tracker, clock, window)).drawing)
        total = min(filter(None, (frames.length, max_frames)), default=None)
        length, stopped, is_complete = run.num_before, False, frames.whole is frames and not run.num_before
        try:
            with (
                run,
                tracker.warning_of_left_out(frames.name),
                Prefetcher(frames, clock, "decode", frames.stop) as numbered,
            ):
                for index, frame in tqdm(numbered, frames.name, total, unit=" frames", disable=not progress):
                    if max_frames is not None and index >= max_frames:
                        is_complete = False
                        break
                    tracks = run.tracked_before(index) if index < run.num_before else run.track(frame, index)
                    for sink in pictures if tracks is not None else ():
                        sink.put((frame, tracks, frames.frame_time(index)))
                    length = max(length, index + 1)
                    if window is not None and not window.refresh():
                        raise KeyboardInterrupt
                tracker.end_video(is_complete=is_complete)
        except KeyboardInterrupt:
            stopped = True
            logger.warning(f"{frames.name}: stopped after {length} frames")
        if saved is not None:
            saved.finish(frames, length, keep=stopped)
    seconds = time.perf_counter() - start
    return TrackingSummary(
        length, frames.num_bad_frames, len(run.ids), run.num_detections, seconds, run.num_before, clock, stopped
    )


def _add_crops(gallery: CropGallery, clock: StageClock, picture: Picture) -> None:
    frame, tracks, _ = picture
    with clock("crops"):
        gallery.add(frame, tracks)


def _check_resumable(tracker: FrameTracker, frames: FrameStream, save_tracks: str | os.PathLike | None) -> None:
    if save_tracks is None:
        raise OutputError("a run goes on from its saved tracks: give --save-tracks")
    if frames.is_live:
        raise OutputError(f"{frames.name}: a live source cannot be read again, so that no run can go on")
    if not hasattr(tracker.tracker, "state_dict"):
        raise OutputError("only an EmbeddingTracker and a SpatialTracker have a state from which a run can go on")


class _Run:
    """Frames that are tracked one after another, and recorded in a thread. Also a context manager.

    Attributes:
        num_before: Number of frames that were tracked by the run that this one goes on with.
        ids, num_detections: Identities, and number of their detections, so far.
    """

    def __init__(
        self, tracker: FrameTracker, frames: FrameStream, saved: SavedTracks | None, clock: StageClock
    ) -> None:
        """
        Args:
            tracker: Tracker, whose video has begun; it gets the state of the run that this one goes on with.
            frames: Stream of the video.
            saved: Recorder; None: the tracks are not saved.
            clock: Clock of the stages "detect", "track" and "save".
        """
        self.ids: set[int] = set()
        self.num_detections = self.num_before = 0
        self._tracker = tracker
        self._frames = frames
        self._saved = saved
        self._clock = clock
        self._before: Iterator[FrameTracks] = iter(())
        self._waiting: FrameTracks | None = None
        if saved is not None and saved.state is not None:
            tracker.start((frames.height, frames.width), saved.state.tracker)
            self.ids, self.num_detections, self.num_before = (
                set(saved.ids),
                saved.num_detections,
                saved.state.num_frames,
            )
            self._before = saved.frames()
        has_state = saved is not None and not frames.is_live and hasattr(tracker.tracker, "state_dict")
        self._next_state = time.monotonic() + STATE_SECONDS if has_state else float("inf")
        self._sink = Sink(self._record, "save")

    def track(self, frame: np.ndarray, index: int) -> FrameArrays:
        """Tracked detections of a frame, which are recorded."""
        tracks = FrameArrays.of(self._tracker.track(frame, index, self._clock, self._frames.frame_record(index)))
        assert tracks.ids is not None
        self.ids.update(tracks.ids.tolist())
        self.num_detections += len(tracks)
        if self._saved is not None:
            state: dict[str, Any] | None = None
            if time.monotonic() >= self._next_state:
                state = self._tracker.tracker.state_dict()  # type: ignore[union-attr]
                self._next_state = time.monotonic() + STATE_SECONDS
            self._sink.put((tracks, index, state))
            if len(tracks) == self.num_detections:  # a format that cannot hold them says so at once
                self._sink.flush()
        return tracks

    def tracked_before(self, index: int) -> FrameTracks | None:
        """Tracks of a frame of the run that this one goes on with, in ascending order."""
        number = self._frames.whole_index(index)
        while self._waiting is None or self._waiting.index < number:
            self._waiting = next(self._before, None)
            if self._waiting is None:
                return None
        return self._waiting if self._waiting.index == number else None

    def _record(self, item: tuple[FrameArrays, int, dict[str, Any] | None]) -> None:
        tracks, index, state = item
        assert self._saved is not None
        number, whole = self._frames.whole_index(index), self._frames.whole
        name, seconds = whole.frame_name(number), whole.frame_time(number)
        with self._clock("save"):
            self._saved.add(to_frame_tracks(tracks, number, file_name=name, time=seconds))
            if state is not None:
                self._saved.save_state(index + 1, state)

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *exception: object) -> None:
        self._sink.close()
