#!/usr/bin/env python
"""``ictrack evaluate`` where ICTrack is a checkout: see python tools/evaluate.py --help."""

import sys

from ictrack.command.main import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
