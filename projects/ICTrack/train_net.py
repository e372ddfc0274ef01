#!/usr/bin/env python
"""Training script of the paper's models, in the form of Detectron2's projects.

    python projects/ICTrack/train_net.py --config-file configs/... [--num-gpus N] [--resume] [--eval-only] KEY VALUE ...

``ictrack train`` does the same. An experiment of your own starts from a copy of this file.
"""

import argparse
import sys
from typing import Any

from ictrack.engine import ICTrackTrainer
from ictrack.engine.launch import launch_training, parse_training_arguments
from ictrack.engine.setup import setup
from ictrack.structures.command_line import run_command


class Trainer(ICTrackTrainer):
    """Detectron2's DefaultTrainer with ICTrack's parts.

    Override what your experiment changes: ``build_model``, ``build_optimizer``, ``build_train_loader`` (labeled images,
    unlabeled video, or both), ``build_test_loader``, ``build_evaluator`` (YouTube-VIS, PoseTrack, COCO) or
    ``build_hooks``.
    """


def main(args: argparse.Namespace) -> Any:
    """Train, or evaluate with ``--eval-only``, in each process."""
    # Defaults, YAML, KEY VALUE pairs; registers and checks the data sets, and mines tracklets where they are needed.
    cfg = setup(args)
    if args.eval_only:
        return Trainer.evaluate(cfg, resume=args.resume)
    trainer = Trainer(cfg)
    trainer.resume_or_load(resume=args.resume)
    return trainer.train()


if __name__ == "__main__":
    args = parse_training_arguments(sys.argv[1:], prog=sys.argv[0], description=__doc__)
    sys.exit(run_command(lambda: launch_training(args, main)))
