"""Prepare data.

python tools/prepare_data.py pose-template ANNOTATIONS OUTPUT
    computes the mean pose of PointSetAnchor's anchors from COCO keypoint annotations, for
    MODEL.POINT_SET_ANCHOR.TEMPLATE

python tools/prepare_data.py local-split TRAIN_JSON OUTPUT [--share S]
    holds out labelled videos of YouTube-VIS's training set, for tuning; give OUTPUT as DATASETS.UNLABELLED_EXCLUDE,
    too. As datasets/ytvis_2019/local.json they are the data set ytvis_2019_local (likewise ytvis_2021 and ovis)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ictrack.data.datasets.local_split import write_local_split
from ictrack.modeling.point_set_anchor.pose_template import write_pose_template
from ictrack.structures.command_line import non_negative_int, positive_int
from ictrack.structures.json_files import AnnotationError


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    split = commands.add_parser("local-split", help="hold out labelled videos of YouTube-VIS's training set")
    split.add_argument("annotations", type=Path, help="ytvis_2019/train.json")
    split.add_argument("output", type=Path, help="JSON file to write")
    split.add_argument("--share", type=float, default=0.1, help="of the videos (default: 0.1)")
    template = commands.add_parser("pose-template", help="compute the mean pose of PointSetAnchor's anchors")
    template.add_argument("annotations", type=Path, help="COCO keypoint annotations (.json, .json.gz)")
    template.add_argument("output", type=Path, help="JSON file to write")
    template.add_argument("--min-joints", type=positive_int, default=17, help="labelled joints that a pose must have")
    template.add_argument("--clusters", type=positive_int, default=1, help="of k-means; the largest is written")
    template.add_argument("--seed", type=non_negative_int, default=0)
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    try:
        run(arguments)
    except (OSError, ValueError) as error:
        print(f"prepare_data: {error}", file=sys.stderr)
        return 1
    return 0


def run(arguments: argparse.Namespace) -> None:
    if arguments.command == "local-split":
        try:
            videos, tracks = write_local_split(arguments.annotations, arguments.output, arguments.share)
        except (AnnotationError, OSError) as error:
            raise SystemExit(f"prepare_data: {error}") from None
        print(f"{arguments.output}: {videos} videos with {tracks} tracks")
    else:
        count = write_pose_template(
            arguments.annotations, arguments.output, arguments.min_joints, arguments.clusters, arguments.seed
        )
        print(f"{arguments.output}: the mean of {count} poses")


if __name__ == "__main__":
    sys.exit(main())
