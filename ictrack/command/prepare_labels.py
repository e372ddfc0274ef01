"""Sub-commands of ``ictrack prepare`` for labels: convert, subset, split."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path


def add_convert(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("convert", help="convert labels from one file format to another")
    parser.set_defaults(run=convert)
    _add_source(parser)
    parser.add_argument("target", type=Path, help="file or new folder")
    parser.add_argument("--from", dest="source_format", required=True, metavar="FORMAT", help="format of the source")
    parser.add_argument("--to", dest="target_format", required=True, metavar="FORMAT", help="format of the target")
    _add_losses(parser)


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, help="file or folder of labels")
    parser.add_argument(
        "--images", type=Path, help="folder of the pictures, whose sizes are read where the labels do not state them"
    )
    parser.add_argument(
        "--label-is-track", action="store_true", help='labelme: a label such as "mouse 1" is an identity, not group_id'
    )


def _add_losses(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--drop", nargs="+", default=[], metavar="WHAT", help="leave out what the target cannot hold, by its name"
    )


def convert(args: argparse.Namespace) -> None:
    from ictrack.structures.labels import convert_labels

    _show(
        convert_labels(
            args.source,
            args.source_format,
            args.target,
            args.target_format,
            drop=args.drop,
            images=args.images,
            **_options(args),
        )
    )


def _options(args: argparse.Namespace) -> dict[str, bool]:
    return {"tracks_by_label": True} if args.label_is_track else {}


def _show(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)
