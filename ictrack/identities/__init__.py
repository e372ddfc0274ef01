"""Identities of look-alikes in a whole video, learnt from the video itself."""

from .appearance import Appearance, assumed_appearance, fit_appearance, unit_mean
from .certain_tracklets import Tracklet, certain_tracklets
from .closed_set import link_closed
from .corrections import CorrectionError, apply_corrections
from .crop_encoder import CropEncoder, tracklet_contrast, train_encoder
from .crops import CropCutter
from .evidence import Evidence, meetings
from .gallery import Gallery, GalleryError, collect_crops, recognize
from .halves import Cut, HalvesTest, cut_in_halves, match_halves
from .links import Links, accuracy_of, leave_open
from .motion import Motion, fit_motion
from .open_set import link_open
from .reappearance import Reappearance, fit_reappearance

__all__ = [
    "Appearance",
    "CorrectionError",
    "CropCutter",
    "CropEncoder",
    "Cut",
    "Evidence",
    "Gallery",
    "GalleryError",
    "HalvesTest",
    "Links",
    "Motion",
    "Reappearance",
    "Tracklet",
    "accuracy_of",
    "apply_corrections",
    "assumed_appearance",
    "certain_tracklets",
    "collect_crops",
    "cut_in_halves",
    "fit_appearance",
    "fit_motion",
    "fit_reappearance",
    "leave_open",
    "link_closed",
    "link_open",
    "match_halves",
    "meetings",
    "recognize",
    "tracklet_contrast",
    "train_encoder",
    "unit_mean",
]
