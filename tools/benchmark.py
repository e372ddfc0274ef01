#!/usr/bin/env python
"""``ictrack benchmark`` where ICTrack is a checkout: see python tools/benchmark.py --help."""

import sys

from benchmarks.command import main
from ictrack.structures.command_line import run_command

if __name__ == "__main__":
    sys.exit(run_command(main))
