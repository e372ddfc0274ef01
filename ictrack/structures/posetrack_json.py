"""Reader of PoseTrack18 and PoseTrack21 files, ground truth and predictions, with errors that name the place.

A file is a sequence: ``images`` {id, file_name, is_labeled, ignore_regions_x, ignore_regions_y}, ``categories`` (one,
"person", with the names of its ``keypoints``) and ``annotations`` {image_id, track_id, keypoints, and bbox_head in a
ground truth, scores in predictions}. Joints are identified by their names: ``POSETRACK_15`` in any order, with or
without two others, which are left out. A joint is absent iff its x, y and third value are all 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from .describe import describe
from .hidden_files import is_hidden
from .joints import POSETRACK_15, joint_indices
from .json_files import AnnotationError, index_by_id, is_finite, is_int, read_json, require
from .pose_sequence import PoseSequence

# Score of a joint without one, and upper bound of track ids (exclusive), after github.com/leonid-pishchulin/poseval.
MISSING_SCORE = -9999.0
MAX_TRACK_ID = 10000
_SUFFIXES = (".json", ".json.gz")
_NUM_EXTRA_JOINTS = 2


def read_pose_folder(folder: str | Path, *, is_ground_truth: bool) -> dict[str, PoseSequence]:
    """Sequences (``.json``, ``.json.gz``) of a folder, or of one file, by name and in the order of names.

    Raises:
        AnnotationError: a file is wrong (the message has file and JSON path), or there is no sequence, or one twice.
    """
    folder = Path(folder)
    require(folder.exists(), str(folder), "no such file or folder")
    files = [folder]
    if folder.is_dir():
        files = sorted(p for p in folder.iterdir() if p.name.endswith(_SUFFIXES) and not is_hidden(p.name))
    require(bool(files), str(folder), "holds no .json or .json.gz file")
    sequences: dict[str, PoseSequence] = {}
    for path in files:
        sequence = read_pose_sequence(path, is_ground_truth=is_ground_truth)
        require(sequence.name not in sequences, str(path), "the same sequence is there as .json and as .json.gz")
        sequences[sequence.name] = sequence
    return dict(sorted(sequences.items()))


def read_pose_sequence(path: str | Path, *, is_ground_truth: bool) -> PoseSequence:
    """Sequence of a file, with the file's name without its suffix.

    Raises:
        AnnotationError: the file is wrong; the message has its name and the JSON path.
    """
    path = Path(path)
    try:
        data = read_json(path)
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read: {error.strerror}") from None
    return parse_pose_sequence(data, sequence_name(path.name), is_ground_truth=is_ground_truth, source=str(path))


def sequence_name(file_name: str) -> str:
    """File name without ``.json`` or ``.json.gz``."""
    return file_name.removesuffix(".gz").removesuffix(".json")


def parse_pose_sequence(data: Any, name: str, *, is_ground_truth: bool, source: str = "") -> PoseSequence:
    """Sequence from the content of a file.

    Args:
        data: JSON value.
        name: Name of the sequence.
        is_ground_truth: Whether people must have a head box, and scores are not read.
        source: Name of the file, for errors.

    Raises:
        AnnotationError: the content is wrong; the message has the source and the JSON path.
    """
    try:
        return _parse(data, name, is_ground_truth, source)
    except AnnotationError as error:
        raise AnnotationError(f"{source}: {error}" if source else str(error)) from None


def _parse(data: Any, name: str, is_ground_truth: bool, source: str) -> PoseSequence:
    require(isinstance(data, dict), "$", "must be an object with images, annotations and categories")
    require("annolist" not in data, "$.annolist", "the PoseTrack17 format; convert the file to that of PoseTrack18")
    columns, num_joints = _joint_columns(data.get("categories"))
    positions = {image_id: i for i, image_id in enumerate(index_by_id(data.get("images"), "images"))}
    images: list[dict[str, Any]] = data["images"]
    file_names = tuple(_file_name(image, f"images[{i}].file_name") for i, image in enumerate(images))
    for i, file_name in enumerate(file_names):
        where = f"images[{i}].file_name"
        require(_folder(file_name) == _folder(file_names[0]), where, "in another folder than the first: two sequences?")
    people = data.get("annotations")
    require(isinstance(people, list), "annotations", "must be a list")
    for i, person in enumerate(people):
        require(type(person) is dict, f"annotations[{i}]", "must be an object")

    frames = _frames(people, positions)
    # Negative ids and those from MAX_TRACK_ID on are refused in a ground truth, too: poseval would mix up sequences.
    track_ids = _track_ids(people)
    order = np.argsort(frames, kind="stable")
    _check_unique_tracks(frames, track_ids)
    paths = [f"annotations[{i}]" for i in range(len(people))]
    table = _numbers([p.get("keypoints") for p in people], 3 * num_joints, paths, "keypoints").reshape(
        len(people), num_joints, 3
    )[order][:, columns]
    has_scores = np.zeros(len(people), dtype=bool)
    scores = np.full((len(people), len(columns)), MISSING_SCORE)
    head_diagonals = areas = np.full(len(people), np.nan)
    if is_ground_truth:
        x, y, width, height = _numbers([p.get("bbox_head") for p in people], 4, paths, "bbox_head")[order].T
        # The difference of the corners, and not the size itself, as in poseval: they may differ by rounding.
        head_diagonals = np.sqrt(((x + width) - x) ** 2 + ((y + height) - y) ** 2)
        areas = _box_areas(people, paths)[order]
    else:
        has_scores = np.array([bool(p.get("scores")) for p in people], dtype=bool)
        given = np.flatnonzero(has_scores)
        scores[given] = _numbers([people[i]["scores"] for i in given], num_joints, [paths[i] for i in given], "scores")[
            :, columns
        ]
        scores, has_scores = scores[order], has_scores[order]
    has_people = np.bincount(frames, minlength=len(images)) > 0
    return PoseSequence(
        name=name,
        source=source,
        file_names=file_names,
        is_labeled=_is_labeled(images, has_people),
        ignore_regions=tuple(ignore_regions(image, f"images[{i}]") for i, image in enumerate(images)),
        frames=frames[order],
        track_ids=track_ids[order],
        keypoints=np.ascontiguousarray(table[..., :2]),
        present=(table != 0).any(axis=2),
        scores=scores,
        head_diagonals=head_diagonals,
        areas=areas,
        has_scores=has_scores,
    )


def _joint_columns(categories: Any) -> tuple[list[int], int]:
    """Position of each joint of POSETRACK_15 in the file's keypoints, and the file's number of joints."""
    require(isinstance(categories, list) and len(categories) == 1, "categories", "must be a list of one category")
    category = categories[0]
    require(isinstance(category, dict) and category.get("name") == "person", "categories[0].name", 'must be "person"')
    names, path = category.get("keypoints"), "categories[0].keypoints"
    require(isinstance(names, list) and all(isinstance(name, str) for name in names), path, "must be a list of names")
    num_known = len(POSETRACK_15)
    require(
        len(names) in (num_known, num_known + _NUM_EXTRA_JOINTS),
        path,
        f"must be {num_known} or {num_known + _NUM_EXTRA_JOINTS} joints, not {len(names)}",
    )
    require(len(set(names)) == len(names), path, "a joint is there twice")
    columns = joint_indices(names, POSETRACK_15.names)
    missing = [name for name, column in zip(POSETRACK_15.names, columns) if column < 0]
    require(not missing, path, f"lacks {', '.join(missing)}")
    return columns, len(names)


def _file_name(image: dict[str, Any], path: str) -> str:
    name = image.get("file_name")
    if not isinstance(name, str) or not name:
        raise AnnotationError(f"{path}: must be the name of the image, not {describe(name)}")
    return name


def _folder(file_name: str) -> str:
    return file_name.rpartition("/")[0]


def _is_labeled(images: Sequence[dict[str, Any]], has_people: np.ndarray) -> np.ndarray:
    """Whether each of F frames is labeled, as the file says, or else whether it has people."""
    labeled = has_people.copy()
    for i, image in enumerate(images):
        value = image.get("is_labeled")
        if value is not None:
            require(value in (False, True), f"images[{i}].is_labeled", f"must be true or false, not {describe(value)}")
            labeled[i] = value
    return labeled


def ignore_regions(image: dict[str, Any], path: str) -> tuple[np.ndarray, ...]:
    """Polygons (V, 2) x, y of an image in which nothing was labeled. Raises AnnotationError with the JSON path."""
    all_x, all_y = (image.get(f"ignore_regions_{axis}") for axis in "xy")
    if all_x is None or all_y is None:
        return ()
    require(
        isinstance(all_x, list) and isinstance(all_y, list) and len(all_x) == len(all_y),
        f"{path}.ignore_regions_x",
        "x and y must be lists of the same number of regions",
    )
    regions = []
    for i, (x, y) in enumerate(zip(all_x, all_y)):
        where = [f"{path}.ignore_regions_{axis}[{i}]" for axis in "xy"]
        require(isinstance(x, list) and isinstance(y, list), where[0], "must be a list of numbers")
        require(len(x) == len(y), where[0], f"has {len(x)} numbers, but y has {len(y)}")
        require(len(x) == 0 or len(x) >= 3, where[0], f"a region needs at least 3 points, not {len(x)}")
        regions.append(np.stack([_numbers([x], len(x), where[:1])[0], _numbers([y], len(y), where[1:])[0]], axis=1))
    return tuple(regions)


def _frames(people: Sequence[dict[str, Any]], positions: dict[int, int]) -> np.ndarray:
    """Index (P,) of each person's frame."""
    for i, person in enumerate(people):
        image_id = person.get("image_id")
        if not is_int(image_id) or image_id not in positions:
            raise AnnotationError(
                f"annotations[{i}].image_id: {describe(image_id)} is not the id of an image in the file"
            )
    return np.array([positions[person["image_id"]] for person in people], dtype=np.int64)


