"""Seeded damage to JSON files, as bytes and as values, and a limit to the time that reading it takes."""

from __future__ import annotations

import faulthandler
import json
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 255, 2**31, 2**32 + 1, -(2**63), 2**63, 10**30, 10**400, 0.5, -0.0, 1e308, 1e-320,
    float("nan"), float("inf"), float("-inf"), "", "0", "1", "x", "nan", "é", "\ud800", "\x00", "a" * 1000, [], {},
    [[]], [None], [0], [1, 2, 3], {"size": [1, 1], "counts": "1"}, {"size": [12, 16], "counts": [192]},
]  # fmt: skip


class Hang(BaseException):
    """Not an Exception, so that nothing under test catches it."""


@contextmanager
def time_limit(seconds: float = 5) -> Iterator[None]:
    """Hang after so many seconds of work, and an end of the process where compiled code does not return."""

    def give_up(*_: Any) -> None:
        raise Hang

    previous = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    faulthandler.dump_traceback_later(10 * seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


def mutate_bytes(rng: random.Random, data: bytes) -> bytes:
    """Flipped, cut, dropped, repeated or inserted bytes, or a digit for a digit."""
    i, j = sorted(rng.randrange(len(data)) for _ in range(2))
    kind = rng.randrange(6)
    if kind == 0:
        return data[:i] + bytes([data[i] ^ 1 << rng.randrange(8)]) + data[i + 1 :]
    if kind == 1:
        return data[:i]
    if kind == 2:
        return data[:i] + data[min(j, i + rng.randrange(1, 30)) :]
    if kind == 3:
        return data[:j] + data[i:]
    if kind == 4:
        return data[:i] + rng.choice([b",", b"[", b"]", b"{", b"}", b'"', b"-", b"e9", b"NaN", b"9" * 5000]) + data[i:]
    digits = [k for k, byte in enumerate(data) if 48 <= byte <= 57]
    if not digits:
        return data[:i] + rng.randbytes(j - i) + data[j:]
    k = rng.choice(digits)
    return data[:k] + str(rng.randrange(10)).encode() + data[k + 1 :]


def mutate_value(rng: random.Random, data: bytes) -> bytes:
    """One to three changes somewhere in the tree of values; none where they make it deeper than Python's stack."""
    try:
        return _changed(rng, data)
    except RecursionError:
        return data


def _changed(rng: random.Random, data: bytes) -> bytes:
    tree = [json.loads(data)]
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        places = list(_places(tree))
        container, key = rng.choice(places)
        value = container[key]
        kind = rng.choice([0, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6])
        if kind == 0:
            container[key] = rng.choice([*VALUES, nested(400), nested(80)])
        elif kind == 1 and container is not tree:
            del container[key]
        elif kind == 2:
            # The value of another place, mostly of the same key, so that the file often stays whole.
            same = [
                place for place in places if place[1] == key or (isinstance(place[1], int) and isinstance(key, int))
            ]
            other, other_key = rng.choice(same if rng.random() < 0.8 else places)
            container[key] = json.loads(json.dumps(other[other_key]))
        elif kind == 3 and isinstance(container, list) and container is not tree:
            container.insert(rng.randrange(len(container) + 1), json.loads(json.dumps(value)))
        elif kind == 4 and isinstance(value, list):
            rng.shuffle(value)
        elif isinstance(value, str) and value:
            i = rng.randrange(len(value))
            container[key] = value[:i] + rng.choice(["", chr(rng.randrange(40, 120)), value[i] * 2]) + value[i + 1 :]
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            container[key] = rng.choice([value + 1, value - 1, -value, value * 2, f"{value}", [value]])
    return json.dumps(tree[0]).encode()


def _places(value: Any) -> Any:
    """(container, key) of every value below ``value``."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])
