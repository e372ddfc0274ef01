"""``python -m ictrack``: the console command where it is not installed."""

import sys

from .command.main import main

if __name__ == "__main__":
    sys.exit(main())
