"""Facts that an exported file holds of its model, so that the file alone is enough to track with it."""

from __future__ import annotations

import ast
import copy
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

METADATA_KEY = "ictrack"
DETECTIONS, RAW = "detections", "raw"


class ExportedModelError(ValueError):
    """An exported file that cannot be used; the message names it and what is wrong."""


@dataclass(frozen=True)
class ExportedModel:
    """Facts of a model.

    Attributes:
        architecture: Name of its meta-architecture.
        outputs: "detections", or "raw", the network's outputs before any selection.
        image_format: Order of the channels, "BGR" or "RGB".
        min_size, max_size: Lengths to which frames are resized, see :class:`FrameResize`.
        pixel_mean, pixel_std: Normalization by channel, which is a part of a file of detections.
        size_divisibility: Divisor of the padded sides, likewise.
        class_names, category_ids: Names and ids of the contiguous classes, as far as they are known.
        joint_names: Names of the joints of poses; empty for a detector without poses.
        min_joint_score: Score above which joints are drawn.
        settings: Configuration keys of the tracker: {"TRACKER_HEADS": {...}, "TEST": {"KEYPOINT_OKS_SIGMAS": [...]}}.
    """

    architecture: str
    outputs: str
    image_format: str
    min_size: int
    max_size: int
    pixel_mean: Sequence[float]
    pixel_std: Sequence[float]
    size_divisibility: int
    class_names: Sequence[str] | None
    category_ids: Sequence[int] | None
    joint_names: Sequence[str]
    min_joint_score: float
    settings: dict[str, Any]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], where: str) -> ExportedModel:
        """Facts among a file's metadata.

        Args:
            metadata: Strings by their keys.
            where: File, for the error.

        Raises:
            ExportedModelError: the file is none of ``ictrack export``, or damaged.
        """
        if METADATA_KEY not in metadata:
            raise ExportedModelError(
                f"{where}: was not written by `ictrack export`; give a detector of boxes from elsewhere as --weights"
            )
        try:
            facts = cls(**json.loads(metadata[METADATA_KEY]))
            is_complete = facts.image_format in ("BGR", "RGB") and "TRACKER_NAME" in facts.settings["TRACKER_HEADS"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ExportedModelError(f"{where}: what it says of its model is damaged ({error})") from None
        if not is_complete:
            raise ExportedModelError(f"{where}: what it says of its model is not complete")
        return facts


def tracker_config(settings: Mapping[str, Any], overrides: Sequence[str] = ()) -> Any:
    """Configuration of a tracker, from whose attributes its ``from_config`` reads.

    Args:
        settings: :attr:`ExportedModel.settings`.
        overrides: KEY, VALUE, ..., such as "TRACKER_HEADS.MIN_SCORE", "0.3".

    Raises:
        ExportedModelError: there is no such key, or a value is of another type.
    """
    values: dict[str, Any] = copy.deepcopy(dict(settings))
    if len(overrides) % 2:
        raise ExportedModelError(f"{overrides[-1]}: has no value; keys and values come in pairs")
    for key, text in zip(overrides[::2], overrides[1::2]):
        *parents, name = key.split(".")
        owner: Any = values
        for parent in parents:
            owner = owner.get(parent) if isinstance(owner, dict) else None
        if not isinstance(owner, dict) or name not in owner or isinstance(owner[name], dict):
            raise ExportedModelError(
                f"{key}: cannot be changed in an exported model, only keys of TRACKER_HEADS and "
                "TEST.KEYPOINT_OKS_SIGMAS; others are given to `ictrack export`"
            )
        owner[name] = _value(key, text, owner[name])
    return _namespace(values)


def _value(key: str, text: str, old: Any) -> Any:
    """Value of a text, of the old value's type."""
    value: Any = text
    if not isinstance(old, str):
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            value = ast.literal_eval(text)
    if isinstance(old, float) and type(value) is int:
        value = float(value)
    if isinstance(old, list) and isinstance(value, tuple):
        value = list(value)
    if type(value) is not type(old):
        raise ExportedModelError(f"{key}: {text!r} is no {type(old).__name__}, such as {old!r}")
    return value


def _namespace(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**{name: _namespace(inner) for name, inner in value.items()})
    return value
