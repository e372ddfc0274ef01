"""Training data of the heads of one form: cached features, read when they are first used."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from torch import Tensor

from experiments.association.masks import DetectedClip

from .cache import Cache
from .cached_features import CachedFeatures
from .pack_detections import unpack_clips

# Stride of the unlabeled frames whose maps are cached.
MAP_STRIDE = 2
# Shards of every cached set; processes share them out.
NUM_SHARDS = 8
# Set of augmented views of single unlabeled frames -> whether they keep their own colors.
AUGMENTED = {"augmented": False, "warped": True}
# Set of windows onto the unlabeled clips, at half the size at which these are tracked (as in full-scale training) ->
# windows of a clip, and (smallest, largest) zoom. At zoom 2 objects are as large as where they are tracked.
WINDOWS = {"half size": (1, (1.0, 1.0)), "scales": (3, (1.0, 2.0))}


class TrainingData:
    """Cached training data of one form.

    Args:
        cache: Cache with the shards of ``cache_features.py``.
        form: "strong" or "paper".
        gt: Split, "tune", "val" or "unlabeled" -> content of its YouTube-VIS file.
    """

    def __init__(self, cache: Cache, form: str, gt: dict[str, dict[str, Any]]) -> None:
        self._cache = cache
        self._form = form
        self._gt = gt
        self._detections: dict[str, CachedFeatures] = {}

    @cached_property
    def stills(self) -> CachedFeatures:
        """Augmented views of labeled images."""
        return self._read("stills", with_maps=self._form == "paper")

    @cached_property
    def augmented(self) -> CachedFeatures:
        """Augmented views of single frames of unlabeled clips, with predicted masks."""
        return self._read("augmented", with_maps=self._form == "paper")

    @cached_property
    def warped(self) -> CachedFeatures:
        """Augmented views of single unlabeled frames in their own colors, with predicted masks."""
        return self._read("warped", with_maps=self._form == "paper")

    @cached_property
    def video(self) -> CachedFeatures:
        """Frames of unlabeled clips, for objectives on instances."""
        return self._read("unlabeled") if self._form == "strong" else self.grids

    @cached_property
    def grids(self) -> CachedFeatures:
        """Frames of unlabeled clips with their maps, for objectives on cells."""
        return self._read("unlabeled", "sparse")

    @cached_property
    def half_size(self) -> CachedFeatures:
        """Frames of ``grids`` at half their size."""
        return self._windows("half size")

    @cached_property
    def scales(self) -> CachedFeatures:
        """Windows onto the clips of ``grids`` at several scales; ``ids`` are rows of the instances of ``grids``."""
        return self._windows("scales")

    @cached_property
    def mined(self) -> Tensor:
        """(M,) int64 mined tracklet of each instance of ``video``; -1 for none."""
        return self._cache.read(f"tracklets_{self._form}")["mined"]

    @cached_property
    def true_ids(self) -> Tensor:
        """(M,) int64 true identity of each instance of ``video``; -1 for a false positive."""
        return self._cache.read(f"tracklets_{self._form}")["true"]

    def detections(self, split: str) -> CachedFeatures:
        """Features of a split's frames ("tune", "val" or "unlabeled"), in the order of detections in :meth:`clips`."""
        if split == "unlabeled":
            return self.video
        if split not in self._detections:
            self._detections[split] = self._read(split, with_maps=self._form == "paper")
        return self._detections[split]

    def clips(self, split: str) -> list[DetectedClip]:
        """Detected clips of "tune", "val" or "unlabeled", with the frames of :meth:`detections`."""
        clips = [
            clip
            for shard in shard_names(split)
            for clip in unpack_clips(self._cache.read(shard)["clips"], self._gt[split])
        ]
        sparse = split == "unlabeled" and self._form == "paper"
        return [clip.every(MAP_STRIDE) for clip in clips] if sparse else clips

    def _read(self, name: str, key: str = "features", with_maps: bool = True) -> CachedFeatures:
        shards = [self._cache.read(shard) for shard in shard_names(name)]
        parts = [CachedFeatures(**shard[key]) for shard in shards if key in shard]
        if not parts:
            raise ValueError(f"no {name} features are cached: the detector found nothing, or there is no clip")
        if not with_maps:
            for part in parts:
                part.maps = {}
        return CachedFeatures.concatenate(parts)

    def _windows(self, name: str) -> CachedFeatures:
        parts, first = [], 0
        for shard, source in zip(shard_names(name), shard_names("unlabeled")):
            content = self._cache.read(shard)
            if "features" in content:
                part = CachedFeatures(**content["features"])
                part.ids = part.ids + first
                parts.append(part)
                first += len(self._cache.read(source)["sparse"]["owners"])
        return CachedFeatures.concatenate(parts)


def shard_names(name: str) -> list[str]:
    """Cache names of a set's shards."""
    return [f"{name}_{shard}" for shard in range(NUM_SHARDS)]
