"""Names and shapes of the tensors of published full-size models, from tests/data/published_keys."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import torch

DATA = Path(__file__).parents[1] / "data" / "published_keys"
MODELS = sorted(path.name.removesuffix(".txt.gz") for path in DATA.glob("*.txt.gz"))
DETECTORS = [name for name in MODELS if name.startswith(("mmdet3", "wxinlong", "adelaidet", "pointsetanchor"))]


def listed_shapes(model: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a model of ``MODELS``."""
    lines = gzip.decompress((DATA / f"{model}.txt.gz").read_bytes()).decode().splitlines()
    entries = (re.match(r"(\S+) \[(.*?)\]", line) for line in lines if not line.startswith("#"))
    return {entry[1]: tuple(int(n) for n in entry[2].split(",") if n.strip()) for entry in entries if entry}


def zero_weights(model: str) -> dict[str, torch.Tensor]:
    """Zeros of a model's shapes, which take no memory, of the types that a file has."""
    return {
        name: torch.zeros((), dtype=torch.int64 if name.endswith("batches_tracked") else torch.float32).expand(shape)
        for name, shape in listed_shapes(model).items()
    }
