"""Score or check a submission. Needs NumPy, SciPy and pycocotools, neither PyTorch nor Detectron2.

examples:
  ictrack evaluate ytvis     --gt GT.json --results RESULTS.json|.zip [--bootstrap 1000] [--json OUT]
  ictrack evaluate posetrack --gt FOLDER  --results FOLDER|.zip       [--bootstrap 1000] [--json OUT]
  ictrack evaluate mot       --gt FOLDER  --results FOLDER|.zip       [--benchmark MOT17] [--json OUT]
  ictrack evaluate mots      --gt FOLDER  --results FOLDER|.zip       [--benchmark KITTI-MOTS] [--json OUT]
  ictrack evaluate tao       --gt GT.json --results RESULTS.json|.zip [--bootstrap 1000] [--json OUT]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ictrack.evaluation.reports.tables import write_json
from ictrack.structures.command_line import check_outputs, non_negative_int, positive_int

from . import validate
from .parser import make_parser

# As in the modules of the metrics, which are loaded when they are needed; a test compares them.
MOT_BENCHMARKS = ("MOT15", "MOT16", "MOT17", "MOT20", "DanceTrack", "SportsMOT", "AnimalTrack", "generic")
MOTS_BENCHMARKS = ("MOTSChallenge", "KITTI-MOTS", "generic")
PROTOCOLS = {"official": ("official",), "strict": ("strict",), "both": ("official", "strict")}

_MOT_FILES = """\
Ground truth: <sequence>/gt/gt.txt, with the length in <sequence>/seqinfo.ini where there is one; or <sequence>.txt.
Results: <sequence>.txt, also in a folder data. Rows: frame, id, x, y, w, h, score (0 in a ground truth: does not
count), class; frames count from 1. Scores are those of TrackEval."""

_MOTS_FILES = """\
Text: <sequence>.txt or <sequence>/gt/gt.txt, rows of frame, id, class, height, width, RLE. Pictures, of the ground
truth or of results: a folder of <sequence>/<frame>.png, 16-bit, class * 1000 + number. Class 10 is a region in which
nothing was annotated. Scores are those of TrackEval; MOTSA, sMOTSA and MODSA are its MOTA, sMOTA and MODA of masks."""


def run(argv: Sequence[str]) -> int:
    parser = make_parser("evaluate", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    ytvis = commands.add_parser(
        "ytvis",
        help="YouTube-VIS 2019, 2021, 2022, OVIS and their like",
        epilog="example: ictrack evaluate ytvis --gt valid.json --results results.zip --json scores.json",
    )
    posetrack = commands.add_parser(
        "posetrack",
        help="PoseTrack17 (converted), 18 and 21",
        epilog="example: ictrack evaluate posetrack --gt annotations/val --results predictions --bootstrap 1000",
    )
    validation = commands.add_parser("validate", help="as ictrack validate: what a server would refuse")
    ytvis.set_defaults(run=evaluate_youtube_vis)
    ytvis.add_argument("--by-category", action="store_true", help="a table with a row a category, too")
    posetrack.set_defaults(run=evaluate_posetrack)
    posetrack.add_argument("--by-category", "--by-joint", action="store_true", help="a row a joint, too")
    posetrack.add_argument(
        "--similarity", choices=("oks", "pckh"), default="oks", help="of two poses, for HOTA, CLEAR and Identity"
    )
    mot = commands.add_parser(
        "mot",
        help="boxes in text files: MOT15 to MOT20, DanceTrack, SportsMOT and their like",
        description=_MOT_FILES,
        epilog="example: ictrack evaluate mot --gt MOT17/train --results output/data --benchmark MOT17",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    mot.set_defaults(run=evaluate_mot)
    mot.add_argument(
        "--benchmark", choices=MOT_BENCHMARKS, default="MOT17",
        help="whose rules decide which boxes count; generic: all that are not marked with 0, of any class (MOT17)",
    )  # fmt: skip
    tao = commands.add_parser(
        "tao",
        help="boxes of TAO, masks of BURST: TETA, HOTA",
        description="TETA, HOTA, CLEAR and Identity. The ground truth's form tells TAO's boxes from BURST's masks.",
        epilog="example: ictrack evaluate tao --gt validation.json --results results.json --by-category",
    )
    tao.set_defaults(run=evaluate_tao)
    tao.add_argument("--by-category", action="store_true", help="a table with a row a category, too")
    tao.add_argument("--gt", required=True, help="ground truth: .json or .json.gz")
    tao.add_argument("--results", required=True, help="the same form, or a .zip")
    for command in (ytvis, posetrack):
        command.add_argument("--protocol", choices=PROTOCOLS, default="both", help="of the benchmark's own metrics")
        validate.add_file_arguments(command)
    mots = commands.add_parser(
        "mots",
        help="masks in text files or pictures: MOTSChallenge, KITTI MOTS",
        description=_MOTS_FILES,
        epilog="example: ictrack evaluate mots --gt instances_txt --results output/data --benchmark KITTI-MOTS",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    mots.set_defaults(run=evaluate_mots)
    mots.add_argument(
        "--benchmark", choices=MOTS_BENCHMARKS, default="MOTSChallenge",
        help="MOTSChallenge: pedestrians, frames from 1; KITTI-MOTS: cars and pedestrians, frames from 0; generic: "
        "every class of the ground truth",
    )  # fmt: skip
    for command in (mot, mots):
        command.add_argument("--gt", required=True, help="ground truth, a folder or a .zip")
        command.add_argument("--results", required=True, help="a folder or .zip of <sequence>.txt")
        command.add_argument(
            "--sequences", nargs="+", default=[], metavar="NAME", help="only these; patterns such as '*-FRCNN', too"
        )
    for command in (ytvis, posetrack, mot, mots, tao):
        command.set_defaults(usage_error=command.error)
        command.add_argument("--metrics", metavar="A,B,...", help="default: all that there are")
        command.add_argument("--bootstrap", type=positive_int, default=0, metavar="N", help="95%% intervals")
        command.add_argument("--seed", type=non_negative_int, default=0, help="of those samples")
        command.add_argument("--workers", type=positive_int, default=1, metavar="N", help="processes")
        command.add_argument("--json", metavar="OUT", help="every number at full precision to this file")
    validation.set_defaults(run=validate.validate_submission)
    validate.add_arguments(validation)
    args = parser.parse_args(argv)
    return args.run(args)


def options(args: argparse.Namespace, known_metrics: Sequence[str]) -> dict:
    metrics = args.metrics.split(",") if args.metrics else known_metrics
    for metric in metrics:
        if metric not in known_metrics:
            args.usage_error(f"--metrics: {metric!r} is none of {', '.join(known_metrics)}")
    return {
        "metrics": metrics,
        "bootstrap": args.bootstrap,
        "seed": args.seed,
        "workers": args.workers,
    }


def show(args: argparse.Namespace, report: dict, tables: str) -> int:
    for warning in report["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    if args.json:
        write_json(report, args.json)
    print(tables)
    return 0


def evaluate_youtube_vis(args: argparse.Namespace) -> int:
    from ictrack.evaluation.reports.youtube_vis import METRICS, youtube_vis_report, youtube_vis_tables

    check_outputs([args.json], [args.gt, args.results])
    report = youtube_vis_report(args.gt, args.results, protocols=PROTOCOLS[args.protocol], **options(args, METRICS))
    return show(args, report, youtube_vis_tables(report, by_category=args.by_category))


def evaluate_posetrack(args: argparse.Namespace) -> int:
    from ictrack.evaluation.reports.posetrack import METRICS, posetrack_report, posetrack_tables

    check_outputs([args.json], [args.gt, args.results])
    report = posetrack_report(
        args.gt,
        args.results,
        similarity=args.similarity,
        protocols=PROTOCOLS[args.protocol],
        **options(args, METRICS),
    )
    return show(args, report, posetrack_tables(report, by_joint=args.by_category))


def evaluate_mot(args: argparse.Namespace) -> int:
    from ictrack.evaluation.reports.mot import METRICS, mot_report, mot_table

    check_outputs([args.json], [args.gt, args.results])
    report = mot_report(
        args.gt, args.results, benchmark=args.benchmark, sequences=args.sequences, **options(args, METRICS)
    )
    return show(args, report, mot_table(report))


def evaluate_mots(args: argparse.Namespace) -> int:
    from ictrack.evaluation.reports.mots import METRICS, mots_report, mots_tables

    check_outputs([args.json], [args.gt, args.results])
    report = mots_report(
        args.gt, args.results, benchmark=args.benchmark, sequences=args.sequences, **options(args, METRICS)
    )
    return show(args, report, mots_tables(report))


def evaluate_tao(args: argparse.Namespace) -> int:
    from ictrack.evaluation.reports.tao import METRICS, tao_report, tao_tables

    check_outputs([args.json], [args.gt, args.results])
    report = tao_report(args.gt, args.results, **options(args, METRICS))
    return show(args, report, tao_tables(report, by_category=args.by_category))
