"""COCO JSON with identities, which holds everything.

``images`` {id, file_name, width, height, frame_index, time}, ``categories`` {id, name, and ``keypoints`` where there
are poses}, ``annotations`` {id, image_id, category_id, bbox [x, y, width, height], area, iscrowd, score, track_id,
segmentation (RLE), keypoints, num_keypoints, keypoint_scores}.

Keypoints are x, y, visibility (2, or 0 where the joint's score is not positive), with the scores of the joints beside
them; by COCO's convention, the center of the first pixel is (0, 0), and not (0.5, 0.5) as elsewhere here. COCO's
results files are read as well, whose keypoints have the score in place of the visibility.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from pycocotools import mask as mask_util

from ..atomic_file import replacing
from ..coco_json import MIN_POLYGON, read_coco
from ..describe import describe
from ..frame_tracks import FrameTracks, VideoInfo, VideoTracks
from ..json_files import AnnotationError, is_finite, is_int, is_whole, read_json, require
from ..natural_order import natural_key
from ..youtube_vis_json import polygons_to_rle
from .boxes import to_xywh
from .fields import with_fields
from .joint_names import joint_names
from .rows import Row, Rows

logger = logging.getLogger(__name__)

# What is added to COCO's coordinates of joints.
_SHIFT = np.array([0.5, 0.5, 0.0])
# The segmentation, for masks without pixels, which the reader of labels leaves out.
_EXTRA_KEYS = ("score", "track_id", "attributes", "keypoint_scores", "segmentation")


def write(path: str | os.PathLike, info: VideoInfo, frames: Iterable[FrameTracks]) -> None:
    """Write a video's detections or tracks, frame by frame. Raises TrackFormatError as :func:`with_fields`."""
    _, frames = with_fields(frames, path)
    images: list[dict[str, Any]] = []
    num_annotations, num_classes = 0, 0
    with replacing(path) as file:
        file.write(b'{"annotations": [')
        for frame in frames:
            images.append(_image(frame, info))
            num_classes = max(num_classes, 1 + int(frame.classes.max(initial=-1)))
            for annotation in _annotations(frame, info):
                annotation = {"id": num_annotations + 1, **annotation}
                file.write(("," if num_annotations else "").encode() + b"\n" + json.dumps(annotation).encode())
                num_annotations += 1
        categories = info.categories(num_classes)
        if info.joint_names:
            categories = [{**category, "keypoints": info.joint_names, "skeleton": []} for category in categories]
        file.write(f'\n],\n"images": {json.dumps(images)},\n"categories": {json.dumps(categories)}}}\n'.encode())


def _image(frame: FrameTracks, info: VideoInfo) -> dict[str, Any]:
    return {
        "id": frame.index + 1,
        "file_name": frame.file_name or f"{frame.index:05d}.jpg",
        "width": info.width,
        "height": info.height,
        "frame_index": frame.index,
        "time": info.frame_time(frame),
    }


def _annotations(frame: FrameTracks, info: VideoInfo) -> Iterable[dict[str, Any]]:
    for i, box in enumerate(to_xywh(frame.boxes).tolist()):
        annotation = {
            "image_id": frame.index + 1,
            "category_id": info.category_id(int(frame.classes[i])),
            "bbox": box,
            "area": box[2] * box[3],
            "iscrowd": 0,
            "score": float(frame.scores[i]),
        }
        if frame.ids is not None:
            annotation["track_id"] = int(frame.ids[i])
        if frame.rles is not None:
            annotation["area"] = int(mask_util.area(frame.rles[i]))
            annotation["segmentation"] = frame.rles[i]
        if frame.keypoints is not None:
            scores = frame.keypoints[i, :, 2]
            joints = frame.keypoints[i] - _SHIFT
            joints[:, 2] = 2 * (scores > 0)
            annotation["keypoints"] = joints.ravel().tolist()
            annotation["num_keypoints"] = int((scores > 0).sum())
            annotation["keypoint_scores"] = scores.tolist()
        yield annotation


