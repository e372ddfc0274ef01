"""Labels of a set of videos, between the file formats: every format is read into this and written from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..describe import describe
from ..frame_tracks import VideoTracks
from ..joints import JOINT_SETS
from ..json_files import AnnotationError, require
from ..safe_names import check_safe
from ..track_formats.boxes import check_corners
from ..track_formats.rows import LabeledVideo, Row


@dataclass
class LabelSet:
    """Labels of a set of videos; stills are the frames of a video that may differ in size.

    Attributes:
        where: File or folder that it was read from, for messages.
        videos: Videos of different names. The categories of their rows are ids, their masks are checked and of their
            frames' size, and an identity is once in a frame.
        categories: Names of the classes by their ids.
        joint_names: Names of the joints of all poses; empty without poses.
    """

    where: str
    videos: list[LabeledVideo]
    categories: dict[int, str]
    joint_names: tuple[str, ...] = ()

    def rows(self) -> Iterator[Row]:
        """All objects."""
        return (row for video in self.videos for row in video)

    def left_out(self) -> Counter[str]:
        """Numbers of what the reader could not hold, in words."""
        total: Counter[str] = Counter()
        for video in self.videos:
            total.update(video.left_out)
        return total

    def keep_rows(self, keep: Callable[[Row], bool]) -> int:
        """Leave out objects; returns how many."""
        before = sum(1 for _ in self.rows())
        for video in self.videos:
            video.rows = {index: kept for index, rows in video.rows.items() if (kept := [r for r in rows if keep(r)])}
        return before - sum(1 for _ in self.rows())

    def tracks(self, video: LabeledVideo) -> VideoTracks:
        """Tracks of one of the videos, with the classes and joints of all. Its crowds must have been left out."""
        info = replace(video.info, joint_names=self.joint_names)
        categories: dict[int | str, str] = {number: name for number, name in self.categories.items()}  # noqa: C416
        return replace(video, info=info, categories=categories, left_out=Counter()).tracks()


def label_set(where: object, videos: Sequence[LabeledVideo]) -> LabelSet:
    """Set of videos as a reader gives them, checked.

    Raises:
        AnnotationError: an encoding is no mask or of another size than its frame, an identity is twice in a frame, a
            name is unsafe or there twice, the corners of a box are swapped, or a pose has another number of joints than
            are named. The message has the file and the place.
    """
    require(bool(videos), str(where), "holds no video")
    labels = LabelSet(str(where), list(videos), _categories(videos), _joint_names(where, videos))
    for video, name in zip(labels.videos, _names(videos)):
        video.info = replace(video.info, name=name)
        _check_names(video)
        video.check_masks()
        for index, rows in video.rows.items():
            _check_frame(video, index, rows)
    return labels


def _categories(videos: Sequence[LabeledVideo]) -> dict[int, str]:
    """Names of the classes of all videos by ids, which the videos' rows get."""
    ids: dict[str, int] = {}
    stated: list[tuple[LabeledVideo, dict[int | str, str]]] = []
    for video in videos:
        names = {**video.named_categories()}
        names.update({row.category: str(row.category) for row in video if row.category not in names})
        require(len(set(names.values())) == len(names), video.where, f"two classes have one name: {describe(names)}")
        stated.append((video, names))
        for key, name in names.items():
            if name not in ids and isinstance(key, int) and key not in ids.values():
                ids[name] = key
    for _, names in stated:
        for name in names.values():
            ids.setdefault(name, max(ids.values(), default=0) + 1)
    for video, names in stated:
        for row in video:
            row.category = ids[names[row.category]]
    return {number: name for name, number in sorted(ids.items(), key=lambda item: item[1])}


def _joint_names(where: object, videos: Sequence[LabeledVideo]) -> tuple[str, ...]:
    """Names of the joints of all videos, whose poses get their order: that of a known set, or else of the first video.

    Joints that a video does not have are absent in it.
    """
    posed = [video for video in videos if any(row.keypoints is not None for row in video)]
    found = list(dict.fromkeys(video.info.joint_names for video in posed))
    union = tuple(dict.fromkeys(name for names in found for name in names))
    known = next((joints.names for joints in JOINT_SETS.values() if set(union) <= set(joints.names)), union)
    names = tuple(name for name in known if name in union)
    for video in posed:
        indices = np.array([_position(video.info.joint_names, name) for name in names])
        for row in video:
            if row.keypoints is None:
                continue
            good = len(row.keypoints) == len(video.info.joint_names)
            require(good, str(where), f"a pose of {len(row.keypoints)} joints; {len(video.info.joint_names)} are named")
            row.keypoints = np.where(indices[:, None] >= 0, row.keypoints[indices], 0.0)
            if row.occluded is not None:
                row.occluded = np.where(indices >= 0, row.occluded[indices], False)
    return names


def _position(names: Sequence[str], name: str) -> int:
    """Position of a name, -1 if it is missing."""
    return names.index(name) if name in names else -1


def _names(videos: Sequence[LabeledVideo]) -> list[str]:
    """A name for each video: its own, or where two have the same, that of its whole folder."""
    names = [video.info.name for video in videos]
    if len(set(names)) < len(names):
        names = [(video.folder or video.info.name).replace("/", "-") for video in videos]
    for name, count in Counter(names).items():
        require(count == 1, videos[names.index(name)].where, f"{count} videos are called {describe(name)}")
    return names


def _check_names(video: LabeledVideo) -> None:
    check_safe(video.info.name, f"{video.where}: name of a video")
    check_safe(video.folder or "", f"{video.where}: folder of {video.info.name}")
    first: dict[str, int] = {}
    for index, facts in video.frames.items():
        if facts.file_name:
            where = f"{video.where}: {video.info.name}: frame {index}"
            check_safe(facts.file_name, where)
            other = first.setdefault(facts.file_name, index)
            require(other == index, where, f"{describe(facts.file_name)} is that of frame {other}, too")


def _check_frame(video: LabeledVideo, index: int, rows: Sequence[Row]) -> None:
    where = f"{video.where}: {video.info.name}: frame {index}"
    size = video.facts(index).size
    seen: set[int] = set()
    for row in rows:
        if row.track_id is not None and not row.is_crowd:
            require(row.track_id not in seen, where, f"the identity {row.track_id} is there twice")
            seen.add(row.track_id)
        if row.box is not None:
            check_corners(np.array([row.box], dtype=np.float64), where)
        if row.rle is not None and size is not None and all(size) and tuple(row.rle["size"]) != size:
            height, width = row.rle["size"]
            text = f"a mask of {width} x {height} pixels in a frame of {size[1]} x {size[0]}"
            raise AnnotationError(f"{video.place(row)}: {text}")
