"""Problems that a validator finds in a submission."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ictrack.structures.json_files import AnnotationError

Severity = Literal["error", "warning"]

# Warnings of a file that are logged one by one; the rest is counted.
_MAX_LOGGED = 5


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a submission; its ``str`` is one line.

    Attributes:
        severity: "error": a server would refuse it, crash, or score something else than is meant. "warning": it is
            scored, but probably not as intended.
        path: where: JSON path or line, behind the file's name if a file was read.
        message: what is wrong.
    """

    severity: Severity
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.path}: {self.message}"

    def in_file(self, name: object) -> Problem:
        """The same problem, with the file that it is in."""
        return Problem(self.severity, f"{name}: {self.path}", self.message)


def error(path: str, message: str) -> Problem:
    return Problem("error", path, message)


def warning(path: str, message: str) -> Problem:
    return Problem("warning", path, message)


def raise_first_error(problems: Iterable[Problem], logger: logging.Logger) -> None:
    """Log the warnings, the first few in full.

    Raises:
        AnnotationError: of the first error among ``problems``.
    """
    num_warnings = 0
    for problem in problems:
        if problem.severity == "error":
            raise AnnotationError(f"{problem.path}: {problem.message}")
        num_warnings += 1
        if num_warnings <= _MAX_LOGGED:
            logger.warning("%s: %s", problem.path, problem.message)
    if num_warnings > _MAX_LOGGED:
        logger.warning("and %d more warnings", num_warnings - _MAX_LOGGED)
