"""What heads of one form learn from: the cached pictures, read when they are first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from torch import Tensor

from experiments.association.masks import DetectedClip

from .cache import Cache
from .cached_features import Pictures
from .pack_detections import unpack_clips

# Unlabelled frames of which maps are kept: every so many.
MAP_STRIDE = 2
# Parts of every set of pictures: units of work that processes share out.
NUM_SHARDS = 8
# Sets of augmented views of single unlabelled frames, and whether these keep their own colours.
AUGMENTED = {"augmented": False, "warped": True}
# Sets of windows onto the unlabelled clips at half the size at which these are tracked, as full-scale training has it:
# how many windows of a clip, and (smallest, largest) zoom. At 2 things are as large as where they are tracked.
WINDOWS = {"half size": (1, (1.0, 1.0)), "scales": (3, (1.0, 2.0))}


class Material:
    """The pictures of one form.

    Args:
        cache: with the shards of ``record.py``.
        form: "strong" or "paper".
        ground_truth: of "tune", "val" and "unlabelled", the content of YouTube-VIS files.
    """

    def __init__(self, cache: Cache, form: str, ground_truth: dict[str, dict[str, Any]]) -> None:
        self._cache = cache
        self._form = form
        self._ground_truth = ground_truth
        self._detections: dict[str, Pictures] = {}

    @cached_property
    def stills(self) -> Pictures:
        """Augmented views of labelled stills."""
        return self._pictures("stills", with_maps=self._form == "paper")

    @cached_property
    def augmented(self) -> Pictures:
        """Augmented views of single frames of unlabelled clips, with predicted masks."""
        return self._pictures("augmented", with_maps=self._form == "paper")

    @cached_property
    def warped(self) -> Pictures:
        """As ``augmented``, in the frames' own colours."""
        return self._pictures("warped", with_maps=self._form == "paper")

    @cached_property
    def video(self) -> Pictures:
        """Frames of unlabelled clips, for what learns from instances."""
        return self._pictures("unlabelled") if self._form == "strong" else self.grids

    @cached_property
    def grids(self) -> Pictures:
        """Frames of unlabelled clips with their maps, for what learns from cells."""
        return self._pictures("unlabelled", "sparse")

    @cached_property
    def half_size(self) -> Pictures:
        """As ``grids``, at half the size."""
        return self._windows("half size")

    @cached_property
    def scales(self) -> Pictures:
        """Windows onto the clips of ``grids`` at several scales; ``ids`` are rows of the instances of ``grids``."""
        return self._windows("scales")

    @cached_property
    def mined(self) -> Tensor:
        """(M,) int64, the mined tracklet of each instance of ``video``; -1: none."""
        return self._cache.read(f"tracklets_{self._form}")["mined"]

    @cached_property
    def true_ids(self) -> Tensor:
        """(M,) int64, the true identity of each instance of ``video``; -1: a false alarm."""
        return self._cache.read(f"tracklets_{self._form}")["true"]

    def detections(self, split: str) -> Pictures:
        """The frames of "tune" or "val" clips, detection by detection as :meth:`clips` has them; those of "unlabelled"
        clips as in ``video``."""
        if split == "unlabelled":
            return self.video
        if split not in self._detections:
            self._detections[split] = self._pictures(split, with_maps=self._form == "paper")
        return self._detections[split]

    def clips(self, split: str) -> list[DetectedClip]:
        """Detected clips of "tune", "val" or "unlabelled", with the frames of :meth:`detections`."""
        clips = [
            clip
            for shard in shard_names(split)
            for clip in unpack_clips(self._cache.read(shard)["clips"], self._ground_truth[split])
        ]
        sparse = split == "unlabelled" and self._form == "paper"
        return [clip.every(MAP_STRIDE) for clip in clips] if sparse else clips

    def _pictures(self, name: str, key: str = "pictures", with_maps: bool = True) -> Pictures:
        shards = [self._cache.read(shard) for shard in shard_names(name)]
        parts = [Pictures(**shard[key]) for shard in shards if key in shard]
        if not parts:
            raise ValueError(f"there are no {name} pictures to learn from: nothing was detected, or there is no clip")
        if not with_maps:
            for part in parts:
                part.maps = {}
        return Pictures.concatenate(parts)

    def _windows(self, name: str) -> Pictures:
        parts, first = [], 0
        for shard, source in zip(shard_names(name), shard_names("unlabelled")):
            content = self._cache.read(shard)
            if "pictures" in content:
                part = Pictures(**content["pictures"])
                part.ids = part.ids + first
                parts.append(part)
                first += len(self._cache.read(source)["sparse"]["owners"])
        return Pictures.concatenate(parts)


def shard_names(name: str) -> list[str]:
    """Cache names of a set's shards."""
    return [f"{name}_{shard}" for shard in range(NUM_SHARDS)]
