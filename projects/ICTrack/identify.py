"""Measure ways to tell look-alikes apart in raw footage, by the exact test and against a reference. See README.

The two videos of zebrafish are in the wheel of idtrackerai 6.0.14, from which they may be unpacked for this; neither it
nor they are part of this project. References are the trajectories that idtracker.ai writes (CSV or NumPy).

example:
  python identify.py --videos test_A.avi test_B.avi --references A.csv B.csv --threshold 130 --num-instances 8
"""

import argparse
import logging
from pathlib import Path

from detectron2.utils.logger import setup_logger

from experiments.identities.methods import METHODS
from experiments.identities.reference import read_trajectories
from experiments.identities.run import Material, read_rows, run_video, write_rows
from experiments.identities.table import identities_table
from experiments.readme_table import show_in_readme
from ictrack.engine.kernel_cache import keep_few_kernels
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
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument(
        "--results", type=Path, default=PROJECT / "results" / "identify.csv", help="rows of other methods are kept"
    )
    arguments = parser.parse_args()
    if arguments.references and len(arguments.references) != len(arguments.videos):
        parser.error("--references needs one file for each video")
    keep_few_kernels()
    setup_logger(name="experiments")
    logging.getLogger("experiments").setLevel(logging.INFO)
    options = ["MODEL.FOREGROUND.THRESHOLD", arguments.threshold, "MODEL.FOREGROUND.MIN_AREA", arguments.min_area]
    cfg = load_config(str(config_path("plain_background.yaml")), [*options, "MODEL.DEVICE", "cpu"])
    again = {(video.stem, method) for video in arguments.videos for method in arguments.methods}
    rows = [row for row in read_rows(arguments.results) if (row["video"], row["method"]) not in again]
    for number, video in enumerate(arguments.videos):
        reference = read_trajectories(arguments.references[number]) if arguments.references else None
        material = Material.of_video(VideoTracker.from_config(cfg), video)
        found = run_video(
            material,
            arguments.methods,
            range(arguments.seeds),
            num_instances=arguments.num_instances,
            iterations=arguments.iterations,
            reference=reference,
        )
        for row in found:
            rows.append({"video": video.stem, **row})
            write_rows(arguments.results, rows)
    show_in_readme(arguments.results.parent.parent / "README.md", "identities", identities_table(rows))
