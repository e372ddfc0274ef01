#!/usr/bin/env python
"""Read damaged files by every reader: content or the declared error must come, within two seconds and little memory.

Files to damage are in tests/data/fuzz; a file that shows a fault stays in the output folder, and belongs to them once
the fault is mended. Exit status 1 if there is a fault.

examples:
  python tools/fuzz.py all --runs 10000 --output output/fuzz
  python tools/fuzz.py coco mots --runs 1000 --seed 7 --output output/fuzz
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import sys
from pathlib import Path

from fuzzing.readers import READERS
from fuzzing.run import fuzz
from ictrack.structures.command_line import non_negative_int, positive_int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="+", choices=["all", *READERS], metavar="READER", help=", ".join(READERS))
    parser.add_argument("--runs", type=positive_int, default=1000, help="files for each (default: %(default)s)")
    parser.add_argument("--seed", type=non_negative_int, default=0, help="of the damage (default: %(default)s)")
    parser.add_argument("--output", type=Path, required=True, help="folder for the files that show a fault")
    args = parser.parse_args()
    faulthandler.enable()
    logging.disable()
    num_faults = 0
    for name in READERS if "all" in args.readers else args.readers:
        result = fuzz(name, args.runs, args.seed, args.output)
        print("\n  ".join([result.line(), *result.faults]), flush=True)
        num_faults += len(result.faults)
    return int(num_faults > 0)


if __name__ == "__main__":
    sys.exit(main())
