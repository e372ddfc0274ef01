"""Warnings about odd data that can be scored."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

_MAX_PLACES = 3  # named per message


@dataclass
class DataWarnings:
    """Non-fatal problems found while scoring: count and first places per message."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    places: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, message: str, place: str) -> None:
        """Count a case of a message at a place, which is a JSON path or a sequence's name."""
        self.counts[message] += 1
        if len(self.places[message]) < _MAX_PLACES:
            self.places[message].append(place)

    def update(self, other: DataWarnings) -> None:
        for message, count in other.counts.items():
            self.counts[message] += count
            self.places[message] = (self.places[message] + other.places[message])[:_MAX_PLACES]

    def lines(self) -> list[str]:
        """Lines "place, place, place and 5 more: message", one per message."""
        lines = []
        for message, count in self.counts.items():
            more = count - len(self.places[message])
            lines.append(", ".join(self.places[message]) + (f" and {more} more" if more else "") + f": {message}")
        return lines
