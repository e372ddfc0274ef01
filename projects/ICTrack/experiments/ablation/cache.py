"""Cache of a study: files of tensors, each stamped with a fingerprint of everything it depends on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from ictrack.structures.atomic_file import replacing


def fingerprint(*parts: Any) -> str:
    """Short hash of settings: strings, numbers, and lists, tuples and dictionaries of them."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


class Cache:
    """Folder of files ``<name>.pt`` of tensors, numbers and strings, read without unpickling code."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def holds(self, name: str, stamp: str) -> bool:
        """Whether there is a complete file with this stamp."""
        path = self._path(name)
        try:
            return path.is_file() and torch.load(path, weights_only=True, mmap=True)["stamp"] == stamp
        except Exception:  # a damaged file raises any kind of error, and is made again
            return False

    def write(self, name: str, stamp: str, content: dict[str, Any]) -> None:
        """Write a file, which appears only when it is complete."""
        with replacing(self._path(name)) as file:
            torch.save({"stamp": stamp, **content}, file)

    def read(self, name: str) -> dict[str, Any]:
        """Content of a file; its tensors are memory-mapped."""
        return torch.load(self._path(name), weights_only=True, mmap=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.pt"
