"""Choose the tracker's thresholds from your own unlabeled videos, and find out how far to trust appearance there.

Without a configuration, the boxes of `ictrack track` are calibrated.

example:
  ictrack calibrate --config-file config.yaml --videos 'my/*.mp4' --output calibrated.yaml --picture calibrated.png
  ictrack track --config-file calibrated.yaml --input my/street.mp4 --output street.mp4
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ictrack.structures.command_line import check_outputs, positive_int

from .parser import make_parser, overrides_of


def run(argv: Sequence[str]) -> None:
    parser = make_parser("calibrate", __doc__)
    parser.add_argument("--config-file", metavar="YAML", help="configuration of detector and tracker")
    parser.add_argument("--weights", metavar="FILE", help="checkpoint; instead of MODEL.WEIGHTS")
    parser.add_argument("--videos", required=True, nargs="+", help="video files, folders of frames, or quoted globs")
    parser.add_argument("--output", required=True, metavar="YAML", help="the chosen keys, over those of --config-file")
    parser.add_argument("--picture", metavar="PNG", help="draw the similarities and the threshold between them")
    parser.add_argument(
        "--stride", type=positive_int, default=1, metavar="N", help="as of `ictrack track`, for which thresholds are"
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ...; instead of MODEL.DEVICE")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY VALUE", help="configuration keys to override")
    args = parser.parse_args(argv)
    check_outputs([args.output, args.picture], [args.config_file, args.weights])

    from ictrack.engine.calibration import calibrate
    from ictrack.engine.setup import load_config
    from ictrack.model_zoo import get_config_file

    from .log import show_log

    show_log()
    overrides = overrides_of({"MODEL.WEIGHTS": args.weights, "MODEL.DEVICE": args.device})
    config_file = args.config_file or str(get_config_file("boxes"))
    result = calibrate(load_config(config_file, [*args.set, *overrides]), args.videos, args.stride)
    result.write(Path(args.output), config_file)
    if args.picture:
        result.draw(Path(args.picture))
    print(f"{result}\n-> {args.output}")
