"""Base of the detectors that have nothing to train and no features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from detectron2.structures import Instances
from torch import Tensor, nn


class FeaturelessDetector(nn.Module, ABC):
    """Detector without parameters, which looks at one image at a time.

    In an :class:`EmbeddedDetector` it needs ``MODEL.EMBEDDED_DETECTOR.FEATURES.BACKBONE``. Its detections come on the
    device to which it was moved.
    """

    _device: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("_device", torch.zeros(0), persistent=False)

    @property
    def device(self) -> torch.device:
        return self._device.device

    @property
    def backbone(self) -> nn.Module:
        """None: raises ValueError, which says where the embedding head's backbone is named."""
        raise ValueError(
            f"{type(self).__name__} has no features to read embeddings from: set "
            "MODEL.EMBEDDED_DETECTOR.FEATURES.BACKBONE"
        )

    def forward(self, batched_inputs: list[dict[str, Any]]) -> dict[str, Tensor] | list[dict[str, Instances]]:
        """
        Args:
            batched_inputs: Dict of each image, see :meth:`_detect`.

        Returns:
            In training no loss. At test time {"instances": Instances} of each image.
        """
        if self.training:
            return {}
        return [{"instances": self._detect(record).to(self.device)} for record in batched_inputs]

    @abstractmethod
    def _detect(self, record: dict[str, Any]) -> Instances:
        """Detections in an image, on the CPU, at the size ("height", "width") of its dict."""
