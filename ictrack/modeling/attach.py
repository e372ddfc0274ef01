"""Embedding heads for detectors that are built in Python."""

from __future__ import annotations

from detectron2.config import CfgNode
from torch import nn

from .embedded_detector import EmbeddedDetector


def attach_embedding_head(detector: nn.Module, cfg: CfgNode) -> EmbeddedDetector:
    """Detector of any origin, such as Detectron2's LazyConfig, with the embedding head of a configuration.

    Example, with frozen features that need no training::

        cfg = load_config(str(get_config_file("boxes")))
        detector = instantiate(model_zoo.get_config("COCO-Detection/fcos_R_50_FPN_1x.py", trained=True).model)
        model = attach_embedding_head(detector, cfg)

    Args:
        detector: Module with Detectron2's inputs and outputs and with ``device``; with ``backbone``, too, unless
            ``cfg.MODEL.EMBEDDED_DETECTOR.FEATURES.BACKBONE`` names another, and then with ``preprocess_image`` if the
            head is to be trained beside the frozen detector or on video.
        cfg: Configuration with ICTrack's keys; of the model, ``MODEL.EMBEDDING``, ``MODEL.VIDEO_EMBEDDING``,
            ``MODEL.EMBEDDED_DETECTOR.FEATURES``, ``MODEL.FREEZE`` and ``INPUT.FORMAT`` (the detector's channel order)
            are read.

    Raises:
        ValueError: If MODEL.EMBEDDING.NAME is empty.
    """
    return EmbeddedDetector(**EmbeddedDetector.parts(detector, cfg)).to(detector.device)
