"""Compare thresholds calibrated on unlabeled clips with tuned ones, after tools/quickstart.sh. See README."""

import argparse
import sys
from pathlib import Path

from experiments.calibration.compare import TASKS, compare, write_results
from ictrack.structures.command_line import run_command

PROJECT = Path(__file__).resolve().parent
OUTPUTS = {"masks": Path("output/quickstart"), "pose": Path("output/quickstart_pose")}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", choices=sorted(TASKS), default="masks", help="kind of tracked object")
    parser.add_argument("--output", type=Path, help="the quick-start's; default: output/quickstart, or ..._pose")
    parser.add_argument("--results", type=Path, default=PROJECT / "results", help="for calibration.csv")
    arguments = parser.parse_args()
    output = arguments.output or OUTPUTS[arguments.task]
    configs = PROJECT.parents[1] / "configs" / "quickstart"
    sys.exit(run_command(lambda: write_results(arguments.results, compare(arguments.task, configs, output))))
