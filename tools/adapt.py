#!/usr/bin/env python
"""``ictrack adapt`` where ICTrack is a checkout: see python tools/adapt.py --help."""

import sys

from ictrack.command.main import main

if __name__ == "__main__":
    sys.exit(main(["adapt", *sys.argv[1:]]))
