"""What is known of a kind of published files of weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from .name_table import NameTable


def _nothing(weights: Mapping[str, Tensor]) -> list[str]:
    return []


def _unchanged(weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    return weights


@dataclass(frozen=True)
class Source:
    """A kind of published files of weights.

    Attributes:
        formats: Names under which it is asked for, the usual one first.
        title: Program and model, for messages.
        marks: Pattern of the beginnings of names that only this kind has.
        table: Its names and ours.
        unused: Pattern of the names that are deliberately left out.
        is_published: Whether its names are not ours.
        is_backbone: Whether it holds a backbone, perhaps with a feature pyramid, and no detector.
        find_problems: Function of the tensors that lists what contradicts this kind, beyond names.
        prepare: Function that brings variants of the names to those of the table.
        settings: Configuration keys that belong to these weights and cannot be read from their shapes.
    """

    formats: tuple[str, ...]
    title: str
    marks: str
    table: NameTable
    unused: str = r"$^"
    is_published: bool = True
    is_backbone: bool = False
    find_problems: Callable[[Mapping[str, Tensor]], list[str]] = _nothing
    prepare: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] = _unchanged
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_published_detector(self) -> bool:
        """Whether it holds a whole detector under other names than ours."""
        return self.is_published and not self.is_backbone

    def has(self, names: Iterable[str]) -> bool:
        """Whether some of a file's names are of this kind alone."""
        return any(re.match(self.marks, name) for name in names)

    def leaves_out(self, name: str) -> bool:
        """Whether a published name is deliberately not used."""
        return re.fullmatch(self.unused, name) is not None
