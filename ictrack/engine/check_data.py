"""Checks of the data sets of a configuration that need no training: their annotations, and what they have in common."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog

from ictrack.data.datasets.unlabeled_videos import exclude_videos, names_of_videos
from ictrack.data.lint import Defects, lint_annotations
from ictrack.data.lint.duplicates import PictureIndex
from ictrack.data.lint.images import ImageFiles

# Headers are read of about this many images of a data set.
_NUM_HEADERS = 200
_VIDEO_EVALUATORS = ("youtube_vis", "posetrack")
# Images of a data set that are looked at before a training, and frames of an unlabeled video that are compared.
_NUM_QUICK, _NUM_OF_VIDEO = 32, 8
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

    Images of the same file, or that look the same, are a warning, since small data sets are tried out so; videos of the
    same name an error.
    """
    yield from unlabeled_leaks(cfg)
    trained = {file for name in cfg.DATASETS.TRAIN for file in _files_of(name)}
    index: PictureIndex | None = None
    for name in cfg.DATASETS.TEST:
        where = f"DATASETS.TEST: {name}"
        tested = _files_of(name)
        if shared := sorted(trained & tested):
            yield f"{where}: images that are in DATASETS.TRAIN, too: {_listed(shared)}", False
        index = index or PictureIndex([*sorted(trained), *_pictures_of_unlabeled(cfg)])
        pairs = ((index.find(file), file) for file in sorted(tested - trained))
        if same := [f"{file} ({found})" for found, file in pairs if found not in (None, file)]:
            yield f"{where}: images that look like some of the training data: {_listed(same)}", False


def unlabeled_leaks(cfg: CfgNode) -> Iterator[tuple[str, bool]]:
    """(Description, whether it is an error) of the videos that are unlabeled training data and in an evaluation."""
    unlabeled = {record["video_name"] for record in _unlabeled(cfg)}
    for name in cfg.DATASETS.TEST:
        is_video = MetadataCatalog.get(name).get("evaluator_type") in _VIDEO_EVALUATORS
        if shared := sorted(unlabeled.intersection(names_of_videos(name))) if is_video else []:
            advice = f"add {name} to DATASETS.UNLABELED_EXCLUDE"
            where = f"DATASETS.TEST: {name}"
            yield f"{where}: videos that are in DATASETS.UNLABELED, too: {_listed(shared)}; {advice}", True


def quick_findings(cfg: CfgNode) -> Iterator[str]:
    """Descriptions of what a training would learn from in silence, found in seconds: leaks, wrong images in a sample.

    ``ictrack check`` finds the rest.
    """
    yield from (text for text, _ in unlabeled_leaks(cfg))
    for key in ("TRAIN", "TEST"):
        for name in cfg.DATASETS[key]:
            defects = Defects()
            records = DatasetCatalog.get(name)
            for record in records[:: max(1, len(records) // _NUM_QUICK)]:
                file = (record.get("file_names") or [record["file_name"]])[0]
                size = (record["height"], record["width"]) if "height" in record else None
                folder, base = os.path.split(file)
                ImageFiles(folder).check(base, size, f"DATASETS.{key}: {name}", defects)
            yield from (f"{defect.where}: {defect.text}" for defect in defects.found)


def _unlabeled(cfg: CfgNode) -> list[dict[str, Any]]:
    """Records of the unlabeled videos that are trained on."""
    records = [record for name in cfg.DATASETS.UNLABELED for record in DatasetCatalog.get(name)]
    return exclude_videos(records, cfg.DATASETS.UNLABELED_EXCLUDE)


def _pictures_of_unlabeled(cfg: CfgNode) -> Iterator[str]:
    """Some frames of each unlabeled video that is a folder of frames."""
    for record in _unlabeled(cfg):
        names = record.get("file_names", [])
        yield from names[:: max(1, len(names) // _NUM_OF_VIDEO)]


def _files_of(name: str) -> set[str]:
    """Paths of the images of a data set."""
    found: set[str] = set()
    for record in DatasetCatalog.get(name):
        found.update(map(os.path.abspath, record.get("file_names") or [record["file_name"]]))
    return found


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more
