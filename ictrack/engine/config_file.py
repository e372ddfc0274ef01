"""Merging of a YAML file into a configuration, without running code from it or filling the memory."""

from __future__ import annotations

import io
from itertools import accumulate
from typing import IO

import yaml
from detectron2.config import CfgNode

# Bounds of one file, far above what a configuration needs: of characters; of values, each as often as aliases repeat
# it; and of brackets within brackets, for which PyYAML takes the square of their number.
_MAX_CHARACTERS = 2**18
_MAX_VALUES = 2**17
_MAX_BRACKETS = 100


def merge_file(cfg: CfgNode, path: str) -> None:
    """Merge a YAML file, after the files that ``_BASE_`` names, into a configuration, in place.

    Raises:
        yaml.YAMLError: It is no YAML, or has a tag that would run code.
        ValueError: A file is too large, or nested too deeply, or its aliases (``*name``) make it so.
        AssertionError, KeyError, OSError: As CfgNode.merge_from_file.
    """
    if _CheckedNode.load_yaml_with_base(path, allow_unsafe=False):
        cfg.merge_from_file(path, allow_unsafe=False)


class _CheckedNode(CfgNode):
    """Configuration that looks at each file before it is loaded."""

    @classmethod
    def _open_cfg(cls, filename: str) -> IO[str]:
        with super()._open_cfg(filename) as file:
            text = file.read(_MAX_CHARACTERS + 1)
        if len(text) > _MAX_CHARACTERS:
            raise ValueError(f"{filename} has more than {_MAX_CHARACTERS} characters")
        if max(accumulate((c in "[{") - (c in "]}") for c in text), default=0) > _MAX_BRACKETS:
            raise ValueError(f"{filename} has more than {_MAX_BRACKETS} brackets within brackets")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None and _num_values(root, {}) > _MAX_VALUES:
            raise ValueError(f"{filename} has aliases that stand for more than {_MAX_VALUES} values")
        return io.StringIO(text if root is not None else "{}")  # comments alone


def _num_values(node: yaml.Node, known: dict[int, int]) -> int:
    """Number of values below a node, of which a long text counts as many."""
    if isinstance(node, yaml.ScalarNode):
        return 1 + len(node.value) * _MAX_VALUES // _MAX_CHARACTERS
    if id(node) not in known:
        children = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
        known[id(node)] = 1 + sum(_num_values(child, known) for child in children)
    return known[id(node)]
