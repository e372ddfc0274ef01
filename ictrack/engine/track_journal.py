"""Journal of a run on a video: its tracks, frame by frame on the disk, and now and then the tracker's state.

Beside the wanted ``FILE`` lie ``FILE.partial.jsonl``, JSON Lines to which every frame is appended at once, and
``FILE.partial.npz``, the tracker's state after some of them. After a crash, or SIGKILL, a run goes on from the last
state: the frames after it are taken out of the journal and tracked again, so that every identity is as if nothing had
happened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ictrack.structures.array_archive import read_arrays
from ictrack.structures.atomic_file import naming, remove_stale_parts, replacing
from ictrack.structures.command_line import OutputError
from ictrack.structures.frame_tracks import FrameTracks, VideoInfo
from ictrack.structures.track_formats.json_lines import frame_line, header_line, open_lines

_TRACKER = "tracker."
_FRAME = re.compile(rb'\{"frame":\d+,')


@dataclass(frozen=True)
class RunState:
    """State after some frames of a video, from which tracking goes on.

    Attributes:
        num_frames: Number of frames so far, including those that could not be read.
        num_recorded: Number of those that are in the journal.
        tracker: State of the tracker, see ``ArrayTracker.state_dict``.
    """

    num_frames: int
    num_recorded: int
    tracker: Mapping[str, np.ndarray]


class TrackJournal:
    """Journal beside a file.

    Attributes:
        path: The JSON Lines.
        state: State from which the run goes on; None for a new one.
    """

    def __init__(
        self, file: str | os.PathLike, info: VideoInfo, *, resume: bool = False, fingerprint: str = ""
    ) -> None:
        """Open a new journal, in place of an old one, or with ``resume`` go on with that one, if it has a state.

        Args:
            file: File that is wanted in the end; its folder exists.
            info: Facts about the video.
            resume: Whether to go on.
            fingerprint: What decides the result of the run; a run goes on only where it is the same.

        Raises:
            OutputError: the old journal is of another run, or damaged.
        """
        self.path = Path(f"{os.fspath(file)}.partial.jsonl")
        self._state_path = self.path.with_suffix(".npz")
        self._fingerprint = fingerprint
        self._header = header_line(info)
        if resume:
            remove_stale_parts(self._state_path)
        self.state = self._read_state() if resume else None
        if self.state is None:
            self._state_path.unlink(missing_ok=True)
            self._file: BinaryIO = self.path.open("wb")
            self._file.write(self._header)
            self._file.flush()
        else:
            end = self._end_of(self.state)
            self._file = self.path.open("r+b")
            self._file.truncate(end)
            self._file.seek(end)

    def add(self, frame: FrameTracks) -> None:
        """Append a frame, which outlives the process from then on."""
        with naming(self.path):
            self._file.write(frame_line(frame))
            self._file.flush()

    def save_state(self, state: RunState) -> None:
        """Replace the state; all frames before it must have been added."""
        arrays: dict[str, Any] = {
            "fingerprint": np.array(self._fingerprint),
            "num_frames": np.array(state.num_frames),
            "num_recorded": np.array(state.num_recorded),
            **{f"{_TRACKER}{name}": values for name, values in state.tracker.items()},
        }
        with replacing(self._state_path) as file:
            np.savez(file, **arrays)

    def frames(self) -> Iterator[FrameTracks]:
        """Frames so far, one at a time."""
        _, frames = open_lines(self.path, is_partial=True)
        return frames

    def close(self) -> None:
        self._file.close()

    def remove(self) -> None:
        """Close and delete the files."""
        self.close()
        self.path.unlink(missing_ok=True)
        self._state_path.unlink(missing_ok=True)

    @property
    def can_resume(self) -> bool:
        """Whether a run can go on from what is on the disk."""
        return self._state_path.is_file()

    def _read_state(self) -> RunState | None:
        if not (self._state_path.is_file() and self.path.is_file()):
            return None
        try:
            stored = read_arrays(self._state_path)
            fingerprint = str(stored["fingerprint"])
            numbers = int(stored["num_frames"]), int(stored["num_recorded"])
            tracker = {name[len(_TRACKER) :]: x for name, x in stored.items() if name.startswith(_TRACKER)}
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise OutputError(f"{self._state_path}: damaged, the run cannot go on ({error}); delete it") from None
        if fingerprint != self._fingerprint:
            raise OutputError(
                f"{self._state_path}: is of a run with another input, configuration or checkpoint; give the same, or "
                "start anew without --resume"
            )
        return RunState(*numbers, tracker)

    def _end_of(self, state: RunState) -> int:
        """Position behind the lines of a state's frames. Raises OutputError if they are not there."""
        num_lines = 0
        with self.path.open("rb") as file:
            is_ours = file.readline() == self._header
            end = file.tell()
            for line in islice(file, state.num_recorded):
                if not (_FRAME.match(line) and line.endswith(b"\n")):
                    break
                num_lines += 1
                end += len(line)
        if not is_ours or num_lines != state.num_recorded:
            raise OutputError(f"{self.path}: is not of this video, or lacks frames; start anew without --resume")
        return end
