"""Fit a model's video embedding head to your own unlabeled videos. Detector and image embedding stay as they are.

It is measured on the held-out end of each video; where the former model is better, that one is kept. The tracker is
calibrated there, too. Without a configuration, the boxes of `ictrack track` are adapted.

examples:
  ictrack adapt --videos 'my/*.mp4' --output adapted
  ictrack adapt --config-file config.yaml --weights model.pth --videos 'my/*.mp4' --output adapted
  ictrack track --config-file adapted/config.yaml --input my/street.mp4 --output street.mp4
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ictrack.structures.command_line import check_outputs, positive_int

from .parser import make_parser, overrides_of


def objective_name(text: str) -> str:
    """An argument's type: the name of a video objective."""
    from ictrack.modeling.embedding.video_objectives import OBJECTIVES

    if text not in OBJECTIVES:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(sorted(OBJECTIVES))}")
    return text


def run(argv: Sequence[str]) -> None:
    parser = make_parser("adapt", __doc__)
    parser.add_argument("--config-file", metavar="YAML", help="configuration of the model")
    parser.add_argument("--weights", metavar="FILE", help="checkpoint; instead of MODEL.WEIGHTS")
    parser.add_argument("--videos", required=True, nargs="+", help="video files, folders of frames, or quoted globs")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="for the weights and config.yaml")
    parser.add_argument("--iterations", type=positive_int, metavar="N", help="instead of ADAPT.ITERATIONS")
    parser.add_argument(
        "--objective", type=objective_name, metavar="NAME",
        help="correspondence, random_walk, tracklet or instance_walk; instead of ADAPT.OBJECTIVE",
    )  # fmt: skip
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ...; instead of MODEL.DEVICE")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY VALUE", help="configuration keys to override")
    args = parser.parse_args(argv)
    check_outputs([args.output / "config.yaml"], [args.config_file])

    from ictrack.engine.adaptation import adapt
    from ictrack.engine.idle_memory import keep_freed_memory
    from ictrack.engine.setup import load_config
    from ictrack.model_zoo import get_config_file

    from .log import show_log

    keep_freed_memory()
    show_log()
    flags = {
        "MODEL.WEIGHTS": args.weights,
        "MODEL.DEVICE": args.device,
        "ADAPT.ITERATIONS": args.iterations,
        "ADAPT.OBJECTIVE": args.objective,
    }
    config_file = args.config_file or str(get_config_file("boxes"))
    result = adapt(load_config(config_file, [*args.set, *overrides_of(flags)]), args.videos, args.output)
    print(f"{result}\n\n-> {result.config_file}")
