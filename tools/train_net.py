"""Train or evaluate a model.

    python tools/train_net.py --config-file configs/... [--num-gpus N] [--resume] [--eval-only] KEY VALUE ...

On a machine without a GPU, --num-gpus N starts N processes over gloo.
"""

from detectron2.engine import default_argument_parser

from ictrack.engine.check_classes import ClassesError
from ictrack.engine.setup import ConfigError, launch_training
from ictrack.structures.json_files import AnnotationError

if __name__ == "__main__":
    try:
        launch_training(default_argument_parser(__doc__).parse_args())
    except (AnnotationError, ClassesError, ConfigError) as error:
        raise SystemExit(f"train_net: {error}") from None
