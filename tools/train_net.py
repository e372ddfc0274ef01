#!/usr/bin/env python
"""``ictrack train`` where ICTrack is a checkout: see python tools/train_net.py --help."""

import sys

from ictrack.command.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
