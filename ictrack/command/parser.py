"""What the parsers of all sub-commands share."""

from __future__ import annotations

import argparse


def make_parser(command: str, description: str | None) -> argparse.ArgumentParser:
    """Parser of ``ictrack COMMAND``, which shows the description, with its examples, as it is written."""
    return argparse.ArgumentParser(
        prog=f"ictrack {command}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def overrides_of(flags: dict[str, object]) -> list[str]:
    """KEY, VALUE, ... of the flags that were given: configuration key -> value, None where a flag was not."""
    return [str(item) for key, value in flags.items() if value is not None for item in (key, value)]
