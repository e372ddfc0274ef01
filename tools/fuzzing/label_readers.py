"""Readers of labels on a folder in which one file is damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ictrack.structures.labels import LABEL_FORMATS

# Format -> place of the damaged file in the folder, by its name or "" for any name, which stays; none: a file alone.
_PLACES: dict[str, Mapping[str, str]] = {
    "mot": {"gt.txt": "clip/gt", "seqinfo.ini": "clip"},
    "mots": {"": "."},
    "mots-png": {"": "clip"},
    "davis": {"": "clip"},
    "labelme": {"": "clip"},
    "cvat": {"": "."},
    "posetrack": {"": "."},
    "posetrack17": {"": "."},
    "deeplabcut": {"": "labeled-data/walk"},
}
# Format -> whole files beside the damaged one, in the folder, and where they are in the corpus.
_BESIDE: dict[str, Mapping[str, str]] = {
    "mot": {"clip/gt/gt.txt": "labels-mot/gt.txt", "clip/seqinfo.ini": "labels-mot/seqinfo.ini"},
    "deeplabcut": {f"labeled-data/walk/img0{number}.png": "labels-davis/00000.png" for number in (0, 7)},
}
# Format -> its corpus, where it is another's.
LABEL_CORPUS: dict[str, tuple[str, ...]] = {
    "coco": ("coco", "coco-tracks"),
    "youtube-vis": ("youtube_vis",),
    "mots": ("mots",),
    "mots-png": ("mots-png",),
    "labelme": ("labelme",),
    "cvat": ("cvat",),
    "posetrack": ("posetrack",),
    "posetrack17": ("posetrack_2017",),
    "mpii": ("mpii/release.mat", "mpii/case_stream.mat"),
    "tracks": ("csv", "json-lines", "parquet"),
}
# Those that are given a path to a file in the folder, not the folder.
_FILES = ("deeplabcut",)


def label_reader(name: str, corpus: Path) -> Callable[[Path], Any]:
    """Reader of a format of labels, from the path of the damaged file.

    Args:
        name: Name in ``LABEL_FORMATS``.
        corpus: Folder of the whole files.
    """
    places = _PLACES.get(name)
    if places is None:
        return LABEL_FORMATS[name].read

    def read(path: Path) -> None:
        root = path.parent / "labels"
        for place, source in _BESIDE.get(name, {}).items():
            _copy(corpus / source, root / place)
        damaged = _copy(path, root / places.get(path.name, places.get("", ".")) / path.name)
        LABEL_FORMATS[name].read(damaged if name in _FILES else root)

    return read


def _copy(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(source, target))
