"""Detections in unlabeled videos at their full rate, kept for several passes of a tracker."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from detectron2.structures import Boxes, Instances

from ictrack.data.frame_stream import FrameStream, VideoReadError
from ictrack.data.image_stream import ImageStream
from ictrack.data.selected_frames import SelectedFrames
from ictrack.data.video_io import open_frames

from .video_tracker import VideoTracker

logger = logging.getLogger(__name__)

_FIELDS = ("scores", "pred_classes", "pred_boxes", "embeddings", "pred_keypoints")


def open_record(record: Mapping[str, Any]) -> FrameStream:
    """Open a video of :func:`ictrack.data.datasets.unlabeled_videos.find_videos`, as a whole.

    Raises:
        VideoReadError: the video cannot be read; the message names it.
    """
    if "video_file" in record:
        return open_frames(record["video_file"])
    return ImageStream(record["video_name"], record["file_names"])


def detect_footage(
    detector: VideoTracker,
    records: Sequence[Mapping[str, Any]],
    *,
    min_score: float,
    max_detections: int,
    max_frames: int,
) -> list[list[Instances]]:
    """Detections in each frame of each video, on the CPU, without masks.

    Args:
        detector: Detector; its tracker is not used.
        records: Records of videos. Of one with a ``part`` (start, end), shares of its length, only that is read.
            Unreadable ones are logged and left out.
        min_score: Smallest score of a detection.
        max_detections: Number of best detections that are kept of a frame.
        max_frames: Largest number of frames in all; each video gives the same number of frames, from its start.

    Raises:
        VideoReadError: No video can be read.
    """
    footage, errors = [], []
    for count, record in enumerate(records, start=1):
        try:
            with _part(open_record(record), record) as stream:
                found = [
                    _kept(detector.detect(frame, stream.frame_record(index)), min_score, max_detections)
                    for index, frame in itertools.islice(stream, -(-max_frames // len(records)))
                ]
        except VideoReadError as error:
            logger.warning("left out: %s", error)
            errors.append(str(error))
            continue
        logger.info("detected in %s: %d frames (video %d of %d)", record["video_name"], len(found), count, len(records))
        footage.append(found)
    if not footage:
        raise VideoReadError("; ".join(errors))
    return footage


def _part(stream: FrameStream, record: Mapping[str, Any]) -> FrameStream:
    """Part of a stream that its record names; all of it where its length is unknown."""
    if "part" not in record or not stream.length:
        return stream
    start, end = (round(share * stream.length) for share in record["part"])
    return SelectedFrames(stream, start=min(start, stream.length - 1), end=max(end, start + 1))


def _kept(instances: Instances, min_score: float, max_detections: int) -> Instances:
    kept = Instances(instances.image_size)
    if not instances.get_fields():
        kept.scores, kept.pred_classes = torch.zeros(0), torch.zeros(0, dtype=torch.int64)
        kept.pred_boxes = Boxes(torch.zeros(0, 4))
        return kept
    best = instances.scores.argsort(descending=True)[:max_detections]
    rows = best[instances.scores[best] >= min_score]
    for name in _FIELDS:
        if instances.has(name):
            kept.set(name, instances.get(name)[rows].to("cpu"))
    return kept
