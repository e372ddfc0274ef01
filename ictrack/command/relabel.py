"""Correct identities in a file of tracks, and note beside it what each correction says.

Frames and identities count from 0, as ictrack track draws them, also where the file's own count from 1. The file is
written anew, and holds what its format holds. FILE.edits.jsonl has a line for each edit, with the pairs of detections
that are the same object, or different ones, by it.

examples:
  ictrack relabel tracks.json --swap 3 5 --from 812
  ictrack relabel tracks.csv --join 3 7 --output joined.csv
  ictrack relabel tracks.txt --split 3 --from 812
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ictrack.structures.command_line import OutputError, check_outputs, non_negative_int
from ictrack.structures.detections.read import guess_format
from ictrack.structures.edit_log import log_of, read_edits, write_edits
from ictrack.structures.frame_tracks import FrameTracks, VideoTracks
from ictrack.structures.json_files import require
from ictrack.structures.track_edits import Edit, TrackEditError, join, split, swap
from ictrack.structures.track_formats import FORMATS, TrackFormat

from .parser import make_parser


def run(argv: Sequence[str]) -> None:
    parser = make_parser("relabel", __doc__)
    parser.add_argument("tracks", metavar="FILE", help="file of tracks")
    edits = parser.add_mutually_exclusive_group(required=True)
    edits.add_argument("--swap", nargs=2, type=non_negative_int, metavar="ID", help="exchange two identities")
    edits.add_argument("--join", nargs=2, type=non_negative_int, metavar="ID", help="make one of two, the first named")
    edits.add_argument("--split", type=non_negative_int, metavar="ID", help="give one a new number")
    parser.add_argument("--from", dest="start", type=non_negative_int, metavar="FRAME", help="first frame that changes")
    parser.add_argument("--output", metavar="FILE", help="write here, in the same format, and not in place")
    parser.add_argument("--video", metavar="NAME", help="the video, where the file has several")
    parser.add_argument("--format", choices=FORMATS, metavar="NAME", help="format, where the content does not tell it")
    args = parser.parse_args(argv)
    if (args.start is None) != bool(args.join):
        parser.error("--join takes no --from" if args.join else "--swap and --split need --from")
    output = Path(args.output or args.tracks)
    track_format = _format(args.tracks, args.format)
    _check_output(output, track_format, args)
    video = _video(args, track_format.read(args.tracks))
    require(any(frame.ids is not None for frame in video.frames), args.tracks, "has no identities")
    try:
        frames, edit = _edited(args, video.frames)
    except TrackEditError as error:
        raise TrackEditError(f"{args.tracks}: {error}") from None
    earlier = read_edits(log_of(args.tracks))
    track_format.write(output, video.info, frames)
    write_edits(log_of(output), [*earlier, edit])
    print(f"{output}: {_summary(edit)} -> {log_of(output).name}")


def _format(path: str, name: str | None) -> TrackFormat:
    name = name or guess_format(path)
    require(name in FORMATS, path, f"{name} files hold no identities")
    return FORMATS[name]


def _check_output(output: Path, track_format: TrackFormat, args: argparse.Namespace) -> None:
    if output.suffix.lower() not in track_format.suffixes:
        suffixes = " or ".join(filter(None, track_format.suffixes)) or "no suffix"
        raise OutputError(f"{output}: is written as {track_format.name}, with {suffixes}; name such a file by --output")
    files = [log_of(output), output] if output.suffix else [log_of(output)]
    check_outputs(files, [args.tracks] if args.output else [])


def _video(args: argparse.Namespace, videos: Sequence[VideoTracks]) -> VideoTracks:
    names = ", ".join(video.info.name for video in videos)
    if args.video is not None:
        found = [video for video in videos if video.info.name == args.video]
        require(bool(found), args.tracks, f"has no video {args.video!r}, but {names}")
    else:
        found = list(videos)
        require(bool(found), args.tracks, "has no video")
        require(len(found) == 1, args.tracks, f"has the videos {names}; name one by --video")
    in_place = len(videos) > 1 and not args.output
    require(not in_place, args.tracks, "has several videos, a written file has one; name another file by --output")
    return found[0]


def _edited(args: argparse.Namespace, frames: Sequence[FrameTracks]) -> tuple[list[FrameTracks], Edit]:
    if args.split is not None:
        return split(frames, args.split, args.start)
    first, second = args.swap or args.join
    return swap(frames, first, second, args.start) if args.swap else join(frames, first, second)


def _summary(edit: Edit) -> str:
    first, second = edit.ids
    return {
        "swap": f"{first} and {second} exchanged from frame {edit.start} on",
        "join": f"{second} is {first}",
        "split": f"{first} is {second} from frame {edit.start} on",
    }[edit.name]
