"""Picture of what a detector finds in a few frames of a video."""

from __future__ import annotations

import os

import cv2
import numpy as np
import torch

from ictrack.data.video_io import VideoReadError, open_frames
from ictrack.structures.atomic_file import replacing
from ictrack.visualization.draw_tracks import TrackDrawer

from .video_tracker import VideoTracker

# Frames that are drawn, of the first MAX_FRAMES: a model of the background has to see those before.
NUM_FRAMES, MAX_FRAMES = 4, 200
_WIDTH = 960  # pixels of a frame in the picture, at most


def write_preview(detector: VideoTracker, source: str, path: str | os.PathLike) -> str:
    """Write a PNG of frames spread over the video with their detections, numbered; the result is a line of counts.

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
                drawn.append(_shrunk(drawer.draw(frame, found)))
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
