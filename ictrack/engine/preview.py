"""Picture of what a detector finds in a few frames of a video."""

from __future__ import annotations

import os

import cv2
import numpy as np
import torch

from ictrack.data.frame_stream import VideoReadError
from ictrack.data.video_io import open_frames
from ictrack.structures.atomic_file import replacing
from ictrack.visualization.draw_tracks import TrackDrawer

from .video_tracker import VideoTracker

# Frames that are drawn, of the first MAX_FRAMES: a model of the background has to see those before.
NUM_FRAMES, MAX_FRAMES = 4, 200
_WIDTH, _CAPTION = 960, 24  # largest width of a frame in the picture, and height of the line above it, in pixels


def write_preview(detector: VideoTracker, source: str, path: str | os.PathLike) -> str:
    """Write a PNG of frames spread over the video with their detections, numbered, each below its index and the number
    of detections; the result is a line of counts.

    Raises:
        VideoReadError: If the video cannot be read.
        OSError: If the picture cannot be written.
    """
    drawn: list[np.ndarray] = []
    counts: list[int] = []
    with open_frames(source) as stream:
        looked = min(stream.length or MAX_FRAMES, MAX_FRAMES)
        chosen = set(np.linspace(0, looked - 1, NUM_FRAMES).round().astype(int).tolist())
        drawer = TrackDrawer(None, trail_length=0, show_scores=False)
        for index, frame in stream:
            found = detector.detect(frame, stream.frame_record(index)).to("cpu")
            counts.append(len(found))
            if index in chosen:
                found.ID = torch.arange(len(found))
                picture = _shrunk(drawer.draw(frame, found))
                drawn += [_caption(f"frame {index}: {len(found)}", picture.shape[1]), picture]
            if index >= max(chosen):
                break
    if not drawn:
        raise VideoReadError(f"{source}: has no readable frame")
    with replacing(path) as file:
        file.write(cv2.imencode(".png", np.concatenate(drawn))[1].tobytes())
    return f"{min(counts)} to {max(counts)} objects in a frame, usually {round(float(np.median(counts)))}"


def _shrunk(frame: np.ndarray) -> np.ndarray:
    scale = min(1.0, _WIDTH / frame.shape[1])
    return cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _caption(text: str, width: int) -> np.ndarray:
    line = np.full((_CAPTION, width, 3), 255, np.uint8)
    return cv2.putText(line, text, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
