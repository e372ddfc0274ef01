"""Known identities: what is kept of a video, so that the same objects keep their numbers in the next one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from ictrack.structures.array_archive import read_arrays
from ictrack.structures.atomic_file import replacing

from .appearance import Appearance, unit_mean
from .certain_tracklets import Tracklet
from .crop_encoder import CropEncoder
from .crops import SIZE
from .links import Links

# Crops of each identity, spread over its time.
NUM_CROPS = 64
_VERSION = 1
_WEIGHT = "encoder."


class GalleryError(ValueError):
    """A file that holds no identities; the message has its name."""


@dataclass(frozen=True)
class Gallery:
    """Known identities.

    Attributes:
        labels: (K,) int64 numbers of the identities.
        crops: (K, 64, 40, 64, 3) uint8 crops of each.
        length: Length in pixels of an object that fills a crop.
        encoder: Encoder of crops.
    """

    labels: np.ndarray
    crops: np.ndarray
    length: float
    encoder: CropEncoder

    def save(self, path: str | os.PathLike) -> None:
        """Write the gallery as NumPy arrays, without pickle."""
        weights = {f"{_WEIGHT}{name}": value.numpy() for name, value in self.encoder.state_dict().items()}
        with replacing(path) as file:
            np.savez_compressed(
                file, version=_VERSION, labels=self.labels, crops=self.crops, length=self.length, **weights
            )

    @classmethod
    def load(cls, path: str | os.PathLike) -> Gallery:
        """Gallery of a file.

        Raises:
            GalleryError: the file is no gallery.
            OSError: the file cannot be opened.
        """
        try:
            arrays = read_arrays(path)
            crops, labels = arrays["crops"], arrays["labels"]
            if crops.shape != (len(labels), NUM_CROPS, *SIZE, 3) or crops.dtype != np.uint8:
                raise ValueError(f"crops are {crops.dtype} {crops.shape}")
            encoder = CropEncoder()
            weights = {name[len(_WEIGHT) :]: x for name, x in arrays.items() if name.startswith(_WEIGHT)}
            encoder.load_state_dict({name: torch.from_numpy(x) for name, x in weights.items()})
            return cls(labels.astype(np.int64), crops, float(arrays["length"]), encoder)
        except (ValueError, KeyError, RuntimeError, TypeError) as error:
            raise GalleryError(f"{os.fspath(path)}: holds no identities of ictrack identify ({error})") from error

    def tracklets(self) -> list[Tracklet]:
        """One tracklet for each identity, all in the same frames before the first of any video."""
        frames = np.arange(-NUM_CROPS, 0)
        return [Tracklet(frames, np.full(NUM_CROPS, row)) for row in range(len(self.labels))]


def collect_crops(crops: Sequence[np.ndarray]) -> np.ndarray:
    """(64, 40, 64, 3) uint8 crops, spread over all (T_i, 40, 64, 3) of an identity's tracklets."""
    every = np.concatenate(crops)
    return every[np.linspace(0, len(every) - 1, NUM_CROPS).round().astype(int)]


def recognize(
    known: Gallery, links: Links, means: np.ndarray, lengths: np.ndarray, appearance: Appearance, encoder: CropEncoder
) -> np.ndarray:
    """(K,) int64 number of each identity: that of the known one that it is, or the next new one.

    Args:
        known: Known identities.
        links: K identities of T tracklets.
        means, lengths: (T, D) unit vectors, the mean embeddings of the tracklets, and (T,) their numbers of frames.
        appearance: Calibrated evidence from embeddings.
        encoder: Encoder of the embeddings.
    """
    count = links.num_identities
    weights = (links.identities[:, None] == np.arange(count)) * lengths[:, None]
    sums = weights.T @ means
    centers = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    old = np.stack([unit_mean(encoder.embed(x)) for x in known.crops])
    shorter = np.minimum(weights.sum(axis=0), NUM_CROPS)
    scores = appearance(centers @ old.T, np.broadcast_to(shorter[:, None], (count, len(old))))
    labels = np.full(count, -1, dtype=np.int64)
    for row, column in zip(*linear_sum_assignment(scores, maximize=True)):
        if scores[row, column] > 0:
            labels[row] = known.labels[column]
    new = np.flatnonzero(labels < 0)
    labels[new] = known.labels.max(initial=-1) + 1 + np.arange(len(new))
    return labels
