"""Arguments of ``ictrack track`` that tell what to read, and the videos of a list, one after another."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ictrack.structures.command_line import for_each, frame_rate, positive_int, seconds

if TYPE_CHECKING:
    from ictrack.data.frame_source import SourceOptions

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
    parser.add_argument("--pixel-format", choices=PIXEL_FORMATS, help="of raw frames (bgr24)")
    parser.add_argument(
        "--reconnect", type=seconds, metavar="SECONDS",
        help="how long to try to open a live stream again that broke off (300)",
    )  # fmt: skip


def source_options(
    args: argparse.Namespace, videos: Sequence[str] | None, refuse: Callable[[str], Any]
) -> SourceOptions:
    """Options of the sources. Those that the sources do not have are refused.

    Args:
        args: Arguments of :func:`add_source_arguments`.
        videos: Videos of a list; None: there is one source.
        refuse: Function of a message that ends the command.
    """
    from ictrack.data.frame_source import STANDARD_INPUT, SourceOptions
    from ictrack.data.video_file_stream import is_url

    if args.input != STANDARD_INPUT and (args.size or args.pixel_format):
        refuse(f"--size and --pixel-format are those of raw frames on standard input, and not of {args.input}")
    if args.reconnect is not None and not any(map(is_url, videos or [args.input])):
        refuse(f"--reconnect is for streams, rtsp:// or http://, and not for {args.input}")
    given = {"pixel_format": args.pixel_format, "reconnect_seconds": args.reconnect}
    others = {name: value for name, value in given.items() if value is not None}
    return SourceOptions(args.fps, args.size, start=args.start, end=args.end, stride=args.stride, **others)


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

    def track_one(video: str) -> bool:
        paths = [named(path, video) for path in outputs]
        if is_done(paths):
            print(f"{video}: is done")
            return True
        return track(video, paths)

    return for_each(videos, track_one, "tracked")


def is_tracked(path: str | None) -> bool:
    """Whether a run that saves tracks to a file came to its end."""
    return path is not None and os.path.exists(path) and not Path(f"{path}.partial.jsonl").exists()
