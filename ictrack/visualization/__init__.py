"""Drawing of tracks on frames."""

from .colors import track_color
from .crop_gallery import CropGallery
from .draw_tracks import TrackDrawer
from .skeleton import draw_skeleton

__all__ = ["CropGallery", "TrackDrawer", "draw_skeleton", "track_color"]
