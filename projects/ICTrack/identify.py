"""Measure ways to tell look-alikes apart in raw footage, by the exact test and against a reference. See README.

The two videos of zebrafish are in the wheel of idtrackerai 6.0.14, from which they may be unpacked for this; neither it
nor they are part of this project. References are the trajectories of idtracker.ai: those that identify_rival.py has
written for these videos, unless others are given (CSV or NumPy).

example:
  python identify.py --videos test_A.avi test_B.avi --threshold 130 --num-instances 8
"""

import argparse
import logging
from pathlib import Path

from detectron2.utils.logger import setup_logger

from experiments.identities.methods import METHODS
from experiments.identities.reference import read_trajectories
from experiments.identities.rows import read_rows, write_rows
from experiments.identities.run import Material, run_video
from experiments.identities.table import show_tables
from experiments.identities.whole import FULL, ONLINE, UNLINKED, run_whole
from ictrack.engine.idle_memory import keep_little_memory
from ictrack.engine.setup import load_config
from ictrack.engine.video_tracker import VideoTracker
from ictrack.model_zoo import config_path

PROJECT = Path(__file__).resolve().parent

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", nargs="+", required=True, type=Path)
    parser.add_argument("--references", nargs="*", type=Path, default=[], help="trajectories, one file for each video")
    parser.add_argument("--threshold", required=True, help="objects are darker than this gray value")
    parser.add_argument("--min-area", default="150", help="smallest area of an object in pixels")
    parser.add_argument("--num-instances", type=int, required=True)
    parser.add_argument("--methods", nargs="+", choices=[*METHODS, FULL], default=[*METHODS, FULL])
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument(
        "--results", type=Path, default=PROJECT / "results" / "identify.csv", help="rows of other methods are kept"
    )
    arguments = parser.parse_args()
    if arguments.references and len(arguments.references) != len(arguments.videos):
        parser.error("--references needs one file for each video")
    keep_little_memory()
    setup_logger(name="experiments")
    logging.getLogger("experiments").setLevel(logging.INFO)
    options = ["MODEL.FOREGROUND.THRESHOLD", arguments.threshold, "MODEL.FOREGROUND.MIN_AREA", arguments.min_area]
    cfg = load_config(str(config_path("plain_background.yaml")), [*options, "MODEL.DEVICE", "cpu"])
    methods = {*arguments.methods, *((ONLINE, UNLINKED) if FULL in arguments.methods else ())}
    again = {(video.stem, method) for video in arguments.videos for method in methods}
    rows = [row for row in read_rows(arguments.results) if (row["video"], row["method"]) not in again]
    kept = [arguments.results.parent / "idtrackerai" / f"{video.stem}.npy" for video in arguments.videos]
    for video, given in zip(arguments.videos, arguments.references or kept):
        reference = read_trajectories(given) if arguments.references or given.exists() else None
        settings = {"num_instances": arguments.num_instances, "iterations": arguments.iterations}
        seeds = range(arguments.seeds)
        of_crops = [method for method in arguments.methods if method != FULL]
        if of_crops:
            material = Material.of_video(VideoTracker.from_config(cfg), video)
            for row in run_video(material, of_crops, seeds, reference=reference, **settings):
                rows.append({"video": video.stem, **row})
                write_rows(arguments.results, rows)
        if FULL in arguments.methods:
            for row in run_whole(cfg, video, seeds, reference=reference, **settings):
                rows.append({"video": video.stem, **row})
                write_rows(arguments.results, rows)
    show_tables(arguments.results.parent.parent / "README.md", rows)
