"""Data sets in PoseTrack18 format, for tests: PoseTrack18, PoseTrack21, and a user's own.

Below ``DETECTRON2_DATASETS`` (default ``./datasets``), as they are distributed::

    posetrack18/annotations/{train,val,test}/<sequence>.json       posetrack18/images/<split>/<sequence>/<frame>.jpg
    PoseTrack21/posetrack_data/{train,val}/<sequence>.json         PoseTrack21/images/<split>/<sequence>/<frame>.jpg

They are registered as ``posetrack18_val``, ``posetrack21_val`` and so on. A sequence is a video with all its frames,
labeled or not, as a tracker needs them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from detectron2.data import DatasetCatalog, MetadataCatalog

from ictrack.structures.hidden_files import is_hidden
from ictrack.structures.inside_folder import path_inside
from ictrack.structures.joints import POSETRACK_18
from ictrack.structures.json_files import AnnotationError, index_by_id, is_int, read_json, require
from ictrack.structures.open_image import open_image
from ictrack.structures.posetrack_json import sequence_name

# Name -> (folder, annotation folder in it with {} for the split, splits). Images are named relative to the folder.
_LAYOUTS = {
    "posetrack18": ("posetrack18", "annotations/{}", ("train", "val", "test")),
    "posetrack21": ("PoseTrack21", "posetrack_data/{}", ("train", "val")),
}


def register_posetrack(name: str, annotation_folder: str, image_root: str) -> None:
    """Register a data set in PoseTrack18 format under ``name``. Files are opened when it is first used.

    Args:
        name: Name in ``cfg.DATASETS``.
        annotation_folder: Folder with a ``.json`` or ``.json.gz`` a sequence.
        image_root: Folder that the files' ``file_name`` are relative to.
    """
    DatasetCatalog.register(name, lambda: load_posetrack_folder(annotation_folder, image_root))
    MetadataCatalog.get(name).set(
        annotation_folder=annotation_folder,
        image_root=image_root,
        evaluator_type="posetrack",
        thing_classes=["person"],
        keypoint_names=list(POSETRACK_18.names),
    )


def register_all_posetrack(root: str) -> None:
    """Register the public data sets below the folder ``root``; names that exist already are left alone."""
    for dataset, (folder, annotation_folder, splits) in _LAYOUTS.items():
        for split in splits:
            name = f"{dataset}_{split}"
            if name not in DatasetCatalog:
                image_root = os.path.join(root, folder)
                register_posetrack(name, os.path.join(image_root, annotation_folder.format(split)), image_root)


def posetrack_files(annotation_folder: str | Path) -> list[Path]:
    """Files of a folder's sequences by name, without hidden files. Raises AnnotationError if there is none."""
    folder = Path(annotation_folder)
    require(folder.is_dir(), str(folder), "no such folder of annotation files, one a sequence")
    visible = (path for path in folder.iterdir() if not is_hidden(path.name))
    files = sorted(path for path in visible if path.name.endswith((".json", ".json.gz")))
    require(bool(files), str(folder), "holds no .json or .json.gz file")
    return files


def load_posetrack_folder(annotation_folder: str, image_root: str) -> list[dict[str, Any]]:
    """Dataset dicts, one a sequence, by name, for :func:`ictrack.data.build.build_video_test_loader`.

    Each holds ``video_id`` (its position), ``video_name`` (the file's name without suffix), ``height``, ``width``,
    ``length``, ``file_names`` (one a frame), ``images`` (the file's own entries, for a submission) and
    ``has_annotations``. The evaluator reads the annotations.

    Args:
        annotation_folder: Folder with a file a sequence; files of a test set have no ``annotations``.
        image_root: Folder that ``file_name`` is relative to.

    Raises:
        AnnotationError: a file is wrong; the message has its name and the JSON path.
        OSError: a file does not state the size of its images, and the first image cannot be read.
    """
    records = []
    for video_id, path in enumerate(posetrack_files(annotation_folder)):
        data = read_json(path)
        try:
            images = _images(data)
            file_names = [
                path_inside(image_root, image["file_name"], f"images[{i}].file_name") for i, image in enumerate(images)
            ]
        except AnnotationError as error:
            raise AnnotationError(f"{path}: {error}") from None
        height, width = _image_size(images[0], file_names[0])
        records.append(
            {
                "video_id": video_id,
                "video_name": sequence_name(path.name),
                "height": height,
                "width": width,
                "length": len(images),
                "file_names": file_names,
                "images": images,
                "has_annotations": data.get("annotations") is not None,
            }
        )
    return records


def _images(data: Any) -> list[dict[str, Any]]:
    require(isinstance(data, dict), "$", "must be an object with images, annotations and categories")
    index_by_id(data.get("images"), "images")
    require(len(data["images"]) > 0, "images", "must not be empty")
    for i, image in enumerate(data["images"]):
        name = image.get("file_name")
        require(isinstance(name, str) and bool(name), f"images[{i}].file_name", f"must be a file's name, not {name!r}")
    return data["images"]


def _image_size(image: dict[str, Any], file_name: str) -> tuple[int, int]:
    """Size (height, width) in pixels, as stated in the annotations or else in the image's header."""
    if all(is_int(image.get(key)) and image[key] > 0 for key in ("height", "width")):
        return image["height"], image["width"]
    with open_image(file_name) as opened:
        return opened.height, opened.width
