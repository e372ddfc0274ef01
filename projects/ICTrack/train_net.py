"""Train or evaluate a model.

    python projects/ICTrack/train_net.py --config-file configs/... [--num-gpus N] [--resume] [--eval-only] KEY VALUE ...

On a machine without a GPU, --num-gpus N starts N processes over gloo.
"""

from detectron2.engine import default_argument_parser

from ictrack.engine.setup import launch_training

if __name__ == "__main__":
    launch_training(default_argument_parser(__doc__).parse_args())
