"""Drawing of tracks on frames."""

from .colors import track_color
from .draw_tracks import TrackDrawer
from .skeleton import draw_skeleton

__all__ = ["TrackDrawer", "draw_skeleton", "track_color"]
