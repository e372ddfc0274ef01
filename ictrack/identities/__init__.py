"""Identities of look-alikes in a whole video, learnt from the video itself."""

from .certain_tracklets import Tracklet, certain_tracklets
from .closed_set import assign_identities
from .crop_encoder import CropEncoder, train_encoder
from .crops import CropCutter
from .halves import HalvesTest, cut_in_halves, match_halves

__all__ = [
    "CropCutter",
    "CropEncoder",
    "HalvesTest",
    "Tracklet",
    "assign_identities",
    "certain_tracklets",
    "cut_in_halves",
    "match_halves",
    "train_encoder",
]
