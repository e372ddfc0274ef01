"""Detections of a whole video, their places, and crops of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pycocotools import mask as mask_util

from ictrack.data.frame_stream import FrameStream
from ictrack.identities import CropCutter, Tracklet, certain_tracklets
from ictrack.identities.crops import SIZE, length_of
from ictrack.modeling.foreground import ForegroundSegmenter
from ictrack.structures.frame_tracks import FrameTracks, VideoInfo

from .frame_tracks import to_frame_tracks
from .video_tracker import VideoTracker

# Objects whose lengths decide the scale of the crops, and the percentile of the lengths that fills a crop.
_MEASURED, _FILLING = 2000, 99


@dataclass(frozen=True)
class WholeVideo:
    """Detections of a video.

    Attributes:
        info: Facts about the video.
        frames: Frames with their detections, without identities.
        centers: Frame index -> (N, 2) float64 centers x, y in continuous pixels: of masks, or else of boxes.
        open_video: Function that opens the video again.
        may_merge: Whether the detector takes objects that touch for one.
    """

    info: VideoInfo
    frames: list[FrameTracks]
    centers: dict[int, np.ndarray]
    open_video: Callable[[], FrameStream]
    may_merge: bool

    @classmethod
    def detect(cls, detector: VideoTracker, open_video: Callable[[], FrameStream]) -> WholeVideo:
        """Detections by ``detector``, whose tracker is not used. Raises VideoReadError if the video cannot be read."""
        frames: list[FrameTracks] = []
        with open_video() as stream:
            for index, image in stream:
                found = detector.detect(image, stream.frame_record(index)).to("cpu")
                name, seconds = stream.frame_name(index), stream.frame_time(index)
                frame = replace(to_frame_tracks(found, index, file_name=name, time=seconds), ids=None)
                frames.append(frame)
            info = detector.video_info(stream)
        merges = any(isinstance(module, ForegroundSegmenter) for module in detector.model.modules())
        return cls(info, frames, {frame.index: _centers(frame) for frame in frames}, open_video, merges)

    def certain_tracklets(self, min_length: int) -> list[Tracklet]:
        """Certain tracklets of at least this number of frames."""
        return certain_tracklets(self.frames, min_length, may_merge=self.may_merge)

    @property
    def size(self) -> float:
        """Usual side of an object: the median square root of the area of a box, in pixels; 1 without any detection."""
        boxes = np.concatenate([frame.boxes for frame in self.frames] or [np.zeros((0, 4))])
        return float(np.median(np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1)))) if len(boxes) else 1.0

    def centers_of(self, tracklet: Tracklet) -> np.ndarray:
        """(T, 2) centers x, y of a tracklet."""
        pairs = zip(tracklet.frames.tolist(), tracklet.rows.tolist())
        return np.stack([self.centers[index][row] for index, row in pairs])

    def ends(self, tracklets: Sequence[Tracklet]) -> tuple[np.ndarray, np.ndarray]:
        """(N, 2) centers x, y in the first frame of each tracklet, and in the last one."""
        first = [self.centers_of(x.part(0, 1)) for x in tracklets]
        last = [self.centers_of(x.part(len(x) - 1, len(x))) for x in tracklets]
        none = np.zeros((0, 2))
        return np.concatenate([none, *first]), np.concatenate([none, *last])

    def usual_length(self, tracklets: Sequence[Tracklet]) -> float:
        """Length in pixels that most objects do not exceed."""
        by_index = {frame.index: frame for frame in self.frames}
        places = [place for x in tracklets for place in zip(x.frames.tolist(), x.rows.tolist())]
        every = max(1, len(places) // _MEASURED)
        lengths = [length_of(self.mask(by_index[index], row)) for index, row in places[::every]]
        return float(np.percentile(lengths, _FILLING)) if lengths else 1.0

    def crops(self, tracklets: Sequence[Tracklet], length: float) -> list[np.ndarray]:
        """(T, 40, 64, 3) uint8 crops of each tracklet, of objects of up to ``length`` pixels; reads the video."""
        by_index = {frame.index: frame for frame in self.frames}
        wanted: dict[int, list[tuple[np.ndarray, int]]] = {}  # frame -> place of the crop, row
        # Made before the frames are read: small arrays that stay between large ones that go leave holes in memory.
        crops = [np.zeros((len(x), *SIZE, 3), dtype=np.uint8) for x in tracklets]
        for places, tracklet in zip(crops, tracklets):
            for place, index, row in zip(places, tracklet.frames.tolist(), tracklet.rows.tolist()):
                wanted.setdefault(index, []).append((place, row))
        cutter = CropCutter(length)
        with self.open_video() as stream:
            for index, image in stream:
                for place, row in wanted.get(index, ()):
                    place[:] = cutter(image, self.mask(by_index[index], row))
        return crops

    def mask(self, frame: FrameTracks, row: int) -> np.ndarray:
        """(H, W) bool mask of a detection, or its box."""
        if frame.rles is not None:
            return mask_util.decode(frame.rles[row]).astype(bool)
        mask = np.zeros((self.info.height, self.info.width), dtype=bool)
        x0, y0, x1, y1 = frame.boxes[row].round().astype(int)
        mask[max(y0, 0) : y1, max(x0, 0) : x1] = True
        return mask


def _centers(frame: FrameTracks) -> np.ndarray:
    if frame.rles is None:
        return (frame.boxes[:, :2] + frame.boxes[:, 2:]) / 2
    masks = (mask_util.decode(rle) for rle in frame.rles)
    centers = [np.argwhere(mask).mean(axis=0)[::-1] + 0.5 if mask.any() else (np.nan, np.nan) for mask in masks]
    return np.array(centers, dtype=np.float64).reshape(-1, 2)
