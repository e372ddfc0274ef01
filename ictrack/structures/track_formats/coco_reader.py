"""COCO JSON with identities, see :mod:`.coco`: reader of annotations, also COCO's own, and of results files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..coco_json import MIN_POLYGON, read_coco
from ..describe import describe
from ..frame_numbers import Numbering, frame_indices
from ..frame_tracks import VideoInfo, VideoTracks
from ..json_files import AnnotationError, is_finite, is_int, is_whole, read_json, require
from ..mot_text import PICTURES_FOLDER
from ..posetrack_json import ignore_regions
from ..youtube_vis_json import polygons_to_rle
from .joint_names import joint_names
from .rows import FrameFacts, LabeledVideo, Row

# What is added to COCO's coordinates of joints.
SHIFT = 0.5
# The segmentation, for masks without pixels, which the reader of labels leaves out.
_EXTRA_KEYS = ("score", "track_id", "attributes", "keypoint_scores", "segmentation", "bbox_head", "visibility")


def read(path: str | os.PathLike, images: str | os.PathLike | None = None) -> list[VideoTracks]:
    """Videos of a file of annotations, or of a results file: one of each folder of images, whose name it has, or that
    of the sequence's folder in MOTChallenge's layout.

    The index of a frame is its image's ``frame_index``, where all have it, or else that of its name, see
    :func:`frame_indices`. In a results file without images, ``image_id`` is the frame index. An identity is an
    annotation's ``track_id``, or that of its ``attributes``. Crowds are left out.

    Args:
        path: File to read.
        images: File with the images and categories of a results file.

    Raises:
        AnnotationError: the file is wrong; the message has its name and the JSON path.
        OSError: the file cannot be opened.
    """
    return [video.tracks() for video in read_labels(path, images)]


def read_labels(path: str | os.PathLike, images: str | os.PathLike | None = None) -> list[LabeledVideo]:
    """Objects of a file, see :func:`read`."""
    data = read_json(Path(path))
    try:
        if not isinstance(data, list):
            content = read_coco(Path(path), keep=_EXTRA_KEYS)
            require("annotations" in content, str(path), "has no annotations")
            return _videos(path, content, _labels(content["annotations"], content["images"]))
        results = [_result(result, f"[{i}]") for i, result in enumerate(data)]
        if images is not None:
            return _videos(path, _content_of(images, results), results)
        video = LabeledVideo(str(path), VideoInfo(Path(path).stem, *_size(results), 0.0, (), (), _joints(results, ())))
        for image_id, row in results:
            require(image_id >= 0, "image_id", f"{image_id} is no frame index")
            video.add(image_id, row)
        return [video]
    except AnnotationError as error:
        named = str(error).startswith((f"{path}: ", f"{images}: "))
        raise AnnotationError(str(error) if named else f"{path}: {error}") from None


def _content_of(images: str | os.PathLike, results: Sequence[tuple[int, Row]]) -> dict[str, Any]:
    """Images and categories of a file, among which are those of all results."""
    content = read_coco(Path(images))
    for what, position in (("images", 0), ("categories", 1)):
        known = {entry["id"] for entry in content[what]}
        for i, (image_id, row) in enumerate(results):
            value = (image_id, row.category)[position]
            require(value in known, f"[{i}]", f"{value} is not the id of one of the {what} in {images}")
    return content


def _videos(path: object, content: dict[str, Any], rows: Sequence[tuple[int, Row]]) -> list[LabeledVideo]:
    """Videos of the images and categories of a file, and of rows by image id."""
    categories = {category["id"]: category["name"] for category in content["categories"]}
    joints = _joints(rows, content["categories"])
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for image in content["images"]:
        key = (str(PurePosixPath(image["file_name"]).parent), describe(image.get("video_id")))
        groups.setdefault(key, []).append(image)
    by_image: dict[int, list[Row]] = {}
    for image_id, row in rows:
        by_image.setdefault(image_id, []).append(row)
    videos = []
    for (folder, _), images in groups.items():
        indices, numbering = [image.get("frame_index", "") for image in images], Numbering.STATED
        parts = PurePosixPath(folder).parts
        is_sequence = parts[-1:] == (PICTURES_FOLDER,)
        if not all(map(is_int, indices)) or len(set(indices)) < len(indices):
            indices, numbering = frame_indices([image["file_name"] for image in images], from_one=is_sequence)
        ordered = sorted(zip(indices, images), key=lambda pair: pair[0])
        first = ordered[0][1]
        name = ((parts[:-1] if is_sequence else parts) or parts or (Path(str(path)).stem,))[-1]
        info = VideoInfo(name, first["height"], first["width"], 0.0, (), (), joints)
        video = LabeledVideo(str(path), info, categories, folder=folder, numbering=numbering)
        for index, image in ordered:
            video.frames[index] = _facts(image)
            for row in by_image.get(image["id"], ()):
                video.add(index, row)
        videos.append(video)
    return videos


def _facts(image: dict[str, Any]) -> FrameFacts:
    where = f"image {image['id']}"
    is_labeled = image.get("is_labeled", True)
    require(is_labeled in (True, False), f"{where}: is_labeled", f"must be true or false, not {describe(is_labeled)}")
    return FrameFacts(
        PurePosixPath(image["file_name"]).name,
        float(image["time"]) if is_finite(image.get("time")) else None,
        (image["height"], image["width"]),
        bool(is_labeled),
        ignore_regions(image, where),
    )


def _labels(annotations: Sequence[dict[str, Any]], images: Sequence[dict[str, Any]]) -> list[tuple[int, Row]]:
    sizes = {image["id"]: (image["height"], image["width"]) for image in images}
    rows = []
    for annotation in annotations:
        where = f"annotation {annotation['id']}"
        mask = annotation.get("segmentation")
        if isinstance(mask, list):
            polygons = [polygon for polygon in mask if len(polygon) >= MIN_POLYGON]
            size = sizes[annotation["image_id"]]
            mask = polygons_to_rle(polygons, size, f"{where}: segmentation") if polygons else None
        entry = {**annotation, "segmentation": mask}
        scores = entry.get("keypoint_scores")
        visibilities = (entry.get("keypoints") or [])[2::3]
        if entry.get("keypoints") is not None and scores is None:  # labels: a visible or hidden joint is certain
            scores = [float(visibility > 0) for visibility in visibilities]
        image_id, row = _row(entry, where, scores)
        row.is_crowd = bool(annotation["iscrowd"])
        row.occluded = np.array([visibility == 1 for visibility in visibilities]) if 1 in visibilities else None
        row.head_box = _head_box(entry.get("bbox_head"), f"{where}: bbox_head")
        if is_finite(entry.get("visibility")):
            row.visibility = float(entry["visibility"])
        rows.append((image_id, row))
    return rows


def _head_box(box: Any, where: str) -> tuple[float, ...] | None:
    if box is None:
        return None
    good = isinstance(box, list) and len(box) == 4 and all(map(is_finite, box))
    require(good, where, f"must be a list of 4 finite numbers, not {describe(box)}")
    return _corners(box)


def _corners(box: Sequence[float]) -> tuple[float, ...]:
    return (box[0], box[1], box[0] + box[2], box[1] + box[3])


def _result(result: Any, where: str) -> tuple[int, Row]:
    require(isinstance(result, dict), where, "must be an object")
    for key in ("image_id", "category_id"):
        require(is_whole(result.get(key)), f"{where}.{key}", f"must be an integer, not {describe(result.get(key))}")
    has_any = any(result.get(key) for key in ("bbox", "segmentation", "keypoints"))
    require(has_any, where, "has neither bbox nor segmentation nor keypoints")
    box = result.get("bbox")
    if box is not None:
        good = isinstance(box, list) and len(box) == 4 and all(map(is_finite, box))
        require(good, f"{where}.bbox", f"must be a list of 4 finite numbers, not {describe(box)}")
    return _row(result, where, None)


def _row(entry: dict[str, Any], where: str, joint_scores: Sequence[float] | None) -> tuple[int, Row]:
    score = entry.get("score", 1.0)
    require(is_finite(score), f"{where}: score", f"must be a number, not {describe(score)}")
    attributes = entry.get("attributes")  # of CVAT
    track_id = entry.get("track_id", attributes.get("track_id") if isinstance(attributes, dict) else None)
    require(
        track_id is None or is_whole(track_id), f"{where}: track_id", f"must be an integer, not {describe(track_id)}"
    )
    box = entry.get("bbox")
    mask = entry.get("segmentation")
    require(mask is None or isinstance(mask, dict), f"{where}: segmentation", "must be an RLE")
    pose = None
    if entry.get("keypoints") is not None:
        joints = entry["keypoints"]
        good = isinstance(joints, list) and len(joints) % 3 == 0 and all(map(is_finite, joints))
        require(good, f"{where}: keypoints", "must be a list of x, y, score of each joint")
        pose = np.array(joints, dtype=np.float64).reshape(-1, 3)
        pose[:, :2] += SHIFT
        if joint_scores is not None:
            good = (
                isinstance(joint_scores, list) and len(joint_scores) == len(pose) and all(map(is_finite, joint_scores))
            )
            require(good, f"{where}: keypoint_scores", "must be a list of a number for each joint")
            pose[:, 2] = joint_scores
    corners = None if box is None else _corners(box)
    row = Row(int(entry["category_id"]), float(score), corners, track_id, mask, pose, f"{where}: segmentation")
    return int(entry["image_id"]), row


def _size(results: Sequence[tuple[int, Row]]) -> tuple[int, int]:
    """Height and width of the first mask; 0 without masks."""
    sizes = (row.rle["size"] for _, row in results if row.rle is not None and "size" in row.rle)
    return next((tuple(size) for size in sizes if isinstance(size, list) and len(size) == 2), (0, 0))


def _joints(rows: Sequence[tuple[int, Row]], categories: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Names of the joints of the first pose, from the category that names as many."""
    pose = next((row.keypoints for _, row in rows if row.keypoints is not None), None)
    if pose is None:
        return ()
    stated = (category["keypoints"] for category in categories if isinstance(category.get("keypoints"), list))
    return next((tuple(map(str, names)) for names in stated if len(names) == len(pose)), joint_names(len(pose)))
