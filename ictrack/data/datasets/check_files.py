"""Early check that the files and folders of a configuration's data sets exist."""

from __future__ import annotations

import difflib
import glob
import os

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog

# Keys of a data set's metadata that hold a path.
_PATHS = ("json_file", "annotation_file", "annotation_folder", "image_root")


class DatasetFilesError(ValueError):
    """Unknown data sets, or missing files of data sets; the message names them all."""


def check_dataset_files(cfg: CfgNode, *, training: bool) -> None:
    """Check that every data set of ``cfg.DATASETS`` is registered and its files and folders exist. Reads none.

    Args:
        cfg: Configuration whose own data sets are registered.
        training: Whether to check the training data sets, too; else only ``DATASETS.TEST``.

    Raises:
        DatasetFilesError: a data set is unknown or a file is missing.
    """
    data = cfg.DATASETS
    keys = ("TRAIN", "UNLABELED", "TEST") if training else ("TEST",)
    problems = [f"DATASETS.{key}: {problem}" for key in keys for name in data[key] for problem in _problems(str(name))]
    if training and data.UNLABELED:
        files = [entry for entry in data.UNLABELED_EXCLUDE if str(entry).endswith((".json", ".json.gz", ".txt"))]
        problems += [f"DATASETS.UNLABELED_EXCLUDE: {file}: no such file" for file in files if not os.path.exists(file)]
        named = [entry for entry in data.UNLABELED_EXCLUDE if entry in DatasetCatalog]
        problems += [f"DATASETS.UNLABELED_EXCLUDE: {problem}" for name in named for problem in _problems(name)]
        tracklets = data.UNLABELED_TRACKLETS
        if tracklets and not os.path.isfile(tracklets):
            problems.append(f"DATASETS.UNLABELED_TRACKLETS: {tracklets}: no such file")
    if problems:
        hint = "" if os.getenv("DETECTRON2_DATASETS") else " (DETECTRON2_DATASETS, which is not set, is their root)"
        raise DatasetFilesError("; ".join(dict.fromkeys(problems)) + hint)


def _problems(name: str) -> list[str]:
    if name not in DatasetCatalog:
        near = difflib.get_close_matches(name, DatasetCatalog.list(), n=1)
        return [f"{name} is no registered data set" + (f"; did you mean {near[0]}?" if near else "")]
    metadata = MetadataCatalog.get(name)
    paths = [path for key in _PATHS if (path := metadata.get(key))]
    sources = [path for path in metadata.get("sources", []) if not (glob.has_magic(path) and glob.glob(path))]
    return [f"{name}: {path}: no such file or folder" for path in (*paths, *sources) if not os.path.exists(path)]