def read(path: str | os.PathLike, images: str | os.PathLike | None = None) -> list[VideoTracks]:
    """Videos of a file of annotations, or of a results file: one of each folder of images.

    The frames of a video are its images in the order of ``frame_index``, where they have it, or else in the natural
    order of their names. In a results file without images, ``image_id`` is the frame index. An identity is an
    annotation's ``track_id``, or that of its ``attributes``. Crowds are left out.

    Args:
        path: File to read.
        images: File with the images and categories of a results file.

    Raises:
        AnnotationError: the file is wrong; the message has its name and the JSON path.
        OSError: the file cannot be opened.
    """
    data = read_json(Path(path))
    try:
        if not isinstance(data, list):
            content = read_coco(Path(path), keep=_EXTRA_KEYS)
            require("annotations" in content, str(path), "has no annotations")
            return _videos(path, content, _labels(content["annotations"], content["images"]))
        results = [_result(result, f"[{i}]") for i, result in enumerate(data)]
        if images is not None:
            return _videos(path, _content_of(images, results), results)
        rows = Rows()
        for image_id, row in results:
            require(image_id >= 0, "image_id", f"{image_id} is no frame index")
            rows.add(image_id, row)
        return [rows.video(path, VideoInfo(Path(path).stem, *_size(results), 0.0, (), (), _joints(results, ())))]
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


def _videos(path: object, content: dict[str, Any], rows: Sequence[tuple[int, Row]]) -> list[VideoTracks]:
    """Videos of the images and categories of a file, and of rows by image id."""
    categories = {category["id"]: category["name"] for category in content["categories"]}
    joints = _joints(rows, content["categories"])
    folders: dict[str, list[dict[str, Any]]] = {}
    for image in content["images"]:
        folders.setdefault(str(PurePosixPath(image["file_name"]).parent), []).append(image)
    by_image: dict[int, list[Row]] = {}
    for image_id, row in rows:
        by_image.setdefault(image_id, []).append(row)
    videos = []
    for folder, of_folder in folders.items():
        stated = [image.get("frame_index") for image in of_folder]
        is_stated = all(map(is_int, stated)) and len(set(stated)) == len(stated)
        if not is_stated:
            of_folder = sorted(of_folder, key=lambda image: natural_key(image["file_name"]))
        of_video = Rows()
        names: dict[int, str] = {}
        times: dict[int, float] = {}
        for position, image in enumerate(of_folder):
            index = int(image["frame_index"]) if is_stated else position
            names[index] = PurePosixPath(image["file_name"]).name
            if is_finite(image.get("time")):
                times[index] = float(image["time"])
            for row in by_image.get(image["id"], ()):
                of_video.add(index, row)
        name = PurePosixPath(folder).name or Path(str(path)).stem
        info = VideoInfo(name, of_folder[0]["height"], of_folder[0]["width"], 0.0, (), (), joints)
        videos.append(of_video.video(path, info, categories, frame_names=names, times=times))
    return videos


def _labels(annotations: Sequence[dict[str, Any]], images: Sequence[dict[str, Any]]) -> list[tuple[int, Row]]:
    sizes = {image["id"]: (image["height"], image["width"]) for image in images}
    rows = []
    crowds = 0
    for annotation in annotations:
        if annotation["iscrowd"]:
            crowds += 1
            continue
        where = f"annotation {annotation['id']}"
        mask = annotation.get("segmentation")
        if isinstance(mask, list):
            polygons = [polygon for polygon in mask if len(polygon) >= MIN_POLYGON]
            size = sizes[annotation["image_id"]]
            mask = polygons_to_rle(polygons, size, f"{where}: segmentation") if polygons else None
        entry = {**annotation, "segmentation": mask}
        scores = entry.get("keypoint_scores")
        if entry.get("keypoints") is not None and scores is None:  # labels: a visible or hidden joint is certain
            scores = [float(visibility > 0) for visibility in entry["keypoints"][2::3]]
        rows.append(_row(entry, where, scores))
    if crowds:
        logger.warning("%d crowds, left out", crowds)
    return rows


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
        pose = np.array(joints, dtype=np.float64).reshape(-1, 3) + _SHIFT
        if joint_scores is not None:
            good = (
                isinstance(joint_scores, list) and len(joint_scores) == len(pose) and all(map(is_finite, joint_scores))
            )
            require(good, f"{where}: keypoint_scores", "must be a list of a number for each joint")
            pose[:, 2] = joint_scores
    corners = None if box is None else (box[0], box[1], box[0] + box[2], box[1] + box[3])
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
