"""Embedding head of ``ictrack identify``: an encoder of crops that was learnt from a video's own tracklets."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.structures import Instances
from torch import Tensor

from ictrack.identities import CropCutter, Gallery

from ..backbone.pixels import PIXELS
from .head import EMBEDDING_HEADS, EmbeddingHead
from .readout import MASK_FIELDS


@EMBEDDING_HEADS.register()
class CropEmbedding(EmbeddingHead):
    """Embeddings of crops of the frame, by the encoder of ``MODEL.EMBEDDING.CROP_ENCODER``.

    It reads the feature "pixels", BGR 0 to 255 (:class:`PixelBackbone`), and is not trained here.
    """

    def __init__(self, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> None:
        """
        Raises:
            GalleryError: ``cfg.MODEL.EMBEDDING.CROP_ENCODER`` is no file of ``ictrack identify``.
            ValueError: The backbone has no feature "pixels".
        """
        super().__init__()
        if PIXELS not in input_shape:
            raise ValueError(
                f"CropEmbedding reads pixels: set MODEL.EMBEDDED_DETECTOR.FEATURES.BACKBONE to PixelBackbone "
                f"(the features are {list(input_shape)})"
            )
        gallery = Gallery.load(cfg.MODEL.EMBEDDING.CROP_ENCODER)
        self.in_features, self.reads = [PIXELS], "masks"
        self.encoder = gallery.encoder
        self.cut = CropCutter(gallery.length)

    def losses(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> dict[str, Tensor]:
        """No loss: the encoder learns by ``ictrack identify``."""
        return {}

    @torch.no_grad()
    def embed(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> list[Tensor]:
        embeddings = []
        for pixels, of_image in zip(features[PIXELS], instances):
            height, width = of_image.image_size
            image = pixels.permute(1, 2, 0).clamp(0, 255).byte().cpu().numpy()
            if image.shape[:2] != (height, width):
                image = cv2.resize(image, (width, height))
            crops = [self.cut(image, mask) for mask in _masks(of_image)]
            found = self.encoder.embed(np.stack(crops)) if crops else self.encoder.embed(np.zeros((0, 0, 0, 3)))
            embeddings.append(torch.from_numpy(found).to(pixels.device))
        return embeddings


def _masks(instances: Instances) -> list[np.ndarray]:
    """(H, W) bool masks of instances, or their boxes."""
    for name in MASK_FIELDS:
        if instances.has(name):
            return list(instances.get(name).cpu().numpy() > 0)
    masks = []
    for x0, y0, x1, y1 in instances.pred_boxes.tensor.cpu().numpy().round().astype(int):
        mask = np.zeros(instances.image_size, dtype=bool)
        mask[max(y0, 0) : y1, max(x0, 0) : x1] = True
        masks.append(mask)
    return masks
