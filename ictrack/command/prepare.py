"""Prepare data: convert, select and split labels; frames of videos; hold out videos for tuning; a pose template.

formats of labels: coco, youtube-vis, mot, mots, mots-png, davis, labelme, cvat, posetrack, posetrack17, mpii, sleap,
deeplabcut, tracks

examples:
  ictrack prepare convert --from youtube-vis --to davis train.json Annotations --drop classes overlaps
      converts labels. What the target cannot hold is an error, and nothing is written, unless --drop names it
  ictrack prepare subset --from coco labels.json dogs.json --categories dog --frames 0:100
  ictrack prepare split --from coco labels.json train.json val.json --share 0.2
      by whole videos; --group REGEX keeps together what was cut from one recording
  ictrack prepare frames walk.mp4 frames/walk
      writes pictures; prepare frames frames/walk walk.mp4 --fps 25 makes a video of them
  ictrack prepare local-split TRAIN_JSON OUTPUT [--share S]
      holds out labeled videos of YouTube-VIS's training set, for tuning; give OUTPUT as DATASETS.UNLABELED_EXCLUDE,
      too. As datasets/ytvis_2019/local.json they are the data set ytvis_2019_local (likewise ytvis_2021 and ovis)
  ictrack prepare pose-template ANNOTATIONS OUTPUT
      computes the mean pose of PointSetAnchor's anchors from COCO keypoint annotations, for
      MODEL.POINT_SET_ANCHOR.TEMPLATE
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ictrack.structures.command_line import check_outputs, non_negative_int, positive_int, share

from .parser import make_parser
from .prepare_frames import add_frames
from .prepare_labels import add_convert, add_split, add_subset


def run(argv: Sequence[str]) -> int | None:
    parser = make_parser("prepare", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for add in (add_convert, add_subset, add_split, add_frames):
        add(commands)
    split = commands.add_parser("local-split", help="hold out labeled videos of YouTube-VIS's training set")
    split.set_defaults(run=hold_out_videos)
    split.add_argument("annotations", type=Path, help="ytvis_2019/train.json")
    split.add_argument("output", type=Path, help="JSON file to write")
    split.add_argument("--share", type=share, default=0.1, help="of the videos (default: 0.1)")
    template = commands.add_parser("pose-template", help="compute the mean pose of PointSetAnchor's anchors")
    template.set_defaults(run=compute_pose_template)
    template.add_argument("annotations", type=Path, help="COCO keypoint annotations (.json, .json.gz)")
    template.add_argument("output", type=Path, help="JSON file to write")
    template.add_argument("--min-joints", type=positive_int, default=17, help="labeled joints that a pose must have")
    template.add_argument("--clusters", type=positive_int, default=1, help="of k-means; the largest is written")
    template.add_argument("--seed", type=non_negative_int, default=0)
    args = parser.parse_args(argv)
    if "output" in args:
        check_outputs([args.output], [args.annotations])
    return args.run(args)


def hold_out_videos(args: argparse.Namespace) -> None:
    from ictrack.data.datasets.local_split import write_local_split

    videos, tracks = write_local_split(args.annotations, args.output, args.share)
    print(f"{args.output}: {videos} videos with {tracks} tracks")


def compute_pose_template(args: argparse.Namespace) -> None:
    from ictrack.modeling.point_set_anchor.pose_template import write_pose_template

    count = write_pose_template(args.annotations, args.output, args.min_joints, args.clusters, args.seed)
    print(f"{args.output}: the mean of {count} poses")
