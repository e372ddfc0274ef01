"""Look for mistakes in a configuration, its data sets and its weights, without training. Takes the arguments of
``ictrack train``, and prints a line for each part.

example:
  ictrack check --config-file my.yaml --num-gpus 2 MODEL.WEIGHTS image_stage/model_final.pth
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def run(argv: Sequence[str]) -> int:
    from ictrack.engine.check_run import check_run
    from ictrack.engine.launch import parse_training_arguments

    num_mistakes = 0
    for finding in check_run(parse_training_arguments(argv, prog="ictrack check", description=__doc__)):
        if finding.is_mistake:
            print(f"error: {finding.text}", file=sys.stderr)
        else:
            print(finding.text, flush=True)
        num_mistakes += finding.is_mistake
    return 1 if num_mistakes else 0
