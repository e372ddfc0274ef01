"""Problems that a validator finds in a submission."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ictrack.structures.json_files import AnnotationError

Severity = Literal["error", "warning"]

# Warnings of a file that are logged one by one; the rest are counted.
_MAX_LOGGED = 5


@dataclass(frozen=True)
class Problem:
    """Problem of a submission; its ``str`` is one line.

    Attributes:
        severity: "error": a server refuses the file, crashes, or scores something unintended. "warning": the file is
            scored, but probably not as intended.
        path: JSON path or line, preceded by the file's name if a file was read.
        message: Description of the problem.
    """

    severity: Severity
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.path}: {self.message}"

    def in_file(self, name: object) -> Problem:
        """Problem with the name of its file."""
        return Problem(self.severity, f"{name}: {self.path}", self.message)


def error(path: str, message: str) -> Problem:
    return Problem("error", path, message)


def warning(path: str, message: str) -> Problem:
    return Problem("warning", path, message)


def read_error(wrong: AnnotationError | OSError) -> Problem:
    """Problem of a file that cannot be read."""
    if isinstance(wrong, OSError):
        return error(str(wrong.filename), f"cannot be read: {wrong.strerror or wrong}")
    path, _, message = str(wrong).partition(": ")
    return error(path, message)


def raise_first_error(problems: Iterable[Problem], logger: logging.Logger) -> None:
    """Log the warnings, the first few in full, and raise the first error as an AnnotationError."""
    num_warnings = 0
    for problem in problems:
        if problem.severity == "error":
            raise AnnotationError(f"{problem.path}: {problem.message}")
        num_warnings += 1
        if num_warnings <= _MAX_LOGGED:
            logger.warning("%s: %s", problem.path, problem.message)
    if num_warnings > _MAX_LOGGED:
        logger.warning("and %d more warnings", num_warnings - _MAX_LOGGED)
