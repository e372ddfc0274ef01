"""Find out who is who among look-alikes, from the video itself: no weights, no labels.

Tracklets that are certain by continuity teach an embedding who is different; it then joins them across crossings and
absences. An exact test, without any label, says how far to trust it. The folder gets the tracks, centroids.csv,
trajectories.npy, a report, and config.yaml, by which ictrack track recognizes the same objects as they come.

examples:
  ictrack identify --input fish.avi --threshold 130 --preview preview.png
  ictrack identify --input fish.avi --threshold 130 --num-instances 8 --output fish
  ictrack identify --input next_day.avi --threshold 130 --num-instances 8 --identities fish --output next_day
  ictrack identify --input street.mp4 --detections boxes.json --output street
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ictrack.structures.command_line import OutputError, check_outputs, non_negative_int, positive_int
from ictrack.structures.edit_log import read_edits
from ictrack.structures.json_files import require
from ictrack.structures.track_formats import FORMATS

from .parser import make_parser, overrides_of

if TYPE_CHECKING:  # Detectron2 takes seconds to import
    from detectron2.config import CfgNode


_WHITE = 255


def run(argv: Sequence[str]) -> None:
    args = _parse(argv)
    from ictrack.data.frame_source import check_source
    from ictrack.data.video_io import open_frames
    from ictrack.engine.identify import identify
    from ictrack.engine.identity_files import GALLERY_FILE, write_identification
    from ictrack.engine.idle_memory import keep_little_memory
    from ictrack.engine.video_tracker import VideoTracker
    from ictrack.identities import Gallery

    from .log import show_log

    check_source(args.input)
    show_log()
    keep_little_memory()
    cfg = _config(args)
    if args.preview:
        from ictrack.engine.preview import write_preview

        print(f"{args.preview}: {write_preview(VideoTracker.from_config(cfg), args.input, args.preview)}")
        return
    known = Gallery.load(Path(args.identities) / GALLERY_FILE) if args.identities else None
    result = identify(
        VideoTracker.from_config(cfg),
        lambda: open_frames(args.input),
        num_instances=args.num_instances,
        known=known,
        edits=read_edits(args.corrections) if args.corrections else (),
        iterations=args.iterations,
        seed=args.seed,
    )
    path = write_identification(result, Path(args.output), cfg, args.format)
    print(f"{args.input}: {result} -> {path}")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = make_parser("identify", __doc__)
    parser.add_argument("--input", required=True, help="video file or folder of frames")
    outputs = parser.add_mutually_exclusive_group(required=True)
    outputs.add_argument("--output", metavar="DIR", help="folder for the tracks, the report and the identities")
    outputs.add_argument("--preview", metavar="PNG", help="only draw what is found in a few frames, to set a threshold")
    detectors = parser.add_mutually_exclusive_group()
    detectors.add_argument(
        "--threshold", type=_gray, metavar="GRAY", help="objects are darker than this gray value (128)"
    )
    detectors.add_argument("--config-file", metavar="YAML", help="detector")
    detectors.add_argument("--detections", metavar="FILE", help="detections of a file")
    parser.add_argument("--weights", metavar="FILE", help="checkpoint; instead of MODEL.WEIGHTS")
    parser.add_argument("--num-instances", type=positive_int, metavar="N", help="number of objects, if it is known")
    parser.add_argument("--identities", metavar="DIR", help="folder of an earlier video, whose numbers are kept")
    parser.add_argument("--corrections", metavar="FILE", help="log of ictrack relabel on the tracks of this video")
    parser.add_argument("--format", choices=FORMATS, metavar="NAME", help="format of the tracks (JSON)")
    parser.add_argument("--iterations", type=positive_int, default=1000, metavar="N", help="steps of training (1000)")
    parser.add_argument("--seed", type=non_negative_int, default=0, help="of the training")
    parser.add_argument("--device", help="cpu, cuda, ... of the detector; instead of MODEL.DEVICE")
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="configuration keys to override")
    args = parser.parse_args(argv)
    inputs = [args.input, args.detections, args.config_file]
    if args.preview:
        check_outputs([args.preview], inputs)
    elif Path(args.output).exists() and not Path(args.output).is_dir():
        raise OutputError(f"{args.output}: is a file, and must be a folder")
    if args.corrections:
        require(Path(args.corrections).is_file(), args.corrections, "does not exist")
    return args


def _gray(text: str) -> int:
    """Argument type of gray values than which something can be darker."""
    value = positive_int(text)
    if value > _WHITE:
        raise argparse.ArgumentTypeError(f"must be from 1 to {_WHITE}, not {text}")
    return value


def _config(args: argparse.Namespace) -> CfgNode:
    """Configuration of the detector."""
    from ictrack.engine.given_detections import detections_config
    from ictrack.engine.setup import load_config
    from ictrack.model_zoo import config_path

    overrides = [*args.opts, *overrides_of({"MODEL.WEIGHTS": args.weights, "MODEL.DEVICE": args.device})]
    if args.detections:
        cfg = detections_config(args.detections, None, config_file="", overrides=overrides)
        cfg.MODEL.META_ARCHITECTURE = "GivenDetections"  # embeddings are learnt here
        return cfg
    if args.threshold:
        overrides += ["MODEL.FOREGROUND.THRESHOLD", str(args.threshold)]
    return load_config(args.config_file or str(config_path("plain_background.yaml")), overrides)
