#!/usr/bin/env python
"""``ictrack tune`` where ICTrack is a checkout: see python tools/tune_tracker.py --help."""

import sys

from ictrack.command.main import main

if __name__ == "__main__":
    sys.exit(main(["tune", *sys.argv[1:]]))
