"""What a study has made already: files of tensors, each stamped with all that it depends on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from ictrack.structures.atomic_file import replacing


def fingerprint(*parts: Any) -> str:
    """A short name of settings: strings, numbers, and lists, tuples and dictionaries of them."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


class Cache:
    """A folder of files ``<name>.pt`` of tensors, numbers and strings. Nothing is unpickled that could run code."""

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
        """The content of a file; large tensors stay on disk until they are used."""
        return torch.load(self._path(name), weights_only=True, mmap=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.pt"
