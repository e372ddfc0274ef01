"""Train on composed stills, track composed clips that hold nothing seen in training, and write a report. See README."""

import argparse
from pathlib import Path

from ictrack.engine.quickstart import default_num_processes, run_quickstart

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config-file", default="configs/quickstart/solo_lite0.yaml")
    parser.add_argument("--output", type=Path, default=Path("output/quickstart"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--num-processes", type=int, default=default_num_processes())
    parser.add_argument("opts", nargs="*", help="KEY VALUE pairs that override the configuration")
    arguments = parser.parse_args()
    run_quickstart(arguments.config_file, arguments.output, arguments.seed, arguments.num_processes, arguments.opts)
