"""Train and measure every row of the ablation table on synthetic data. See README."""

import argparse
from pathlib import Path

from experiments.ablation.methods import select_rows
from experiments.ablation.run import run_ablation
from experiments.ablation.table import write_table
from experiments.quickstart.masks import default_num_processes
from experiments.quickstart.poses import PoseConfigs
from experiments.quickstart.poses_table import run_pose_seeds, write_pose_table

PROJECT = Path(__file__).resolve().parent
PRESETS = {
    "quickstart": {
        "detector": "quickstart/ablation_detector.yaml",
        "strong": "quickstart/ablation_strong.yaml",
        "paper": "quickstart/ablation_paper.yaml",
    },
    "pose": {},
}


def seed_range(text: str) -> range:
    """Range of seeds: 1 to 3 for "3", 4 to 6 for "4-6"."""
    first, _, last = text.rpartition("-")
    seeds = range(int(first or 1), int(last) + 1)
    if not seeds or seeds[0] < 0:
        raise argparse.ArgumentTypeError(f"{text} holds no seed")
    return seeds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="quickstart")
    parser.add_argument("--seeds", type=seed_range, default="3", help="3: seeds 1 to 3; 4-6: seeds 4 to 6")
    parser.add_argument("--output", type=Path, default=Path("output/ablation"), help="data, weights and caches")
    parser.add_argument("--results", type=Path, default=PROJECT / "results", help="tables")
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="methods, or form:method; default: all")
    parser.add_argument("--num-processes", type=int, default=default_num_processes())
    parser.add_argument("--table-only", action="store_true", help="only write the tables from the results")
    arguments = parser.parse_args()
    configs = {name: str(PROJECT.parents[1] / "configs" / path) for name, path in PRESETS[arguments.preset].items()}
    output, results = arguments.output, arguments.results
    if arguments.table_only:
        (write_pose_table if arguments.preset == "pose" else write_table)(results)
    elif arguments.preset == "pose":
        if arguments.rows:
            parser.error("--rows goes with --preset quickstart")
        run_pose_seeds(
            PoseConfigs.in_folder(PROJECT.parents[1] / "configs" / "quickstart"),
            output / "pose",
            results,
            arguments.seeds,
            arguments.num_processes,
        )
    else:
        try:
            rows = select_rows(arguments.rows)
        except ValueError as error:
            parser.error(str(error))
        run_ablation(configs, output, results, arguments.seeds, rows, arguments.num_processes)
