"""Defects of a data set, with their places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ictrack.structures.describe import describe


@dataclass(frozen=True)
class Subject:
    """What a defect can be seen in.

    Attributes:
        image: Path of the picture.
        box: x, y, width, height as the labels state them, which may be any JSON value; None for the whole picture.
    """

    image: str
    box: Any = None


@dataclass(frozen=True)
class Defect:
    """A defect of a data set.

    Attributes:
        kind: What it is about, such as "box".
        where: JSON path or file.
        text: What is wrong.
        is_error: Whether it falsifies training or scores; else it is a warning.
        subject: What it can be seen in, if there is a picture.
    """

    kind: str
    where: str
    text: str
    is_error: bool = True
    subject: Subject | None = None


class Defects:
    """Defects in the order in which they are found.

    Attributes:
        found: The defects.
        prefix: Beginning of every place.
        subject: What the next defects can be seen in.
    """

    def __init__(self, prefix: str = "") -> None:
        """
        Args:
            prefix: Beginning of every place, such as the name of one of several files.
        """
        self.found: list[Defect] = []
        self.prefix = prefix
        self.subject: Subject | None = None

    def error(self, kind: str, where: str, text: str) -> None:
        self.found.append(Defect(kind, self.prefix + where, text, subject=self.subject))

    def warning(self, kind: str, where: str, text: str) -> None:
        self.found.append(Defect(kind, self.prefix + where, text, is_error=False, subject=self.subject))

    def require(self, condition: bool, kind: str, where: str, text: str, *values: Any) -> bool:
        """Add an error unless the condition holds; returns the condition. Each {} in the text is one of the values."""
        if not condition:
            self.error(kind, where, text.format(*map(describe, values)) if values else text)
        return condition

    @property
    def num_errors(self) -> int:
        return sum(defect.is_error for defect in self.found)

    def lines(self, most: int = 5) -> Iterator[str]:
        """Lines to show: the first ones of each kind, how many more there are, and a summary."""
        shown: Counter[tuple[str, bool]] = Counter()
        counts = Counter((defect.kind, defect.is_error) for defect in self.found)
        for defect in self.found:
            key = (defect.kind, defect.is_error)
            shown[key] += 1
            if shown[key] <= most:
                yield f"{_SEVERITIES[defect.is_error]}: {defect.where}: {defect.text}"
            if shown[key] == most and counts[key] > most:
                yield f"{_SEVERITIES[defect.is_error]}: {defect.kind}: {counts[key] - most} more"
        for is_error in (True, False):
            kinds = {kind: count for (kind, error), count in counts.items() if error == is_error}
            listed = f" ({', '.join(f'{kind} {count}' for kind, count in kinds.items())})" if kinds else ""
            yield f"{_SEVERITIES[is_error]}s: {sum(kinds.values())}{listed}"


_SEVERITIES = {True: "error", False: "warning"}
