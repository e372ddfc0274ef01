"""File formats of tracks: one module a format, each with its writer and its reader."""

from .fields import TrackFormatError
from .registry import FORMATS, TrackFormat, format_of, write_tracks

__all__ = ["FORMATS", "TrackFormat", "TrackFormatError", "format_of", "write_tracks"]
