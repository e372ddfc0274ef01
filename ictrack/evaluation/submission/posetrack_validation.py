"""Offline check of PoseTrack18 predictions for problems that the server's tool (poseval) refuses or misreads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ictrack.structures.describe import describe
from ictrack.structures.joints import POSETRACK_15, joint_indices
from ictrack.structures.json_files import AnnotationError, is_finite, is_int, parse_json, require
from ictrack.structures.posetrack_json import MAX_TRACK_ID

from .archive import Archive, Folder, open_submission
from .posetrack import sequence_files
from .problem import Problem, error, read_error, warning

# Names such as .../000342_mpii_test/000000.jpg.
_IMAGE_NAME = re.compile(r"(?:.*/)?\d+_[A-Za-z0-9]+_[A-Za-z0-9]+/\d+\.jpg")
_NUMS_JOINTS = (len(POSETRACK_15), len(POSETRACK_15) + 2)


def validate_posetrack(gt_path: str | Path, pred_path: str | Path) -> Iterator[Problem]:
    """Problems of a folder or zip of predictions. No content raises an error.

    Args:
        gt_path: Folder with the data set's files; only their names and lists of images are used.
        pred_path: File or folder to submit.
    """
    frames: dict[str, list[str]] = {}
    try:
        with open_submission(gt_path) as gt:
            for name, members in sorted(sequence_files(gt).items()):
                frames[name] = _frame_names(gt, members[0])
            require(bool(frames), str(gt_path), "holds no .json or .json.gz file")
        with open_submission(pred_path) as results:
            yield from _folder_problems(results, Path(pred_path), frames)
    except (AnnotationError, OSError) as wrong:
        yield read_error(wrong)


def _frame_names(gt: Archive | Folder, member: str) -> list[str]:
    where = gt.where(member)
    data = parse_json(gt.read(member), where)
    images = data.get("images") if isinstance(data, dict) else None
    if not isinstance(images, list) or not all(
        isinstance(image, dict) and isinstance(image.get("file_name"), str) for image in images
    ):
        raise AnnotationError(f"{where}: images: must be a list of objects with file_name")
    return [image["file_name"] for image in images]


def _folder_problems(results: Archive | Folder, path: Path, frames: dict[str, list[str]]) -> Iterator[Problem]:
    files = sequence_files(results)
    for name in frames:
        if name not in files:
            yield error(str(path), f"{name}.json is missing")
    for name, members in sorted(files.items()):
        where = results.where(members[0])
        if name not in frames:
            yield warning(where, "the ground truth has no such sequence; it is not scored")
            continue
        if len(members) > 1:
            yield error(where, f"sequence {name!r} is there {len(members)} times")
        if members[0].endswith(".gz"):
            yield warning(where, "is compressed; servers take .json")
        try:
            data = parse_json(results.read(members[0]), where)
        except AnnotationError as wrong:
            yield error(where, str(wrong).removeprefix(f"{where}: "))
            continue
        for problem in find_pose_problems(data, frames[name]):
            yield problem.in_file(where)


def find_pose_problems(data: Any, frame_names: Sequence[str]) -> Iterator[Problem]:
    """Problems that keep the predictions of a sequence from being scored as intended.

    Args:
        data: Content of a file.
        frame_names: ``file_name`` of each frame in the ground truth.
    """
    if not isinstance(data, dict):
        yield error("$", "must be an object with images, annotations and categories")
        return
    if "annolist" in data:
        yield error("$.annolist", "the PoseTrack17 format; convert the file to that of PoseTrack18")
        return
    num_joints = None
    for found in _category_problems(data.get("categories")):
        if isinstance(found, Problem):
            yield found
        else:
            num_joints = found
    frames: dict[int, int] = {}
    yield from _image_problems(data.get("images"), frame_names, frames)
    people = data.get("annotations")
    if not isinstance(people, list):
        yield error("annotations", "must be a list")
        return
    yield from _people_problems(people, frames, num_joints)


def _category_problems(categories: Any) -> Iterator[Problem | int]:
    """Problems of the category, and the number of joints if their names can be used."""
    if not isinstance(categories, list) or len(categories) != 1 or not isinstance(categories[0], dict):
        yield error("categories", "must be a list of one category")
        return
    name, joints, path = categories[0].get("name"), categories[0].get("keypoints"), "categories[0].keypoints"
    if name != "person":
        yield error("categories[0].name", f'must be "person", not {describe(name)}')
    if not isinstance(joints, list) or not all(isinstance(joint, str) for joint in joints):
        yield error(path, "must be a list of names")
        return
    if len(joints) not in _NUMS_JOINTS or len(set(joints)) != len(joints):
        yield error(path, f"must be {_NUMS_JOINTS[0]} or {_NUMS_JOINTS[1]} different joints")
    missing = [
        joint for joint, column in zip(POSETRACK_15.names, joint_indices(joints, POSETRACK_15.names)) if column < 0
    ]
    if missing:
        yield error(path, f"lacks {', '.join(missing)}")
    yield len(joints)


def _image_problems(images: Any, frame_names: Sequence[str], frames: dict[int, int]) -> Iterator[Problem]:
    """Problems of the images. ``frames`` is filled with the frame index of each image id."""
    if not isinstance(images, list):
        yield error("images", "must be a list")
        return
    if len(images) != len(frame_names):
        yield error("images", f"has {len(images)} images, the ground truth {len(frame_names)}")
    folder = ""
    for t, image in enumerate(images):
        where = f"images[{t}]"
        if not isinstance(image, dict):
            yield error(where, "must be an object")
            continue
        image_id: Any = image.get("id")
        name = image.get("file_name")
        if not is_int(image_id):
            yield error(f"{where}.id", f"must be an integer, not {describe(image_id)}")
        elif frames.setdefault(image_id, t) != t:
            yield error(f"{where}.id", f"{describe(image_id)} is that of images[{frames[image_id]}]")
        if not isinstance(name, str) or not _IMAGE_NAME.fullmatch(name):
            yield error(
                f"{where}.file_name", f"must look like 000342_mpii_test/000000.jpg, which {describe(name)} does not"
            )
        elif name.rpartition("/")[0] != (folder := folder or name.rpartition("/")[0]):
            yield error(f"{where}.file_name", f"{describe(name)} is in another folder than those before")
        elif t < len(frame_names) and _frame_of(name) != _frame_of(frame_names[t]):
            yield error(
                f"{where}.file_name",
                f"is {describe(name)}, but frame {t} of the ground truth is {describe(frame_names[t])}: "
                "frames are paired by their position",
            )


def _frame_of(name: str) -> tuple[str, ...]:
    return PurePosixPath(name).parts[-2:]


def _people_problems(people: Sequence[Any], frames: dict[int, int], num_joints: int | None) -> Iterator[Problem]:
    tracks: dict[tuple[int, int], int] = {}
    poses: dict[tuple[Any, ...], int] = {}
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for i, person in enumerate(people):
        where = f"annotations[{i}]"
        if not isinstance(person, dict):
            yield error(where, "must be an object")
            continue
        track_id: Any = person.get("track_id")
        keypoints: Any = person.get("keypoints")
        image_id: Any = person.get("image_id")
        frame = frames.get(image_id) if is_int(image_id) else None
        place = f" (frame {frame}, track {describe(track_id)})"
        if frame is None:
            yield error(f"{where}.image_id", f"{describe(image_id)} is not the id of an image in the file")
        if not is_int(track_id) or not 0 <= track_id < MAX_TRACK_ID:
            yield error(
                f"{where}.track_id", f"must be an integer from 0 to {MAX_TRACK_ID - 1}, not {describe(track_id)}"
            )
        elif frame is not None and tracks.setdefault((frame, track_id), i) != i:
            yield error(
                f"{where}.track_id", f"is that of annotations[{tracks[frame, track_id]}] in the same image{place}"
            )
        if num_joints is None:
            continue
        notes = []
        bad = list(_number_problems(keypoints, 3 * num_joints, f"{where}.keypoints", place))
        yield from bad
        if not bad and frame is not None:
            if not any(keypoints):
                notes.append("people have no joints, but count as people where a frame has nobody else")
            elif (original := poses.setdefault((frame, *keypoints), i)) != i:
                yield warning(where, f"is a copy of annotations[{original}]{place}")
            if any(x == y == 0 != v for x, y, v in zip(keypoints[::3], keypoints[1::3], keypoints[2::3])):
                notes.append("people have joints at (0, 0) with a third value that is not 0, which count as joints")
        scores = person.get("scores")
        if scores is None or scores == []:
            notes.append("people have no scores: their joints rank last in the average precision")
        else:
            yield from _number_problems(scores, num_joints, f"{where}.scores", place)
        for note in notes:
            counts[note] += 1
            first.setdefault(note, where)
    for note, count in counts.items():
        yield warning(first[note], f"{count} {note}")


def _number_problems(values: Any, length: int, path: str, place: str) -> Iterator[Problem]:
    if not isinstance(values, list) or len(values) != length:
        yield error(path, f"must be a list of {length} numbers{place}")
        return
    for k, value in enumerate(values):
        if not is_finite(value):
            yield error(f"{path}[{k}]", f"must be a finite number, not {describe(value)}{place}")
