"""Helpers of all commands: argument types, early checks of outputs, and one-line errors."""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from .atomic_file import part_of

# Detectron2's registries and catalogs report an unknown name as a KeyError.
_UNKNOWN_NAME = re.compile(r"is not registered|No object named")

# Head of a DataLoader worker's error; the message goes on with its traceback, which ends in its type and message.
_OF_WORKER = re.compile(r"Caught \w+ in DataLoader worker process \d+\.\n")

# Lowest and highest number of frames per second; FFmpeg fails far below.
_FRAME_RATES = (0.001, 100_000)

_Number = TypeVar("_Number", int, float)


class OutputError(ValueError):
    """A file that cannot, or must not, be written; the message names it."""


def _number(text: str, kind: Callable[[str], _Number], is_valid: Callable[[_Number], bool], expected: str) -> _Number:
    try:
        number = kind(text)
    except ValueError:
        number = kind("-1")
    if not is_valid(number):
        raise argparse.ArgumentTypeError(f"must be {expected}, not {text}")
    return number


def positive_int(text: str) -> int:
    """Argument type of whole numbers of at least 1."""
    return _number(text, int, lambda number: number >= 1, "a whole number of at least 1")


def non_negative_int(text: str) -> int:
    """Argument type of whole numbers of at least 0."""
    return _number(text, int, lambda number: number >= 0, "a whole number of at least 0")


def positive_number(text: str) -> float:
    """Argument type of finite numbers above 0."""
    return _number(text, float, lambda number: 0 < number < math.inf, "a positive number")


def frame_rate(text: str) -> float:
    """Argument type of frames per second, from time lapse to high-speed cameras."""
    low, high = _FRAME_RATES
    return _number(text, float, lambda number: low <= number <= high, f"from {low} to {high} a second")


def seconds(text: str) -> float:
    """Argument type of durations in seconds."""
    return _number(text, float, lambda number: 0 <= number < math.inf, "a number of seconds")


def share(text: str) -> float:
    """Argument type of numbers from 0 to 1."""
    return _number(text, float, lambda number: 0 <= number <= 1, "a number from 0 to 1")


def user_error(error: BaseException) -> str | None:
    """One-line message on an error in the user's files, settings or installation; None for a fault of the program.

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
    """Exit status of an action (None: 0); after a user's mistake, one line on standard error and 1.

    A fault of the program keeps its traceback.
    """
    try:
        return action() or 0
    except BrokenPipeError:  # the reader of a pipe, such as head, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        message = user_error(error)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        return 1


def for_each(sources: Sequence[str], action: Callable[[str], bool], done: str) -> int:
    """Do something with sources, one after another; a user's mistake in one does not stop the others.

    Args:
        sources: Sources.
        action: Function of a source that returns whether to go on.
        done: What is done with a source, as a participle.

    Returns:
        Exit status: 1 after a mistake.
    """
    num_failed = 0
    for source in sources:
        try:
            if not action(source):
                break
        except Exception as error:
            message = user_error(error)
            if message is None:
                raise
            print(f"error: {message}", file=sys.stderr)
            num_failed += 1
    if num_failed:
        print(f"{num_failed} of {len(sources)} videos could not be {done}", file=sys.stderr)
    return 1 if num_failed else 0


def check_outputs(outputs: Iterable[str | os.PathLike | None], inputs: Iterable[str | os.PathLike | None]) -> None:
    """Check before the work whether files can be written, and make their folders. None stands for no file.

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