def _track_ids(people: Sequence[dict[str, Any]]) -> np.ndarray:
    for i, person in enumerate(people):
        track_id: Any = person.get("track_id")
        if not is_int(track_id) or not 0 <= track_id < MAX_TRACK_ID:
            raise AnnotationError(
                f"annotations[{i}].track_id: must be an integer from 0 to {MAX_TRACK_ID - 1}, not {describe(track_id)}"
            )
    return np.array([person["track_id"] for person in people], dtype=np.int64)


def _check_unique_tracks(frames: np.ndarray, track_ids: np.ndarray) -> None:
    key = frames * MAX_TRACK_ID + track_ids
    order = np.argsort(key, kind="stable")
    repeated = np.flatnonzero(key[order][1:] == key[order][:-1])
    if len(repeated):
        first, second = order[repeated[0]], order[repeated[0] + 1]
        raise AnnotationError(
            f"annotations[{second}].track_id: {track_ids[second]} is that of annotations[{first}] in the same image"
        )


def _box_areas(people: Sequence[dict[str, Any]], paths: Sequence[str]) -> np.ndarray:
    areas = np.full(len(people), np.nan)
    given = [i for i, person in enumerate(people) if person.get("bbox")]
    boxes = _numbers([people[i]["bbox"] for i in given], 4, [paths[i] for i in given], "bbox")
    areas[given] = np.abs(boxes[:, 2] * boxes[:, 3])
    return areas


def _numbers(rows: Sequence[Any], length: int, paths: Sequence[str], key: str = "") -> np.ndarray:
    """Array (N, length) of N lists of numbers; ``paths`` and ``key`` are their JSON paths."""
    if all(type(row) is list and len(row) == length for row in rows) and _are_plain(chain.from_iterable(rows)):
        with suppress(OverflowError):
            flat = np.fromiter(chain.from_iterable(rows), dtype=np.float64, count=len(rows) * length)
            if np.isfinite(flat).all():
                return flat.reshape(len(rows), length)
    for row, path in zip(rows, paths):
        _check_row(row, length, f"{path}.{key}" if key else path)
    return np.array(rows, dtype=np.float64).reshape(len(rows), length)  # numbers of other types


def _are_plain(values: Iterable[Any]) -> bool:
    return set(map(type, values)) <= {int, float}


def _check_row(row: Any, length: int, path: str) -> None:
    require(row is not None, path, "is missing")
    require(type(row) is list and len(row) == length, path, f"must be a list of {length} numbers")
    for k, value in enumerate(row):
        require(is_finite(value), f"{path}[{k}]", f"must be a finite number, not {describe(value)}")
