"""Generate the synthetic data of the quick-starts and of the ablation.

python projects/ICTrack/generate_data.py characters OUTPUT [--seed N] [--workers N]
    images and clips of characters, with masks, from the assets in synthetic/assets

python projects/ICTrack/generate_data.py people OUTPUT [--seed N] [--workers N]
    images and clips of people who walk, wave and sit, with their joints

python projects/ICTrack/generate_data.py assets EMOJI_FOLDER MEDIA_FOLDER ... [--output FOLDER]
    rebuilds those assets (for maintainers): EMOJI_FOLDER holds index.json, still/ and animated/; the photos and
    clips that synthetic/assets/CREDITS.md lists are looked for, under their original names, below the MEDIA_FOLDERs
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ictrack.structures.command_line import non_negative_int, positive_int, run_command
from synthetic.characters import generate_sample
from synthetic.characters.assets import ASSET_ROOT
from synthetic.characters.build_assets import build_assets
from synthetic.people import generate_sample_pose

GENERATORS = {"characters": generate_sample, "people": generate_sample_pose}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in GENERATORS:
        generate = commands.add_parser(name, help=f"generate images and clips of {name}")
        generate.add_argument("output", type=Path, help="folder to write to; synthetic data in it are replaced")
        generate.add_argument("--seed", type=non_negative_int, default=0)
        generate.add_argument("--workers", type=positive_int, default=None, help="processes (default: one a core)")
    assets = commands.add_parser("assets", help="rebuild the assets")
    assets.add_argument("emoji", type=Path)
    assets.add_argument("media", type=Path, nargs="+")
    assets.add_argument("--output", type=Path, default=ASSET_ROOT)
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> None:
    if arguments.command == "assets":
        manifest = build_assets(arguments.emoji, arguments.media, arguments.output)
        print(f"{len(manifest['characters'])} characters and {len(manifest['backgrounds'])} backgrounds")
    else:
        print(GENERATORS[arguments.command](arguments.output, arguments.seed, workers=arguments.workers))


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(parse_arguments())))
