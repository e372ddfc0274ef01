"""Files that training skips: each is named once, and too many of them are an error."""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)


class BadFilesError(ValueError):
    """More files of a data set are unusable than the configuration tolerates; the message names the last one."""


class BadFileCounter:
    """Counter of the distinct files of a data set that a worker found unusable.

    Args:
        limit: Number of bad files that are tolerated.
        what: Name of the counted things, e.g. "images of the data set".
        key: Configuration key that sets the limit.
    """

    def __init__(self, limit: int, what: str, key: str) -> None:
        self._limit = limit
        self._what = what
        self._key = key
        self._files: set[str] = set()
        self._messages: set[str] = set()

    def __len__(self) -> int:
        return len(self._files)

    def count(self, file_name: str, error: Exception) -> None:
        """Count a file that cannot be used, and log it once per reason.

        Raises:
            BadFilesError: more than ``limit`` files are bad.
        """
        message = f"{file_name}: cannot be used for training ({type(error).__name__}: {error})"
        if message in self._messages:
            return
        self._messages.add(message)
        self._files.add(file_name)
        if len(self._files) > self._limit:
            raise BadFilesError(
                f"{message}; {len(self._files)} {self._what} are bad by now, more than {self._key} allows"
            ) from error
        logger.warning("%s; skipped, %d so far in this worker", message, len(self._files))
