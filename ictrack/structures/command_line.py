"""What all commands share: checked numbers, outputs checked before the work, and errors of one line."""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from collections.abc import Callable, Iterable

from .atomic_file import part_of

# Detectron2's registries and catalogs report an unknown name as a KeyError.
_UNKNOWN_NAME = re.compile(r"is not registered|No object named")

# An error of a DataLoader's worker: PyTorch puts its traceback, which ends in its type and message, into the message.
_OF_WORKER = re.compile(r"Caught \w+ in DataLoader worker process \d+\.\n")

# Lowest and highest number of frames a second; FFmpeg writes no MP4 of one frame in weeks.
_FRAME_RATES = (0.001, 100_000)


class OutputError(ValueError):
    """A file that cannot, or must not, be written to; the message names it."""


def positive_int(text: str) -> int:
    """An argument's type: a whole number of at least 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text}")
    return number


def non_negative_int(text: str) -> int:
    """An argument's type: a whole number of at least 0."""
    return 0 if text.strip() == "0" else positive_int(text)


def positive_number(text: str) -> float:
    """An argument's type: a finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a positive number, not {text}")
    return number


def frame_rate(text: str) -> float:
    """An argument's type: frames a second, from one in a quarter of an hour to a high-speed camera's."""
    number = positive_number(text)
    if not _FRAME_RATES[0] <= number <= _FRAME_RATES[1]:
        raise argparse.ArgumentTypeError(f"must be from {_FRAME_RATES[0]} to {_FRAME_RATES[1]} a second, not {text}")
    return number


def share(text: str) -> float:
    """An argument's type: a number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, not {text}")
    return number


def user_error(error: BaseException) -> str | None:
    """One line on what is wrong with the user's files, settings or installation; None for a fault of the program.

    Every error that ICTrack declares is a ValueError, or a FloatingPointError where a training diverges.
    """
    if isinstance(error, OSError):
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    elif isinstance(error, KeyError):
        message = str(error.args[0] if error.args else error)
        if not _UNKNOWN_NAME.search(message):
            return None
    elif isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("ictrack"):
        message = f"{error}; `ictrack doctor` says what is missing, and what to do about it"
    elif isinstance(error, (ValueError, FloatingPointError)):
        message = str(error)
        if _OF_WORKER.match(message):
            message = message.splitlines()[-1].partition(": ")[2]
    else:
        return None
    return " ".join(message.split())


def run_command(action: Callable[[], int | None]) -> int:
    """The action's exit status (None: 0); after a user's mistake, one line on standard error and 1.

    A fault of the program keeps its traceback.
    """
    try:
        return action() or 0
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        message = user_error(error)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        return 1


def check_outputs(outputs: Iterable[str | os.PathLike | None], inputs: Iterable[str | os.PathLike | None]) -> None:
    """Find out before the work whether files can be written, and make their folders. None stands for no file.

    Raises:
        OutputError: an output is a folder, one of the inputs or another output (by any link), or cannot be made.
    """
    taken = [(os.fspath(path), "the input") for path in inputs if path and os.path.isfile(path)]
    for output in outputs:
        if output is None:
            continue
        path = os.fspath(output)
        if os.path.isdir(path) or not os.path.basename(path):
            raise OutputError(f"{path}: is a folder; name a file")
        for other, what in taken:
            if _is_same(path, other):
                raise OutputError(f"{path}: is {what} {other}; write to another file")
        taken.append((path, "also the output"))
        _check_writable(path)


def _is_same(path: str, other: str) -> bool:
    if os.path.realpath(path) == os.path.realpath(other):
        return True
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)


def _check_writable(path: str) -> None:
    part = part_of(path)
    existed = os.path.exists(part)
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with open(part, "ab"):
            pass
        if not existed:
            part.unlink()
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    if os.path.exists(path) and not os.path.isfile(path):
        raise OutputError(f"{path}: is no file that can be replaced")
