"""Labels made to fit a file format, or one error that says what it cannot hold."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ..joints import JOINT_SETS, convert_keypoints, joint_indices, joint_set_of
from ..track_formats.fields import TrackFormatError
from .features import FEATURES, lost_features
from .label_set import LabelSet
from .registry import LabelFormat

# Names of losses that are no features of their own, and what is lost.
_OTHERS = {
    "unread": "what the reader cannot hold",
    "incomplete": "objects without what the format needs",
    "classes": "names of classes",
    "joints": "joints that the format does not have",
    "id-numbers": "identities beyond the largest one, which are numbered anew by video",
}
LOSSES = (*FEATURES, *_OTHERS)
_FIELDS = {"ids": ("track_id", "identity"), "masks": ("rle", "mask"), "poses": ("keypoints", "pose")}


def fit(labels: LabelSet, target: LabelFormat, path: object, drop: Collection[str] = ()) -> list[str]:
    """Leave out of labels, in place, what a format does not hold and ``drop`` names.

    Args:
        labels: Labels.
        target: Format that they are to be written in.
        path: File that is to be written, for messages.
        drop: Names in ``LOSSES`` of what may be lost.

    Returns:
        Lines that say what was left out.

    Raises:
        TrackFormatError: something would be lost that is not named; the message has all that would be, or what is
            missing.
    """
    lost = {name: (count, FEATURES[name].text) for name, count in lost_features(labels, target.all_held()).items()}
    unread = labels.left_out()
    if unread:
        listed = ", ".join(f"{count} {what}" for what, count in unread.items())
        lost["unread"] = (unread.total() if hasattr(unread, "total") else sum(unread.values()), f"unread: {listed}")
    incomplete = _incomplete(labels, target)
    if incomplete:
        lost["incomplete"] = (incomplete, f"objects that lack {_needed(target)}")
    if target.only_class and (named := _named(labels, target)):
        lost["classes"] = (named, f"objects' names of classes other than {target.only_class!r}")
    if target.joints and (poses := _lost_joints(labels, target)):
        lost["joints"] = (poses, f"poses with joints that {target.joints.name} does not have")
    if large := len({row.track_id for row in labels.rows() if not 0 <= (row.track_id or 0) <= target.max_id}):
        lost["id-numbers"] = (large, f"identities that are not from 0 to {target.max_id}")
    refused = [name for name in lost if name not in drop]
    if refused:
        listed = "; ".join(f"{lost[name][0]} {lost[name][1]}" for name in refused)
        advice = f"--drop {' '.join(refused)} leaves them out"
        raise TrackFormatError(f"{path}: {target.name} cannot hold {listed} ({labels.where}); {advice}")
    for name in lost:
        if name in FEATURES:
            FEATURES[name].drop(labels)
    if "incomplete" in lost:
        fields = [_FIELDS[need][0] for need in target.needs]
        labels.keep_rows(lambda row: row.is_crowd or all(getattr(row, name) is not None for name in fields))
    if "id-numbers" in lost:
        _number_identities(labels)
    _convert_joints(labels, target, path)
    _check_sizes(labels, target, path)
    return [f"left out: {count} {text}" for count, text in lost.values()]


def _needed(target: LabelFormat) -> str:
    return " and ".join(_FIELDS[need][1] for need in target.needs)


def _incomplete(labels: LabelSet, target: LabelFormat) -> int:
    fields = [_FIELDS[need][0] for need in target.needs]
    return sum(any(getattr(row, name) is None for name in fields) for row in labels.rows() if not row.is_crowd)


def _named(labels: LabelSet, target: LabelFormat) -> int:
    names = {number for number, name in labels.categories.items() if name not in (target.only_class, "class 1")}
    return sum(row.category in names for row in labels.rows() if not row.is_crowd)


def _number_identities(labels: LabelSet) -> None:
    for video in labels.videos:
        numbers: dict[int, int] = {}
        for index in video.indices():
            for row in video.rows.get(index, ()):
                if row.track_id is not None:
                    row.track_id = numbers.setdefault(row.track_id, len(numbers))


def _lost_joints(labels: LabelSet, target: LabelFormat) -> int:
    if target.joints is None or not labels.joint_names:
        return 0
    kept = set(joint_indices(labels.joint_names, target.joints.names))
    lost = [index for index in range(len(labels.joint_names)) if index not in kept]
    return sum(row.keypoints is not None and bool((row.keypoints[lost, 2] > 0).any()) for row in labels.rows())


def _convert_joints(labels: LabelSet, target: LabelFormat, path: object) -> None:
    if target.joints is None or not labels.joint_names or labels.joint_names == target.joints.names:
        return
    source = joint_set_of(labels.joint_names)
    shared = any(index >= 0 for index in joint_indices(labels.joint_names, target.joints.names))
    if not shared:
        known = ", ".join(JOINT_SETS)
        listed = ", ".join(labels.joint_names)
        raise TrackFormatError(f"{path}: {target.name}'s joints cannot be made of {listed}; known sets are {known}")
    indices = np.array(joint_indices(labels.joint_names, target.joints.names))
    for row in labels.rows():
        if row.keypoints is not None:
            row.keypoints = convert_keypoints(row.keypoints[None], source, target.joints)[0]
        if row.occluded is not None:
            row.occluded = np.where(indices >= 0, row.occluded[indices], False)
    labels.joint_names = target.joints.names


def _check_sizes(labels: LabelSet, target: LabelFormat, path: object) -> None:
    for video in labels.videos:
        sizes = {video.facts(index).size or (0, 0) for index in video.indices()} or {(1, 1)}
        if target.needs_sizes and not all(all(size) for size in sizes):
            text = f"{path}: {target.name} needs the sizes of the frames of {video.info.name}, which {video.where} does"
            raise TrackFormatError(f"{text} not state; name the folder of the pictures, or the video, by --images")
        if target.one_size and len(sizes) > 1:
            (a, b), (c, d), *_ = sorted(sizes)
            text = f"{path}: frames of a video have one size in {target.name}, those of {video.info.name} are of"
            raise TrackFormatError(f"{text} {b} x {a} and {d} x {c} pixels")
