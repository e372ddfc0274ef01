"""``ictrack COMMAND ...``: finds the sub-command, imports it, and turns a user's mistake into one line."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from ictrack import __version__
from ictrack.structures.command_line import run_command

from .quiet import hide_warnings_of_others
from .waiting import wait_passively

# Sub-command, which is the module of this package that has its function `run`, and what it does.
COMMANDS = {
    "track": "track objects through a video, and draw or save the tracks",
    "identify": "find out who is who among look-alikes, from the video itself",
    "relabel": "correct identities in a file of tracks: swap, join, split",
    "train": "train a model, or evaluate it on data sets (--eval-only)",
    "adapt": "fit a model's video embedding head to your own unlabeled videos",
    "calibrate": "choose the tracker's thresholds from unlabeled videos",
    "tune": "choose the tracker's thresholds on labeled videos",
    "evaluate": "score a submission: YouTube-VIS, OVIS, PoseTrack, MOT, MOTS, TAO",
    "validate": "list what a benchmark's server would refuse in a submission",
    "check": "look for mistakes in annotations, or in a configuration",
    "convert": "convert published weights, and check that they fit the model",
    "export": "write a model to one file, which is tracked with without PyTorch",
    "prepare": "convert and split labels; frames of videos; a pose template",
    "benchmark": "measure speed and memory on this machine (in a checkout)",
    "doctor": "find out whether this machine is ready, and what to do if not",
}


def make_parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="ictrack",
        usage="ictrack COMMAND ...",
        description="Track instances with embeddings that need no video annotations.",
        epilog=f"commands:\n{listed}\n\nictrack COMMAND --help explains a command and has an example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ictrack {__version__}")
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS, help=argparse.SUPPRESS)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a sub-command.

    Args:
        argv: Its name and arguments; ``sys.argv[1:]`` by default.

    Returns:
        Exit status: 0, or 1 with one line on standard error where a file or a setting is wrong.

    Raises:
        SystemExit: ``--help`` (status 0), or wrong usage (status 2).
    """
    hide_warnings_of_others()
    wait_passively()
    arguments = sys.argv[1:] if argv is None else list(argv)
    name = make_parser().parse_args(arguments[:1]).command
    # A sub-command is imported when it is asked for: --help is fast, and the doctor comes where packages are missing.
    return run_command(lambda: importlib.import_module(f"{__package__}.{name}").run(arguments[1:]))
