"""Sub-command of ``ictrack prepare`` for frames: of videos, and back."""

from __future__ import annotations

import argparse
from pathlib import Path

from ictrack.structures.command_line import check_outputs, for_each, frame_rate, non_negative_int, positive_int


def add_frames(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("frames", help="write the frames of videos as pictures, or pictures as a video")
    parser.set_defaults(run=frames)
    parser.add_argument("source", help="video, folder or list of videos; or folder of pictures")
    parser.add_argument("target", type=Path, help="new folder, with one for each video of several; or .mp4")
    parser.add_argument("--start", type=non_negative_int, default=0, help="first frame")
    parser.add_argument("--end", type=non_negative_int, help="frame after the last one")
    parser.add_argument("--stride", type=positive_int, default=1, help="take every n-th frame")
    parser.add_argument("--png", action="store_true", help="exactly the decoded pixels, instead of .jpg")
    parser.add_argument("--fps", type=frame_rate, help="frames per second of a video made of pictures (default: 10)")


def frames(args: argparse.Namespace) -> int:
    from ictrack.data.extract_frames import SUFFIXES, extract_frames, write_frames_video
    from ictrack.data.frame_source import SourceOptions
    from ictrack.data.video_list import VIDEO_SUFFIXES, list_videos

    part = {"start": args.start, "end": args.end, "stride": args.stride}
    if args.target.suffix.lower() in VIDEO_SUFFIXES:
        check_outputs([args.target], [args.source])
        options = SourceOptions(fps=args.fps, **part)
        print(f"{args.target}: {write_frames_video(args.source, args.target, options=options)} frames")
        return 0
    suffix = SUFFIXES[args.png]
    videos = list_videos(args.source)

    def extract(video: str, folder: Path) -> bool:
        print(f"{folder}: {extract_frames(video, folder, suffix=suffix, **part)} frames", flush=True)
        return True

    if videos is None:
        extract(args.source, args.target)
        return 0
    return for_each(videos, lambda video: extract(video, args.target / Path(video).stem), "read")
