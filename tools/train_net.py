"""Train or evaluate a model.

    python tools/train_net.py --config-file configs/... [--num-gpus N] [--resume] [--eval-only] KEY VALUE ...

On a machine without a GPU, --num-gpus N starts N processes over gloo.
"""

import sys

from detectron2.engine import default_argument_parser

from ictrack.engine.setup import launch_training
from ictrack.structures.command_line import run_command

if __name__ == "__main__":
    args = default_argument_parser(__doc__).parse_args()
    sys.exit(run_command(lambda: launch_training(args)))
