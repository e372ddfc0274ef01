"""Text files of MOTChallenge and MOTS, one a sequence, among other files of their folders."""

from __future__ import annotations

from pathlib import PurePath

SUFFIX = ".txt"
# Names of classes, as CVAT writes them.
CLASSES_FILE = "labels.txt"


def is_sequence_text(path: PurePath | str) -> bool:
    """Whether a file may hold a sequence, by its name."""
    path = PurePath(path)
    return path.suffix == SUFFIX and path.name != CLASSES_FILE
