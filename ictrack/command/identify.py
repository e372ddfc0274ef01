"""Find out who is who among look-alikes, from the video itself: no weights, no labels.

Tracklets that are certain by continuity teach an embedding who is different; it then joins them across crossings. An
exact test, without any label, says how far to trust it.

example:
  ictrack identify --input fish.avi --save-tracks fish.csv --num-instances 8 \\
      MODEL.FOREGROUND.THRESHOLD 130 MODEL.FOREGROUND.MIN_AREA 150
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ictrack.structures.command_line import check_outputs, non_negative_int, positive_int
from ictrack.structures.track_formats import format_of

from .parser import make_parser, overrides_of


def run(argv: Sequence[str]) -> None:
    parser = make_parser("identify", __doc__)
    parser.add_argument("--input", required=True, help="video file or folder of frames")
    parser.add_argument("--save-tracks", required=True, metavar="FILE", help="the tracks, in the format of the suffix")
    parser.add_argument("--num-instances", type=positive_int, metavar="N", help="number of objects (the usual number)")
    parser.add_argument("--config-file", metavar="YAML", help="detector; default: dark regions on a plain background")
    parser.add_argument("--weights", metavar="FILE", help="checkpoint; instead of MODEL.WEIGHTS")
    parser.add_argument("--detections", metavar="FILE", help="detections of a file, instead of a detector's")
    parser.add_argument("--iterations", type=positive_int, default=300, metavar="N", help="steps of training")
    parser.add_argument("--seed", type=non_negative_int, default=0, help="of the training")
    parser.add_argument("--device", help="cpu, cuda, ... of the detector; instead of MODEL.DEVICE")
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="configuration keys to override")
    args = parser.parse_args(argv)
    if args.detections and args.config_file:
        parser.error("--detections takes the place of --config-file")
    format_of(args.save_tracks)
    check_outputs([args.save_tracks], [args.input, args.detections, args.config_file])

    from ictrack.data.video_io import open_frames
    from ictrack.engine.given_detections import detections_config
    from ictrack.engine.identify import identify
    from ictrack.engine.setup import load_config
    from ictrack.engine.video_tracker import VideoTracker
    from ictrack.model_zoo import config_path

    from .log import show_log

    show_log()
    overrides = [*args.opts, *overrides_of({"MODEL.WEIGHTS": args.weights, "MODEL.DEVICE": args.device})]
    if args.detections:
        cfg = detections_config(args.detections, None, config_file="", overrides=overrides)
        cfg.MODEL.META_ARCHITECTURE = "GivenDetections"  # embeddings are learnt here
    else:
        cfg = load_config(args.config_file or str(config_path("plain_background.yaml")), overrides)
    result = identify(
        VideoTracker.from_config(cfg),
        lambda: open_frames(args.input),
        args.save_tracks,
        num_instances=args.num_instances,
        iterations=args.iterations,
        seed=args.seed,
    )
    print(f"{args.input}: {result} -> {args.save_tracks}")
