"""Choose the tracker's thresholds on labeled videos, for one metric, and write them as a configuration.

example:
  ictrack prepare local-split datasets/ytvis_2019/train.json datasets/ytvis_2019/local.json
  ictrack tune --config-file config.yaml --dataset ytvis_2019_local --metric IDF1 --output tuned.yaml
  ictrack track --config-file tuned.yaml --input video.mp4 --output tracks.mp4
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ictrack.structures.command_line import check_outputs

from .parser import make_parser, overrides_of


def metric_name(text: str) -> str:
    """An argument's type: the name of a metric that a tracker can be tuned for."""
    from ictrack.engine.tune_tracker import METRICS

    metrics = sorted({metric for names in METRICS.values() for metric in names})
    if text not in metrics:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(metrics)}")
    return text


def run(argv: Sequence[str]) -> None:
    parser = make_parser("tune", __doc__)
    parser.add_argument("--config-file", required=True, metavar="YAML", help="configuration of detector and tracker")
    parser.add_argument("--weights", metavar="FILE", help="checkpoint; instead of MODEL.WEIGHTS")
    parser.add_argument("--dataset", required=True, metavar="NAME", help="labeled videos, as DATASETS.TEST names them")
    parser.add_argument(
        "--metric", required=True, type=metric_name, metavar="NAME", help="AP, HOTA, IDF1 or, of poses alone, MOTA"
    )
    parser.add_argument("--output", required=True, metavar="YAML", help="the chosen keys, over those of --config-file")
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="configuration keys to override")
    args = parser.parse_args(argv)
    check_outputs([args.output], [args.config_file, args.weights])

    from ictrack.data.datasets.register_from_config import register_configured_datasets
    from ictrack.engine.setup import load_config
    from ictrack.engine.tune_tracker import tune_tracker
    from ictrack.evaluation.detector_classes import state_detector_classes

    from .log import show_log

    show_log()
    cfg = load_config(args.config_file, [*args.opts, *overrides_of({"MODEL.WEIGHTS": args.weights})])
    register_configured_datasets(cfg)
    state_detector_classes(cfg, training=False)
    result = tune_tracker(cfg, args.dataset, args.metric)
    result.write(Path(args.output), args.config_file)
    print(f"{result}\n-> {args.output}")
