"""Run idtracker.ai on videos, and keep its trajectories as the reference of identify.py. See README.

It must be installed in an environment of its own (GPL-3.0; ``pip install idtrackerai==6.0.14``). Where there is a
network, it sends statistics of its use to its authors.

example:
  python identify_rival.py --idtrackerai rival/bin/idtrackerai --videos test_A.avi --threshold 130 --num-instances 8
"""

import argparse
from pathlib import Path

import numpy as np

from experiments.identities.rival import RIVAL, rival_rows, run_rival
from experiments.identities.rows import read_rows, write_rows
from experiments.identities.table import show_tables
from ictrack.engine.setup import load_config
from ictrack.model_zoo import config_path

PROJECT = Path(__file__).resolve().parent

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idtrackerai", required=True, type=Path, help="its command")
    parser.add_argument("--videos", nargs="+", required=True, type=Path)
    parser.add_argument("--threshold", required=True, help="objects are darker than this gray value")
    parser.add_argument("--min-area", default="150", help="smallest area of an object in pixels")
    parser.add_argument("--num-instances", type=int, required=True)
    parser.add_argument(
        "--results", type=Path, default=PROJECT / "results" / "identify.csv", help="table of all methods"
    )
    arguments = parser.parse_args()
    options = ["MODEL.FOREGROUND.THRESHOLD", arguments.threshold, "MODEL.FOREGROUND.MIN_AREA", arguments.min_area]
    cfg = load_config(str(config_path("plain_background.yaml")), [*options, "MODEL.DEVICE", "cpu"])
    for video in arguments.videos:
        trajectories, cost = run_rival(arguments.idtrackerai, video, cfg, arguments.num_instances)
        path = arguments.results.parent / "idtrackerai" / f"{video.stem}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, trajectories.astype(np.float32))
        rows = [row for row in read_rows(arguments.results) if (row["video"], row["method"]) != (video.stem, RIVAL)]
        rows += ({"video": video.stem, **row} for row in rival_rows(cfg, video, trajectories, cost))
        write_rows(arguments.results, rows)
    show_tables(arguments.results.parent.parent / "README.md", read_rows(arguments.results))
