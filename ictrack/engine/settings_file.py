"""Chosen configuration keys: set in a configuration, and written as a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from detectron2.config import CfgNode


def with_settings(cfg: CfgNode, settings: Mapping[str, Any]) -> CfgNode:
    """Copy of a configuration with other values of some keys, such as "TRACKER_HEADS.MIN_SCORE"."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.merge_from_list([item for pair in settings.items() for item in pair])
    return cfg


def write_settings(path: Path, settings: Mapping[str, Any], base: str = "") -> None:
    """Write keys as a configuration file, with ``base`` as its base file unless empty."""
    content: dict[str, Any] = {"_BASE_": str(Path(base).resolve())} if base else {}
    for key, value in settings.items():
        node = content
        *groups, leaf = key.split(".")
        for group in groups:
            node = node.setdefault(group, {})
        node[leaf] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
