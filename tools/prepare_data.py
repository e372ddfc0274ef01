"""Prepare data.

python tools/prepare_data.py sample OUTPUT [--seed N] [--workers N]
    composes the quick-start's pictures and clips from the assets that ship with ICTrack

python tools/prepare_data.py sample-pose OUTPUT [--seed N] [--workers N]
    the same for poses: people who walk, wave and sit, with their joints

python tools/prepare_data.py sample-assets EMOJI_FOLDER MEDIA_FOLDER ... [--output FOLDER]
    rebuilds those assets (for maintainers): EMOJI_FOLDER holds index.json, still/ and animated/; the photos and
    clips that sample_assets/CREDITS.md lists are looked for, under their original names, below the MEDIA_FOLDERs

python tools/prepare_data.py pose-template ANNOTATIONS OUTPUT
    computes the mean pose of PointSetAnchor's anchors from COCO keypoint annotations, for
    MODEL.POINT_SET_ANCHOR.TEMPLATE

python tools/prepare_data.py local-split TRAIN_JSON OUTPUT [--share S]
    holds out labelled videos of YouTube-VIS's training set, for tuning; give OUTPUT as DATASETS.UNLABELLED_EXCLUDE, too
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ictrack.data.datasets.local_split import write_local_split
from ictrack.data.datasets.pose_template import write_pose_template
from ictrack.data.datasets.sample import generate_sample
from ictrack.data.datasets.sample.assets import ASSET_ROOT
from ictrack.data.datasets.sample.build_assets import build_assets
from ictrack.data.datasets.sample_pose import generate_sample_pose
from ictrack.structures.command_line import non_negative_int, positive_int
from ictrack.structures.json_files import AnnotationError


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (("sample", "the sample data"), ("sample-pose", "the sample data of poses")):
        sample = commands.add_parser(name, help=f"compose {what}")
        sample.add_argument("output", type=Path, help="folder to write to; an earlier sample there is replaced")
        sample.add_argument("--seed", type=non_negative_int, default=0)
        sample.add_argument("--workers", type=positive_int, default=None, help="processes (default: one a core)")
    assets = commands.add_parser("sample-assets", help="rebuild the assets that ship")
    assets.add_argument("emoji", type=Path)
    assets.add_argument("media", type=Path, nargs="+")
    assets.add_argument("--output", type=Path, default=ASSET_ROOT)
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
    if arguments.command == "sample":
        print(f"sample data: {generate_sample(arguments.output, arguments.seed, workers=arguments.workers)}")
    elif arguments.command == "sample-pose":
        root = generate_sample_pose(arguments.output, arguments.seed, workers=arguments.workers)
        print(f"sample data of poses: {root}")
    elif arguments.command == "local-split":
        try:
            videos, tracks = write_local_split(arguments.annotations, arguments.output, arguments.share)
        except (AnnotationError, OSError) as error:
            raise SystemExit(f"prepare_data: {error}") from None
        print(f"{arguments.output}: {videos} videos with {tracks} tracks")
    elif arguments.command == "pose-template":
        count = write_pose_template(
            arguments.annotations, arguments.output, arguments.min_joints, arguments.clusters, arguments.seed
        )
        print(f"{arguments.output}: the mean of {count} poses")
    else:
        manifest = build_assets(arguments.emoji, arguments.media, arguments.output)
        print(f"{len(manifest['characters'])} characters and {len(manifest['backgrounds'])} backgrounds")


if __name__ == "__main__":
    sys.exit(main())
