"""Detections that are there already, looked up frame by frame."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

import numpy as np

from ..frame_numbers import Numbering
from ..frame_tracks import FrameTracks, VideoTracks
from ..json_files import AnnotationError
from ..track_formats.boxes import unusable_boxes
from ..track_formats.fields import no_detections
from .video_detections import PixelDetections, VideoDetections, categories_of

logger = logging.getLogger(__name__)


class DetectionSource:
    """Detections of one or more videos, looked up by the name of a frame's image, or else by its index.

    Attributes:
        where: File or folder, for messages.
        class_names: Names of the contiguous classes.
        joint_names: Names of the joints of poses; empty without poses.
        category_ids: Ids of the classes in the file; None if it has none, or different ones in its videos.
    """

    def __init__(
        self,
        where: str,
        videos: Sequence[VideoDetections],
        class_names: Sequence[str],
        joint_names: Sequence[str] = (),
        category_ids: Sequence[int] | None = None,
    ) -> None:
        """Raises AnnotationError if two videos have the same name, or there is none."""
        self.where = where
        self.class_names = tuple(class_names)
        self.joint_names = tuple(joint_names)
        self.category_ids = None if category_ids is None else tuple(category_ids)
        self._videos = {video.name: video for video in videos}
        if not videos or len(self._videos) < len(videos):
            raise AnnotationError(f"{where}: {'two videos have the same name' if videos else 'holds no detections'}")
        if not any(video.file_names for video in videos):
            logger.warning("%s: holds no detections", where)
        self._current: str | None = None
        self._given_name: str | None = None
        self._found: set[int] = set()
        self._seen: tuple[int, int] | None = None  # first and last index that was looked up
        self._left_out: Counter[str] = Counter()

    @classmethod
    def of_videos(cls, where: str, videos: Sequence[VideoTracks]) -> DetectionSource:
        """Source of videos, with the classes of all, by their names. Raises AnnotationError if their joints differ."""
        categories = [category for video in videos for category in categories_of(video)]
        names = list(dict.fromkeys(category["name"] for category in categories))
        joints = {video.info.joint_names for video in videos if video.info.joint_names}
        if len(joints) > 1:
            raise AnnotationError(f"{where}: the poses of its videos have different joints")
        pairs = {(category["name"], category["id"]) for category in categories}
        id_of = dict(pairs)
        are_unique = len(pairs) == len(id_of) == len(set(id_of.values()))
        return cls(
            where,
            [PixelDetections(where, video, names) for video in videos],
            names,
            next(iter(joints), ()),
            [id_of[name] for name in names] if are_unique else None,
        )

    def frame(self, index: int, size: tuple[int, int], *, file_name: str = "", video_name: str = "") -> FrameTracks:
        """Detections of a frame, with identities where the file has them. Boxes of which nothing is in the frame are
        left out, and counted in a warning at the end.

        Args:
            index: Index of the frame in its video, 0-based.
            size: Height and width of the frame in pixels.
            file_name: File name of the frame's image; "" for a frame of a video file, which is looked up by its index.
            video_name: Name of the video, which chooses one of several.

        Raises:
            AnnotationError: there is no such video, the only one was given to a video of another name before, or the
                detections are of frames of another size.
        """
        video = self._video(video_name)
        if self._seen is None and not file_name:
            self._tell_numbering(video)
        self._seen = (index, index) if self._seen is None else (min(self._seen[0], index), max(self._seen[1], index))
        found = self._index(video, index, file_name)
        if found is None:
            return no_detections(index)
        self._found.add(found)
        return self._usable(replace(video.frame(found, size), index=index), size)

    def end_video(self, *, is_complete: bool = True) -> None:
        """Say that the video is at its end, and compare its frames with those of the detections.

        Frames with detections that the video does not have are counted in a warning. Of a part of a video there is one
        only if none of its frames has detections.

        Args:
            is_complete: Whether all of the video's frames were looked up.

        Raises:
            AnnotationError: no frame with detections is in the complete video.
        """
        name, found, seen = self._current, self._found, self._seen
        if name is None or seen is None:
            return
        video = self._videos[name]
        self._current, self._found, self._seen = None, set(), None
        for what, count in self._left_out.items():
            logger.warning("%s: %d boxes %s, and are left out", self.where, count, what)
        self._left_out.clear()
        num_frames = len(video.file_names)
        if not num_frames:
            return
        if not found:
            example = next((f", such as {file_name}," for file_name in video.file_names.values() if file_name), "")
            what = f"{self.where}: none of the {num_frames} frames with detections{example} is in the"
            if is_complete:
                raise AnnotationError(f"{what} video, whose frames are 0 to {seen[1]}")
            logger.warning("%s part of the video that was read, frames %d to %d", what, *seen)
        elif is_complete and len(found) < num_frames:
            missing = num_frames - len(found)
            logger.warning("%s: %d of %d frames with detections are not in the video", self.where, missing, num_frames)

    def _video(self, name: str) -> VideoDetections:
        """Video of a name; the only one has any name, but just one video may be read with it."""
        chosen = name if name in self._videos else next(iter(self._videos))
        if len(self._videos) > 1 and name not in self._videos:
            known = ", ".join(list(self._videos)[:5])
            raise AnnotationError(f"{self.where}: has no detections of a video {name!r}; there are {known}, ...")
        if len(self._videos) == 1 and self._given_name not in (None, name):
            raise AnnotationError(f"{self.where}: holds one video, {self._given_name!r}, and not {name!r}, too")
        self._given_name = name
        if self._current not in (None, chosen):
            self.end_video()
        self._current = chosen
        return self._videos[chosen]

    def _usable(self, frame: FrameTracks, size: tuple[int, int]) -> FrameTracks:
        """Detections without boxes of which nothing is in the frame, which are counted."""
        if frame.rles is not None or frame.keypoints is not None:
            return frame
        useless = unusable_boxes(frame.boxes, size)
        for what, rows in useless.items():
            if rows.any():
                self._left_out[what] += int(rows.sum())
        kept = np.flatnonzero(~np.any(list(useless.values()), axis=0))
        return frame.take(kept) if len(kept) < len(frame) else frame

    def _tell_numbering(self, video: VideoDetections) -> None:
        """Say which frames of a video file the detections are of, unless they state it."""
        index, name = next(iter(video.file_names.items()), (0, ""))
        if name and video.numbering is Numbering.NAMES:
            logger.info("%s: the numbers in names tell the frames: %s is frame %d, from 0", self.where, name, index)
        elif name and video.numbering is Numbering.ORDER:
            text = "%s: names such as %s do not number the frames, which are taken in the order of the names"
            logger.warning(text, self.where, name)

    @staticmethod
    def _index(video: VideoDetections, index: int, file_name: str) -> int | None:
        """Index of a frame in the video's detections; None if it has none."""
        if file_name and video.by_stem is not None:
            return video.by_stem.get(PurePath(file_name).stem)
        return index if index in video.file_names else None
