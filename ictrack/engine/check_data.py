"""Checks of the data sets of a configuration that need no training: their annotations, and what they have in common."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog

from ictrack.data.datasets.unlabeled_videos import exclude_videos, names_of_videos
from ictrack.data.lint import lint_annotations

# Headers are read of about this many images of a data set.
_NUM_HEADERS = 200
_VIDEO_EVALUATORS = ("youtube_vis", "posetrack")
# Names shown.
_FEW = 3


def annotation_defects(name: str) -> Iterator[tuple[str, bool]]:
    """(Description, whether it is an error) of each kind of defect of a registered data set's annotations.

    That images exist is checked of all, their size of some. Nothing where the annotations are no JSON.
    """
    metadata = MetadataCatalog.get(name)
    paths = [metadata.get(key) for key in ("json_file", "annotation_folder", "annotation_file")]
    path = next((path for path in paths if path), "")
    if not os.path.isdir(path) and not path.endswith((".json", ".json.gz")):
        return
    number = len(_files_of(name))
    result = lint_annotations(path, metadata.get("image_root"), every=max(1, number // _NUM_HEADERS))
    first = {(defect.kind, defect.is_error): defect for defect in reversed(result.defects.found)}
    counts = Counter((defect.kind, defect.is_error) for defect in result.defects.found)
    for key, count in counts.items():
        more = f"; {count - 1} more such" if count > 1 else ""
        yield f"{path}: {first[key].where}: {first[key].text}{more}", key[1]


def leaks(cfg: CfgNode) -> Iterator[tuple[str, bool]]:
    """(Description, whether it is an error) of what is in the training data and in an evaluation.

    Images of the same file are a warning, since small data sets are tried out so; videos of the same name an error.
    """
    unlabeled = {
        record["video_name"]
        for name in cfg.DATASETS.UNLABELED
        for record in exclude_videos(DatasetCatalog.get(name), cfg.DATASETS.UNLABELED_EXCLUDE)
    }
    trained = {file for name in cfg.DATASETS.TRAIN for file in _files_of(name)}
    for name in cfg.DATASETS.TEST:
        where = f"DATASETS.TEST: {name}"
        if shared := sorted(trained & _files_of(name)):
            yield f"{where}: images that are in DATASETS.TRAIN, too: {_listed(shared)}", False
        is_video = MetadataCatalog.get(name).get("evaluator_type") in _VIDEO_EVALUATORS
        if shared := sorted(unlabeled.intersection(names_of_videos(name))) if is_video else []:
            advice = f"add {name} to DATASETS.UNLABELED_EXCLUDE"
            yield f"{where}: videos that are in DATASETS.UNLABELED, too: {_listed(shared)}; {advice}", True


def _files_of(name: str) -> set[str]:
    """Paths of the images of a data set."""
    found: set[str] = set()
    for record in DatasetCatalog.get(name):
        found.update(map(os.path.abspath, record.get("file_names") or [record["file_name"]]))
    return found


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more
