"""Train a model, or evaluate it on the data sets of DATASETS.TEST (--eval-only). On a machine without a GPU,
--num-gpus N starts N processes over gloo.

examples:
  ictrack train --config-file configs/quickstart/solo_lite0.yaml OUTPUT_DIR output/my_run SOLVER.MAX_ITER 1000
  ictrack train --config-file output/my_run/config.yaml --num-gpus 8 --resume
  ictrack train --config-file output/my_run/config.yaml --eval-only MODEL.WEIGHTS output/my_run/model_final.pth
"""

from __future__ import annotations

from collections.abc import Sequence


def run(argv: Sequence[str]) -> None:
    from ictrack.engine.launch import launch_training, parse_training_arguments

    launch_training(parse_training_arguments(argv, prog="ictrack train", description=__doc__))
