"""Check this machine and its installation, a line a part, with what to do about what is broken.

example:
  ictrack doctor
"""

from __future__ import annotations

from collections.abc import Sequence

from ictrack import doctor

from .parser import make_parser


def run(argv: Sequence[str]) -> int:
    make_parser("doctor", __doc__).parse_args(argv)
    return doctor.main()
