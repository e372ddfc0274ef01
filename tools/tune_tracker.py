#!/usr/bin/env python
"""Choose the tracker's thresholds on labelled videos, for one metric, and write them as a configuration.

python tools/prepare_data.py local-split datasets/ytvis_2019/train.json datasets/ytvis_2019/local.json
python tools/tune_tracker.py --config-file config.yaml --dataset ytvis_2019_local --metric IDF1 --output tuned.yaml
python tools/tune_tracker.py --config-file config.yaml --dataset posetrack18_train --metric MOTA --output mota.yaml
python tools/track_video.py --config-file tuned.yaml --input video.mp4 --output tracks.mp4
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from detectron2.utils.logger import setup_logger

from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.engine.setup import load_config
from ictrack.engine.tune_tracker import METRICS, tune_tracker
from ictrack.evaluation.detector_classes import state_detector_classes
from ictrack.structures.command_line import check_outputs, run_command


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    metrics = sorted({metric for names in METRICS.values() for metric in names})
    parser.add_argument("--config-file", required=True, metavar="YAML", help="configuration of detector and tracker")
    parser.add_argument("--weights", metavar="FILE", help="checkpoint; instead of MODEL.WEIGHTS")
    parser.add_argument("--dataset", required=True, metavar="NAME", help="labelled videos, as DATASETS.TEST names them")
    parser.add_argument("--metric", required=True, choices=metrics, help="MOTA is of poses alone")
    parser.add_argument("--output", required=True, metavar="YAML", help="the chosen keys, over those of --config-file")
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="configuration keys to override")
    return parser


def run(argv: Sequence[str] | None) -> int:
    args = make_parser().parse_args(argv)
    for name in ("ictrack", "detectron2", "fvcore"):
        setup_logger(name=name)
    check_outputs([args.output], [args.config_file, args.weights])
    overrides = ["MODEL.WEIGHTS", args.weights] if args.weights else []
    cfg = load_config(args.config_file, [*args.opts, *overrides])
    register_configured_datasets(cfg)
    state_detector_classes(cfg, training=False)
    result = tune_tracker(cfg, args.dataset, args.metric)
    result.write(Path(args.output), args.config_file)
    print(f"{result}\n-> {args.output}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(lambda: run(argv))


if __name__ == "__main__":
    sys.exit(main())
