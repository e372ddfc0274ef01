"""Train and measure every row of the ablation table on the sample data. See README."""

import argparse
from pathlib import Path

from ictrack.engine.ablation.rows import select_rows
from ictrack.engine.ablation.run import run_ablation
from ictrack.engine.ablation.table import write_table
from ictrack.engine.pose_quickstart import PoseConfigs
from ictrack.engine.pose_table import run_pose_seeds, write_pose_table
from ictrack.engine.quickstart import default_num_processes

PROJECT = Path(__file__).resolve().parent
PRESETS = {
    "quickstart": {
        "detector": "quickstart/solo_lite0.yaml",
        "strong": "quickstart/ablation_strong.yaml",
        "paper": "quickstart/ablation_paper.yaml",
    },
    "pose": {},
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="quickstart")
    parser.add_argument("--seeds", type=int, default=3, help="so many seeds, from 1 on")
    parser.add_argument("--output", type=Path, default=Path("output/ablation"), help="data, weights and caches")
    parser.add_argument("--results", type=Path, default=PROJECT / "results", help="tables")
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="methods, or form:method; default: all")
    parser.add_argument("--num-processes", type=int, default=default_num_processes())
    parser.add_argument("--table-only", action="store_true", help="make the table again from the results")
    arguments = parser.parse_args()
    configs = {name: str(PROJECT.parents[1] / "configs" / path) for name, path in PRESETS[arguments.preset].items()}
    output, results, seeds = arguments.output, arguments.results, range(1, arguments.seeds + 1)
    if arguments.table_only:
        (write_pose_table if arguments.preset == "pose" else write_table)(results)
    elif arguments.preset == "pose":
        if arguments.rows:
            parser.error("--rows goes with --preset quickstart")
        run_pose_seeds(
            PoseConfigs.in_folder(PROJECT.parents[1] / "configs" / "quickstart"),
            output / "pose",
            results,
            seeds,
            arguments.num_processes,
        )
    else:
        try:
            rows = select_rows(arguments.rows)
        except ValueError as error:
            parser.error(str(error))
        run_ablation(configs, output, results, seeds, rows, arguments.num_processes)
