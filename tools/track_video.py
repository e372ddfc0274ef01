#!/usr/bin/env python
"""``ictrack track`` where ICTrack is a checkout: see python tools/track_video.py --help."""

import sys

from ictrack.command.main import main

if __name__ == "__main__":
    sys.exit(main(["track", *sys.argv[1:]]))
