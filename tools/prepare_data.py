"""Prepare data.

python tools/prepare_data.py sample OUTPUT [--seed N] [--workers N]
    composes the quick-start's pictures and clips from the assets that ship with ICTrack

python tools/prepare_data.py sample-assets EMOJI_FOLDER MEDIA_FOLDER ... [--output FOLDER]
    rebuilds those assets (for maintainers): EMOJI_FOLDER holds index.json, still/ and animated/; the photos and
    clips that sample_assets/CREDITS.md lists are looked for, under their original names, below the MEDIA_FOLDERs
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ictrack.data.datasets.sample import generate_sample
from ictrack.data.datasets.sample.assets import ASSET_ROOT
from ictrack.data.datasets.sample.build_assets import build_assets


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    sample = commands.add_parser("sample", help="compose the sample data")
    sample.add_argument("output", type=Path, help="folder to write to; an earlier sample there is replaced")
    sample.add_argument("--seed", type=int, default=0)
    sample.add_argument("--workers", type=int, default=None, help="processes (default: one a core)")
    assets = commands.add_parser("sample-assets", help="rebuild the assets that ship")
    assets.add_argument("emoji", type=Path)
    assets.add_argument("media", type=Path, nargs="+")
    assets.add_argument("--output", type=Path, default=ASSET_ROOT)
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    if arguments.command == "sample":
        print(f"sample data: {generate_sample(arguments.output, arguments.seed, workers=arguments.workers)}")
    else:
        manifest = build_assets(arguments.emoji, arguments.media, arguments.output)
        print(f"{len(manifest['characters'])} characters and {len(manifest['backgrounds'])} backgrounds")


if __name__ == "__main__":
    main()
