"""Arguments of ``ictrack track`` that tell what to read, and the videos of a list, one after another."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ictrack.structures.command_line import frame_rate, positive_int, seconds, user_error

PLACEHOLDER = "{name}"
# As in ictrack.data.raw_frames, which is slow to import; a test compares them.
PIXEL_FORMATS = ("bgr24", "rgb24", "bgra", "rgba", "gray", "yuv420p", "nv12")


def frame_size(text: str) -> tuple[int, int]:
    """Argument type of WIDTHxHEIGHT."""
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"must be WIDTHxHEIGHT, such as 1280x720, not {text}")
    return int(match[1]), int(match[2])


def position(text: str) -> Any:
    """Argument type of a frame's number or a time, see :func:`ictrack.data.selected_frames.position`."""
    from ictrack.data.selected_frames import position as parse

    return parse(text)


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input", required=True,
        help="video file, folder of frames, quoted glob, camera index, rtsp:// or http:// stream, - (raw frames on "
        "standard input); or a list of videos: a .txt file of names, a folder or a glob of videos",
    )  # fmt: skip
    parser.add_argument(
        "--start", type=position, default=0, metavar="WHERE", help="frame number (300) or time (1:30, 9s)"
    )
    parser.add_argument("--end", type=position, metavar="WHERE", help="frame or time before which to end")
    parser.add_argument("--stride", type=positive_int, default=1, metavar="N", help="only every N-th frame")
    parser.add_argument("--max-frames", type=positive_int, metavar="N", help="stop after N frames")
    parser.add_argument("--fps", type=frame_rate, help="frames a second: of a folder (10), or instead of a video's")
    parser.add_argument("--size", type=frame_size, metavar="WxH", help="of raw frames on standard input")
    parser.add_argument("--pixel-format", choices=PIXEL_FORMATS, default="bgr24", help="of raw frames (bgr24)")
    parser.add_argument(
        "--reconnect", type=seconds, default=300.0, metavar="SECONDS",
        help="how long to try to open a live stream again that broke off (300)",
    )  # fmt: skip


def named(path: str | None, source: str) -> str | None:
    """Path of an output for a video of a list."""
    name = os.path.splitext(os.path.basename(os.path.normpath(source)))[0]
    return None if path is None else path.replace(PLACEHOLDER, name)


def check_names(outputs: Sequence[str | None], videos: Sequence[str], refuse: Callable[[str], Any]) -> None:
    """Refuse outputs that would be the same for two videos of a list."""
    for output in filter(None, outputs):
        if PLACEHOLDER not in output:
            refuse(f"{len(videos)} videos need {PLACEHOLDER} in {output}: that of the video takes its place")
        paths: dict[str | None, str] = {}
        for video in videos:
            other = paths.setdefault(named(output, video), video)
            if other != video:
                refuse(f"{other} and {video} would both be written to {named(output, video)}")


def track_list(
    videos: Sequence[str],
    track: Callable[[str, Sequence[str | None]], bool],
    outputs: Sequence[str | None],
    is_done: Callable[[Sequence[str | None]], bool],
) -> int:
    """Track the videos of a list.

    Args:
        videos: Sources.
        track: Function of a source and its outputs that returns whether to go on.
        outputs: Paths with ``PLACEHOLDER``.
        is_done: Function of outputs that tells whether their video need not be tracked.

    Returns:
        Exit status: 1 if a video could not be tracked, which does not stop the others.
    """
    num_failed = 0
    for video in videos:
        paths = [named(path, video) for path in outputs]
        if is_done(paths):
            print(f"{video}: is done")
            continue
        try:
            if not track(video, paths):
                break
        except Exception as error:
            message = user_error(error)
            if message is None:
                raise
            print(f"error: {message}", file=sys.stderr)
            num_failed += 1
    if num_failed:
        print(f"{num_failed} of {len(videos)} videos could not be tracked", file=sys.stderr)
    return 1 if num_failed else 0


def is_tracked(path: str | None) -> bool:
    """Whether a run that saves tracks to a file came to its end."""
    return path is not None and os.path.exists(path) and not Path(f"{path}.partial.jsonl").exists()
