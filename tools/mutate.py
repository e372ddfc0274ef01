#!/usr/bin/env python
"""Plant mistakes in a copy of the tree, one at a time, and see whether its tests find them.

tools/mistakes.yaml lists the mistakes, and for each the tests of which one must fail; all must pass without mistakes.
Exit status 1 if a mistake is missed. Works where processes can fork: PyTorch and Detectron2 are imported once.

examples:
  python tools/mutate.py --output output/mutate
  python tools/mutate.py --output output/mutate --only losses
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
MISTAKES = Path(__file__).with_name("mistakes.yaml")
# A mistake may keep a test from ending.
_TIMEOUT = 600.0


@dataclass(frozen=True)
class Mistake:
    """A text of a file, what is put in its place, and tests of which one must fail."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def planted_in(self, text: str) -> str:
        """Text with the mistake. Raises ValueError unless the old text is there once."""
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file}: {self.old!r} is there {text.count(self.old)} times, not once")
        return text.replace(self.old, self.new)


def read_mistakes(path: Path = MISTAKES) -> list[Mistake]:
    """Mistakes of a file."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [Mistake(entry["file"], entry["old"], entry["new"], tuple(entry["tests"])) for entry in entries]


def copy_tree(target: Path) -> None:
    """Copy what git knows, and new files that it does not ignore."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout  # noqa: S603  fixed words
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)


def passes(tree: Path, tests: Sequence[str], log: Path) -> bool:
    """Whether tests of a tree pass, in a process of their own."""
    process = multiprocessing.get_context("fork").Process(target=_run_tests, args=(tree, tests, log))
    process.start()
    process.join(_TIMEOUT)
    if process.exitcode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
    return process.exitcode == 0


def _is_source(path: Path) -> bool:
    """Whether a folder is of the tree that was copied, and not of an environment inside it."""
    return path.is_relative_to(ROOT) and not path.is_relative_to(sys.prefix)


def _run_tests(tree: Path, tests: Sequence[str], log: Path) -> None:
    os.setsid()
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(tree)
    own = [str(tree), str(tree / "projects" / "ICTrack"), str(tree / "tools")]
    sys.path[:] = [*own, *(path for path in sys.path if not _is_source(Path(path)))]
    os.environ["PYTHONPATH"] = os.pathsep.join(own)
    import pytest

    sys.exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))


def is_caught(mistake: Mistake, tree: Path, log: Path) -> bool:
    """Whether a test of a tree fails while a mistake is planted in it."""
    path = tree / mistake.file
    text = path.read_text(encoding="utf-8")
    newest = path.stat().st_mtime
    try:
        _write(path, mistake.planted_in(text), newest + 10)
        return not passes(tree, mistake.tests, log)
    finally:
        _write(path, text, newest + 20)


def _write(path: Path, text: str, changed: float) -> None:
    """Write a file that is newer by seconds, which is how Python knows that its bytecode is old."""
    path.write_text(text, encoding="utf-8")
    os.utime(path, (changed, changed))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="new folder for the copy and the logs of the tests")
    parser.add_argument("--only", default="", help="mistakes in files whose path has this text")
    args = parser.parse_args()
    mistakes = [mistake for mistake in read_mistakes() if args.only in mistake.file]
    output = args.output.resolve()
    copy_tree(output / "tree")
    import detectron2.modeling  # noqa: F401  imported once for all

    start = time.monotonic()
    # Each file by itself, as with a mistake: what one leaves in its process may be in the way of another.
    for test in sorted({test for mistake in mistakes for test in mistake.tests}):
        if not passes(output / "tree", [test], output / "without.log"):
            print(f"error: {test} fails without mistakes, see {output / 'without.log'}", file=sys.stderr)
            return 1
    missed = 0
    for number, mistake in enumerate(mistakes, 1):
        caught = is_caught(mistake, output / "tree", output / f"{number}.log")
        missed += not caught
        print(f"{number:2} {'caught' if caught else 'MISSED'}  {mistake.file}: {mistake.old!r}", flush=True)
    print(f"{len(mistakes) - missed} of {len(mistakes)} mistakes caught, in {time.monotonic() - start:.0f} s")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
