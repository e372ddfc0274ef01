"""Tracks, each one object over a video, as encoded masks, scores and class votes, without dense masks in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .rle import RLE, encode_mask

__all__ = ["Track", "TrackRecorder", "elected_class", "encode_mask"]


@dataclass
class Track:
    """One identity in the frames where it was detected.

    Attributes:
        segmentations: RLEs with a str ``counts`` by frame index (0-based).
        scores: Detection scores by frame index.
        votes: Sums of the scores of detections by class.
    """

    segmentations: dict[int, RLE] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)
    votes: dict[int, float] = field(default_factory=dict)

    def add(self, frame_index: int, score: float, category: int, rle: RLE) -> None:
        """Add a detection. Raises ValueError if the track already has one in that frame."""
        if frame_index in self.segmentations:
            raise ValueError(f"frame {frame_index} already holds this track")
        self.segmentations[frame_index] = rle
        self.scores[frame_index] = score
        self.votes[category] = self.votes.get(category, 0.0) + score

    @property
    def score(self) -> float:
        """Mean of the frames' scores (MaskTrack R-CNN)."""
        return sum(self.scores.values()) / len(self.scores)

    @property
    def category(self) -> int:
        """Class of :func:`elected_class`."""
        return elected_class(self.votes)


def elected_class(votes: Mapping[int, float]) -> int:
    """Class of a track from the sums of its detections' scores by class: the largest; the first detected of equals.

    MaskTrack R-CNN counts each frame's class as one vote; VISOLO averages the class scores over the frames, which is
    better where the class flickers. With one class and score per detection, the latter is this sum.
    """
    return max(votes, key=votes.__getitem__)


class TrackRecorder:
    """Recorder of a tracker's output for one video, frame by frame."""

    def __init__(self) -> None:
        self.tracks: dict[int, Track] = {}

    def add(
        self,
        frame_index: int,
        ids: Sequence[int],
        scores: Sequence[float],
        classes: Sequence[int],
        rles: Sequence[RLE],
    ) -> None:
        """Add the N tracked detections of one frame.

        Args:
            frame_index: Frame index, 0-based.
            ids: (N,) identities, unique in the frame.
            scores: (N,) detection scores.
            classes: (N,) contiguous classes.
            rles: (N,) masks from :func:`encode_mask`.

        Raises:
            ValueError: the lengths differ, or an identity is twice in the frame.
        """
        if not len(ids) == len(scores) == len(classes) == len(rles):
            raise ValueError(
                f"frame {frame_index}: {len(ids)} ids, {len(scores)} scores, {len(classes)} classes, {len(rles)} masks"
            )
        for track_id, score, category, rle in zip(ids, scores, classes, rles):
            track = self.tracks.setdefault(int(track_id), Track())
            try:
                track.add(frame_index, float(score), int(category), rle)
            except ValueError as error:
                raise ValueError(f"identity {int(track_id)}: {error}") from None

    def results(
        self, video_id: int, length: int, category_ids: Sequence[int] | Mapping[int, int]
    ) -> Iterator[dict[str, Any]]:
        """Entries of a YouTube-VIS ``results.json``, one per track, in the order in which they began.

        Args:
            video_id: Id of the video in the data set.
            length: Number of frames of the video, and of entries in ``segmentations``, null without a detection.
            category_ids: Category id in the data set of each contiguous class.
        """
        for track in self.tracks.values():
            yield {
                "video_id": video_id,
                "category_id": category_ids[track.category],
                "score": track.score,
                "segmentations": [track.segmentations.get(frame) for frame in range(length)],
            }
