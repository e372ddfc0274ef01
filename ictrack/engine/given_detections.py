"""Configuration for tracking detections that are there already, without any of the user's own."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Sequence

from detectron2.config import CfgNode

from ictrack.model_zoo.model_zoo import PREFIX, config_path, get_model_file

from .setup import ConfigError, load_config

logger = logging.getLogger(__name__)

_PACKAGE_PREFIX = "package:"
# What tracks where the frozen features are missing: boxes by their overlap.
_BY_OVERLAP = [
    "MODEL.META_ARCHITECTURE", "GivenDetections", "TRACKER_HEADS.TRACKER_NAME", "SpatialTracker",
    "TRACKER_HEADS.SPATIAL.COST", "iou",
]  # fmt: skip


def detections_config(
    file: str | os.PathLike, name: str | None = None, *, config_file: str = "", overrides: Sequence[str] = ()
) -> CfgNode:
    """Configuration that tracks the detections of a file.

    Args:
        file: File or folder for :func:`ictrack.structures.detections.read_detections`.
        name: Name of its format; None: by its content.
        config_file: Configuration with the meta-architecture ``GivenDetections``; "": the one of the model zoo, which
            tells detections apart by frozen features, or where these are not installed, follows boxes by their overlap.
        overrides: KEY, VALUE, ... that override it.

    Raises:
        ConfigError: as :func:`load_config`, or the configuration has another detector.
    """
    given = ["MODEL.GIVEN_DETECTIONS.FILE", os.fspath(file), "MODEL.GIVEN_DETECTIONS.FORMAT", name or ""]
    if config_file:
        cfg = load_config(config_file, [*overrides, *given])
        detector = cfg.MODEL.META_ARCHITECTURE
        if detector == "EmbeddedDetector":
            detector = cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE
        if detector != "GivenDetections":
            raise ConfigError(f"{config_file}: its detector is {detector}; --detections needs GivenDetections")
        return cfg
    path = str(config_path("given_detections.yaml"))
    cfg = load_config(path, [*overrides, *given])
    missing = _missing_features(cfg)
    if not missing:
        return cfg
    logger.warning("detections are followed by the overlap of boxes, since %s", missing)
    return load_config(path, [*_BY_OVERLAP, *overrides, *given])


def _missing_features(cfg: CfgNode) -> str:
    """What the frozen features of a configuration lack on this machine; "" if nothing."""
    package = cfg.MODEL.TIMM.WEIGHTS.removeprefix(_PACKAGE_PREFIX)
    if importlib.util.find_spec(package) is None:
        return f"the package {package} is not installed"
    try:
        get_model_file(cfg.MODEL.TIMM.STATISTICS.removeprefix(PREFIX))
    except FileNotFoundError as error:
        return str(error)
    return ""
