"""Detections that are there already: files of others' detectors and annotators, looked up frame by frame."""

from .arrays import frame_of_arrays, frame_of_supervision
from .read import read_detections
from .source import DetectionSource

__all__ = ["DetectionSource", "frame_of_arrays", "frame_of_supervision", "read_detections"]
