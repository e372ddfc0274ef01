"""Tables of pairs of names, published and ours, that are read in both directions."""

from __future__ import annotations

import re
from collections.abc import Iterable

# {level}, {level+2} or {3*level+1}: a number, which is this function of the field's value. {leaf}: a word.
_FIELD = re.compile(r"\{(?:(?P<factor>\d+)\*)?(?P<name>[a-z]+)(?:\+(?P<offset>\d+))?\}")
_WORD, _REST = "leaf", "rest"
_PATTERNS = {_WORD: r"(\w+)", _REST: r"(.+)"}


class NameTemplate:
    """Template of names, such as ``backbone.layer{stage}.{block}.conv{conv}.{leaf}``.

    A field stands for a whole number, except ``{leaf}``, which stands for a word, and ``{rest}``, for anything. In
    ``{3*conv+1}`` the number in the name is 3 times the field's value plus 1.
    """

    def __init__(self, text: str) -> None:
        literals = _FIELD.split(text)[:: _FIELD.groups + 1]
        self._fields = [
            (field["name"], int(field["factor"] or 1), int(field["offset"] or 0)) for field in _FIELD.finditer(text)
        ]
        pattern = re.escape(literals[0])
        for (name, *_), literal in zip(self._fields, literals[1:]):
            pattern += _PATTERNS.get(name, r"(\d+)") + re.escape(literal)
        self._pattern = re.compile(pattern)
        self._literals = literals

    def read(self, name: str) -> dict[str, str | int] | None:
        """Values of the fields in a name; None if the name is not of this form."""
        match = self._pattern.fullmatch(name)
        if match is None:
            return None
        values: dict[str, str | int] = {}
        for text, (field, factor, offset) in zip(match.groups(), self._fields):
            if field in _PATTERNS:
                values[field] = text
                continue
            value, remainder = divmod(int(text) - offset, factor)
            if remainder or value < 0:
                return None
            values[field] = value
        return values

    def write(self, values: dict[str, str | int]) -> str:
        """Name with the given values of its fields."""
        name = self._literals[0]
        for (field, factor, offset), literal in zip(self._fields, self._literals[1:]):
            value = values[field]
            name += f"{value if isinstance(value, str) else value * factor + offset}{literal}"
        return name


class NameTable:
    """Pairs of templates, published and ours; the first one that fits a name renames it."""

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        self._rows = [(NameTemplate(published), NameTemplate(ours)) for published, ours in rows]

    def ours(self, published: str) -> str | None:
        """Name in ICTrack of a published name; None for an unknown one."""
        for theirs, ours in self._rows:
            if (values := theirs.read(published)) is not None:
                return ours.write(values)
        return None

    def published(self, ours: str) -> str | None:
        """Published name of a name in ICTrack; None for an unknown one."""
        for theirs, own in self._rows:
            if (values := own.read(ours)) is not None:
                return theirs.write(values)
        return None
