"""Files of the model zoo: configurations in this package, weights in a folder beside it.

Weights are named as ``ictrack://FILE`` in MODEL.WEIGHTS, and are looked for in the folder that the environment variable
ICTRACK_MODELS names, in ``models`` of a checkout, and in ``ictrack/models`` of the user's cache.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from detectron2.utils.file_io import PathManager
from iopath.common.file_io import PathHandler

PREFIX = "ictrack://"
_PACKAGE = Path(__file__).resolve().parents[1]
# Task -> configuration: 80 COCO classes as boxes, and people with 17 COCO joints.
CONFIGS = {"boxes": "nanodet_g.yaml", "pose": "movenet_multipose.yaml"}


def get_config_file(task: str) -> Path:
    """Path of the configuration of a task in ``CONFIGS``. Raises KeyError for another task."""
    return config_path(CONFIGS[task])


def config_path(name: str) -> Path:
    """Path of a configuration of this package."""
    return Path(__file__).parent / "configs" / name


def model_folders() -> list[Path]:
    """Folders in which weights are looked for, in order."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    named = os.environ.get("ICTRACK_MODELS")
    return [*([Path(named)] if named else []), _PACKAGE.parent / "models", cache / "ictrack" / "models"]


def get_model_file(name: str) -> Path:
    """Path of a file of weights.

    Args:
        name: Name of the file, such as "nanodet_g.safetensors".

    Raises:
        FileNotFoundError: If it is in none of the folders.
    """
    folders = model_folders()
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"{PREFIX}{name}: not found in {', '.join(map(str, folders))}; it is in the folder models of ICTrack's "
        "repository (tools/convert_models.py makes it): set ICTRACK_MODELS to that folder, or MODEL.WEIGHTS to the file"
    )


class _ModelPathHandler(PathHandler):
    """Paths that start with ``ictrack://``."""

    def _get_supported_prefixes(self) -> list[str]:
        return [PREFIX]

    def _get_local_path(self, path: str, force: bool = False, **kwargs: Any) -> str:
        return str(get_model_file(path[len(PREFIX) :]))

    def _isfile(self, path: str, **kwargs: Any) -> bool:
        return Path(self._get_local_path(path)).is_file()

    def _open(self, path: str, mode: str = "r", buffering: int = -1, **kwargs: Any) -> Any:
        return open(self._get_local_path(path), mode)


PathManager.register_handler(_ModelPathHandler(), allow_override=True)


def get_local_path(path: str) -> str:
    """Local path of a file that may be named with ``ictrack://`` or another prefix of Detectron2's PathManager.

    Raises:
        FileNotFoundError: See :func:`get_model_file`.
    """
    return PathManager.get_local_path(path)
