"""Look for mistakes in annotations, or in a configuration, its data sets and its weights, without training.

ictrack check DATA [IMAGES] finds every defect of a file of COCO (also with track ids), YouTube-VIS or PoseTrack18, of a
folder of PoseTrack18's files, of labels of MOTChallenge, MOTS, DAVIS, labelme or CVAT, or of a folder of videos: ids,
references, boxes, masks, poses, tracks that jump, the order of frames; with the folder of the images also missing files
and other sizes. --contact-sheet draws what is wrong. Without DATA it takes the arguments of ``ictrack train``, prints a
line for each part, and checks the annotations of its data sets, too. The exit status is 1 if there are errors.

examples:
  ictrack check my_labels images --contact-sheet wrong.png
  ictrack check datasets/ytvis_2019/train.json datasets/ytvis_2019/train/JPEGImages
  ictrack check --config-file my.yaml --num-gpus 2 MODEL.WEIGHTS image_stage/model_final.pth
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ictrack.structures.command_line import check_outputs

from .parser import make_parser

if TYPE_CHECKING:
    from ictrack.data.lint import Defect

_SUFFIXES = (".json", ".gz", ".zip", ".xml", ".txt")
# Tiles of a contact sheet, altogether and of one kind of defect.
_MOST, _MOST_OF_KIND = 48, 8


def run(argv: Sequence[str]) -> int:
    first = Path(argv[0] if argv else "")
    # A configuration's arguments begin with a flag, or with a key, which has other suffixes.
    is_data = bool(argv) and not argv[0].startswith("-") and (first.exists() or first.suffix in _SUFFIXES)
    return check_data(argv) if is_data else check_configuration(argv)


def check_data(argv: Sequence[str]) -> int:
    from ictrack.data.lint import lint_annotations

    parser = make_parser("check", __doc__)
    parser.add_argument("data", type=Path, help="file or folder of labels, or of videos")
    parser.add_argument("images", type=Path, nargs="?", help="folder to which the names of images are relative")
    parser.add_argument("--format", help="format of the labels, or videos; by default by their content")
    parser.add_argument("--contact-sheet", type=Path, metavar="PNG", help="picture of what is wrong, to write")
    args = parser.parse_args(argv)
    if args.images is not None and not args.images.is_dir():
        parser.error(f"{args.images}: no such folder")
    check_outputs([args.contact_sheet], [args.data])
    result = lint_annotations(args.data, args.images, name=args.format)
    for line in (*result.contents, *result.defects.lines()):
        print(line)
    if args.contact_sheet is not None:
        _write_contact_sheet(args.contact_sheet, result.defects.found)
    return 1 if result.defects.num_errors else 0


def _write_contact_sheet(path: Path, defects: Sequence[Defect]) -> None:
    from ictrack.structures.json_files import is_finite
    from ictrack.visualization.contact_sheet import Tile, write_contact_sheet

    tiles: list[Tile] = []
    counts: Counter[str] = Counter()
    for defect in defects:
        if defect.subject is None or counts[defect.kind] == _MOST_OF_KIND or len(tiles) == _MOST:
            continue
        counts[defect.kind] += 1
        box = defect.subject.box
        good = isinstance(box, (list, tuple)) and len(box) == 4 and all(map(is_finite, box))
        caption = f"{defect.kind}: {defect.where}: {defect.text}"
        tiles.append(Tile(defect.subject.image, box if good else None, caption))
    if not tiles:
        print(f"{path}: not written, no defect is one of a picture" if defects else f"{path}: not written, no defects")
        return
    write_contact_sheet(path, tiles)
    print(f"{path}: {len(tiles)} of {len(defects)} defects")


def check_configuration(argv: Sequence[str]) -> int:
    from ictrack.engine.check_run import check_run
    from ictrack.engine.launch import parse_training_arguments

    num_mistakes = 0
    for finding in check_run(parse_training_arguments(argv, prog="ictrack check", description=__doc__)):
        if finding.is_mistake:
            print(f"error: {finding.text}", file=sys.stderr)
        else:
            print(finding.text, flush=True)
        num_mistakes += finding.is_mistake
    return 1 if num_mistakes else 0
