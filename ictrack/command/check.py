"""Look for mistakes in annotations, or in a configuration, its data sets and its weights, without training.

ictrack check DATA [IMAGES] finds every defect of a file of COCO (also with track ids), YouTube-VIS or PoseTrack18, or
of a folder of PoseTrack18's files: ids, references, boxes, masks, poses, tracks, the order of frames; with the folder
of the images also missing files and other sizes. Without DATA it takes the arguments of ``ictrack train``, prints a
line for each part, and checks the annotations of its data sets, too. The exit status is 1 if there are errors.

examples:
  ictrack check datasets/ytvis_2019/train.json datasets/ytvis_2019/train/JPEGImages
  ictrack check --config-file my.yaml --num-gpus 2 MODEL.WEIGHTS image_stage/model_final.pth
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from .parser import make_parser

_SUFFIXES = (".json", ".gz", ".zip")


def run(argv: Sequence[str]) -> int:
    first = Path(argv[0] if argv else "")
    # A configuration's arguments begin with a flag, or with a key, which has other suffixes.
    is_data = bool(argv) and not argv[0].startswith("-") and (first.exists() or first.suffix in _SUFFIXES)
    return check_data(argv) if is_data else check_configuration(argv)


def check_data(argv: Sequence[str]) -> int:
    from ictrack.data.lint import lint_annotations

    parser = make_parser("check", __doc__)
    parser.add_argument("data", type=Path, help="annotation file, or folder of files")
    parser.add_argument("images", type=Path, nargs="?", help="folder to which the names of images are relative")
    args = parser.parse_args(argv)
    if args.images is not None and not args.images.is_dir():
        parser.error(f"{args.images}: no such folder")
    result = lint_annotations(args.data, args.images)
    for line in (*result.contents, *result.defects.lines()):
        print(line)
    return 1 if result.defects.num_errors else 0


def check_configuration(argv: Sequence[str]) -> int:
    from ictrack.engine.check_run import check_run
    from ictrack.engine.launch import parse_training_arguments

    num_mistakes = 0
    for finding in check_run(parse_training_arguments(argv, prog="ictrack check", description=__doc__)):
        if finding.is_mistake:
            print(f"error: {finding.text}", file=sys.stderr)
        else:
            print(finding.text, flush=True)
        num_mistakes += finding.is_mistake
    return 1 if num_mistakes else 0
