"""Sub-commands of ``ictrack prepare`` for labels: convert, subset, split."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ictrack.structures.command_line import share

if TYPE_CHECKING:
    from ictrack.structures.labels import LabelSet


def add_convert(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("convert", help="convert labels from one file format to another")
    parser.set_defaults(run=convert)
    _add_source(parser)
    parser.add_argument("target", type=Path, help="file or new folder")
    parser.add_argument("--from", dest="source_format", required=True, metavar="FORMAT", help="format of the source")
    parser.add_argument("--to", dest="target_format", required=True, metavar="FORMAT", help="format of the target")
    _add_losses(parser)


def add_subset(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("subset", help="take some videos, frames or classes of labels")
    parser.set_defaults(run=subset)
    _add_source(parser)
    parser.add_argument("target", type=Path, help="file or new folder")
    _add_formats(parser)
    parser.add_argument("--videos", nargs="+", metavar="NAME", help="names of videos")
    parser.add_argument("--frames", type=frame_range, metavar="FIRST:END", help="indices of frames, before END")
    parser.add_argument("--categories", nargs="+", metavar="NAME", help="names of classes")
    _add_losses(parser)


def add_split(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("split", help="split labels into training and validation by whole videos")
    parser.set_defaults(run=split)
    _add_source(parser)
    parser.add_argument("train", type=Path, help="file or new folder for training")
    parser.add_argument("val", type=Path, help="file or new folder for validation")
    _add_formats(parser)
    parser.add_argument("--share", type=share, default=0.2, help="of the sources for validation (default: 0.2)")
    parser.add_argument(
        "--group",
        metavar="REGEX",
        help="finds in <video>/<picture> the name of what stays together; default: the video",
    )
    _add_losses(parser)


def _add_formats(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="source_format", required=True, metavar="FORMAT", help="format of the source")
    parser.add_argument("--to", dest="target_format", metavar="FORMAT", help="format to write (default: the same)")


def frame_range(text: str) -> tuple[int, int | None]:
    """Argument type of ranges such as ``0:100``, ``50:`` and ``:50``."""
    start, colon, end = text.partition(":")
    try:
        numbers = (int(start or 0), int(end) if end else None)
    except ValueError:
        numbers = (-1, None)
    if not colon or numbers[0] < 0 or (numbers[1] is not None and numbers[1] <= numbers[0]):
        raise argparse.ArgumentTypeError(f"must be START:END with whole numbers from 0, not {text}")
    return numbers


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, help="file or folder of labels")
    parser.add_argument(
        "--images",
        type=Path,
        metavar="PATH",
        help="folder of the pictures, or the video, whose sizes are read where the labels do not state them",
    )
    parser.add_argument(
        "--label-is-track", action="store_true", help='labelme: a label such as "mouse 1" is an identity, not group_id'
    )


def _add_losses(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--drop", nargs="+", default=[], metavar="WHAT", help="leave out what the target cannot hold, by its name"
    )


def convert(args: argparse.Namespace) -> None:
    from ictrack.data.video_io import video_size
    from ictrack.structures.labels import convert_labels

    _show(
        convert_labels(
            args.source,
            args.source_format,
            args.target,
            args.target_format,
            drop=args.drop,
            images=args.images,
            video_size=video_size,
            **_options(args),
        )
    )


def _read(args: argparse.Namespace) -> LabelSet:
    from ictrack.data.video_io import video_size
    from ictrack.structures.labels import add_sizes, describe_labels, label_format

    labels = label_format(args.source_format).read(args.source, **_options(args))
    print(f"{args.source}: {describe_labels(labels)}")
    if args.images is not None:
        add_sizes(labels, args.images, video_size)
    return labels


def subset(args: argparse.Namespace) -> None:
    from ictrack.structures.labels import take_subset, write_labels

    labels = _read(args)
    take_subset(labels, videos=args.videos, frames=args.frames, categories=args.categories)
    _show(write_labels(labels, args.target, args.target_format or args.source_format, args.drop))


def split(args: argparse.Namespace) -> None:
    from ictrack.structures.labels import split_labels, write_labels

    parts = split_labels(_read(args), args.share, args.group)
    for labels, target in zip(parts, (args.train, args.val)):
        _show(write_labels(labels, target, args.target_format or args.source_format, args.drop))


def _options(args: argparse.Namespace) -> dict[str, bool]:
    return {"tracks_by_label": True} if args.label_is_track else {}


def _show(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)
