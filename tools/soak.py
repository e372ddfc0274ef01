#!/usr/bin/env python
"""Kill a training at random moments with SIGKILL, let it go on, and compare its end with that of a whole run.

A tiny model learns from made-up stills and video, with all that a training keeps from step to step: workers of the
loader, replayed batches, a moving average of the weights, a schedule, AdamW. "resume" compares last checkpoints, to the
last bit. "processes" kills trainings of two processes and goes on with one: it compares the samples that were learnt
from. Exit status 1 if a training does not go on or ends otherwise. Works where processes can fork.

examples:
  python tools/soak.py resume --kills 100 --output output/soak
  python tools/soak.py processes --kills 20 --output output/soak_processes
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from ictrack.structures.command_line import positive_int, run_command
from soaking.processes import soak_processes
from soaking.resume import soak_resume

SOAKS = {"resume": soak_resume, "processes": soak_processes}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=SOAKS, help="what is tried")
    parser.add_argument("--kills", type=positive_int, default=100, help="number of kills (default: %(default)s)")
    parser.add_argument("--output", type=Path, required=True, help="new folder for the data, the runs and their logs")
    args = parser.parse_args()
    torch.set_num_threads(1)
    return run_command(lambda: SOAKS[args.what](args.output, args.kills))


if __name__ == "__main__":
    sys.exit(main())
