#!/usr/bin/env python
"""``ictrack prepare`` where ICTrack is a checkout: see python tools/prepare_data.py --help."""

import sys

from ictrack.command.main import main

if __name__ == "__main__":
    sys.exit(main(["prepare", *sys.argv[1:]]))
