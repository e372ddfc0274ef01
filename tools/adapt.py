#!/usr/bin/env python
"""Fit a model's video embedding head to your own unlabelled videos. Detector and image embedding stay as they are.

python tools/adapt.py --config-file config.yaml --weights model.pth --videos 'my/*.mp4' --output adapted
python tools/track_video.py --config-file adapted/config.yaml --input my/street.mp4 --output street.mp4
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from detectron2.utils.logger import setup_logger

from ictrack.engine.adaptation import adapt
from ictrack.engine.setup import load_config
from ictrack.modeling.embedding.video_objectives import OBJECTIVES
from ictrack.structures.command_line import check_outputs, positive_int, run_command


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--config-file", required=True, metavar="YAML", help="configuration of the model")
    parser.add_argument("--weights", metavar="FILE", help="checkpoint; instead of MODEL.WEIGHTS")
    parser.add_argument("--videos", required=True, nargs="+", help="video files, folders of frames, or quoted globs")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="for the weights and config.yaml")
    parser.add_argument("--iterations", type=positive_int, metavar="N", help="instead of ADAPT.ITERATIONS")
    parser.add_argument("--objective", choices=sorted(OBJECTIVES), help="instead of ADAPT.OBJECTIVE")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ...; instead of MODEL.DEVICE")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY VALUE", help="configuration keys to override")
    return parser


def run(argv: Sequence[str] | None) -> int:
    args = make_parser().parse_args(argv)
    for name in ("ictrack", "detectron2", "fvcore"):
        setup_logger(name=name)
    check_outputs([args.output / "config.yaml"], [args.config_file])
    flags = {
        "MODEL.WEIGHTS": args.weights,
        "MODEL.DEVICE": args.device,
        "ADAPT.ITERATIONS": args.iterations,
        "ADAPT.OBJECTIVE": args.objective,
    }
    overrides = [str(item) for key, value in flags.items() if value is not None for item in (key, value)]
    result = adapt(load_config(args.config_file, [*args.set, *overrides]), args.videos, args.output)
    print(f"{result}\n\n-> {result.config_file}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(lambda: run(argv))


if __name__ == "__main__":
    sys.exit(main())
