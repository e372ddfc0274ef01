"""List what a benchmark's server would refuse in a submission, a line a problem. Needs neither PyTorch nor Detectron2.

example:
  ictrack validate --format ytvis --gt valid.json --results results.zip
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .parser import make_parser


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gt", required=True, help="ground truth: .json, .json.gz; PoseTrack: a folder of them")
    parser.add_argument("--results", required=True, help="the same form, or a .zip")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("ytvis", "posetrack"), required=True)
    add_file_arguments(parser)


def run(argv: Sequence[str]) -> int:
    parser = make_parser("validate", __doc__)
    add_arguments(parser)
    return validate_submission(parser.parse_args(argv))


def validate_submission(args: argparse.Namespace) -> int:
    """Print the problems of ``args.results``. Returns 1 if one of them is an error."""
    from ictrack.evaluation.submission import validate_posetrack, validate_youtube_vis

    validate = {"ytvis": validate_youtube_vis, "posetrack": validate_posetrack}[args.format]
    num_errors = num_warnings = 0
    for problem in validate(args.gt, args.results):
        print(problem)
        num_errors += problem.severity == "error"
        num_warnings += problem.severity != "error"
    print(f"{args.results}: {num_errors} errors, {num_warnings} warnings", file=sys.stderr)
    return 1 if num_errors else 0
