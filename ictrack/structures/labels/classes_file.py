"""``labels.txt`` of MOTChallenge and MOTS as CVAT writes them: the name of a class in the line of its number."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from ..atomic_file import replacing
from ..describe import describe
from ..json_files import require
from ..mots_text import IGNORE_CLASS
from ..sequence_texts import CLASSES_FILE
from ..track_formats.fields import TrackFormatError
from ..track_formats.mots import IGNORED
from ..track_formats.rows import LabeledVideo

_MAX_NUMBER = 100_000


def read_class_names(folder: Path) -> dict[int, str]:
    """Names by number; empty without a file. Raises AnnotationError if it is no text."""
    path = folder / CLASSES_FILE
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        require(False, str(path), "no text file")
    return {number: name for number, line in enumerate(lines, 1) if (name := line.strip())}


def name_classes(video: LabeledVideo, names: Mapping[int, str]) -> None:
    """Give the categories of a video, which are numbers, their names."""
    if names:
        found = {int(number): name for number, name in video.named_categories().items()}
        merged = {**found, **names}
        video.categories = {number: merged[number] for number in sorted(merged)}


def write_class_names(folder: Path, names: Mapping[int, str], default: Callable[[int], str]) -> None:
    """Write a file, unless the names are those that a reader gives to classes without it."""
    if all(name == default(number) for number, name in names.items()):
        return
    last = max(names, default=0)
    if last > _MAX_NUMBER or min(names, default=1) < 1 or any("\n" in name for name in names.values()):
        raise TrackFormatError(f"{folder / CLASSES_FILE}: cannot hold the classes {describe(dict(names))}")
    with replacing(folder / CLASSES_FILE) as file:
        file.write("".join(f"{names.get(number, '')}\n" for number in range(1, last + 1)).encode())


def mots_names(categories: Mapping[int, str], numbers: Mapping[int, int]) -> dict[int, str]:
    """Names by MOTS's numbers, but that of ignored regions."""
    return {numbers[number]: name for number, name in categories.items() if name != IGNORED}


def mots_numbers(categories: Mapping[int, str]) -> dict[int, int]:
    """MOTS's numbers of classes, by their ids: 1 for cars, 2 for people, 11 and more for others."""
    numbers = {number: IGNORE_CLASS for number, name in categories.items() if name == IGNORED}
    for number, name in categories.items():
        stated = re.fullmatch(r"class (\d{1,3})", name)
        official = {"car": 1, "pedestrian": 2, "person": 2}.get(name.lower())
        wanted = official or (int(stated[1]) if stated else None)
        if wanted and wanted not in {*numbers.values(), IGNORE_CLASS}:
            numbers[number] = wanted
    for number in categories:
        if number not in numbers:
            numbers[number] = max([IGNORE_CLASS, *numbers.values()]) + 1
    return numbers
