"""Parameters and floating-point operations of full-size models, counted by fvcore."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from fvcore.nn import FlopCountAnalysis
from tabulate import tabulate

from ictrack.engine.setup import load_config
from ictrack.modeling.build import build_model
from ictrack.modeling.export import exported_graph

# Part of the table -> names of modules.
_PARTS = {
    "backbone": ("backbone",),
    "heads": ("head", "heads", "heatmap_head"),
    "embedding": ("embedding_head",),
}


def model_size(config_file: str, size: Sequence[int], opts: Sequence[str]) -> dict[str, Any]:
    """Size of a configuration's model.

    Args:
        config_file: Configuration file of SOLO or PointSetAnchor.
        size: Height and width of the image, before padding.
        opts: KEY VALUE pairs.

    Returns:
        "config", "image", "parameters" and "flops" of all, and of each part. An operation is a multiplication with an
        addition, as fvcore counts them, of the network with the masks of all cells; selection is not counted.
    """
    weights = ["MODEL.WEIGHTS", "", "MODEL.HRNET.WEIGHTS", "", "MODEL.TIMM.WEIGHTS", ""]
    cfg = load_config(config_file, [*opts, "MODEL.DEVICE", "cpu", *weights])
    model = build_model(cfg).eval()
    graph = exported_graph(model, "raw").eval()
    divisor = model.size_divisibility
    images = torch.rand(1, 3, *(-(-side // divisor) * divisor for side in size))
    with torch.no_grad():
        counted = FlopCountAnalysis(graph, (images, torch.tensor(size))[: len(graph.input_names)])
        counted.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        by_module = counted.by_module()
    parts = {
        part: {
            "parameters": sum(p.numel() for name in names for p in _parameters(model, name)),
            "flops": int(sum(by_module[f"model.{name}"] for name in names)),
        }
        for part, names in _PARTS.items()
    }
    return {
        "config": config_file,
        "image": list(images.shape[2:]),
        "parameters": sum(p.numel() for p in model.parameters()),
        "flops": int(counted.total()),
        "parts": parts,
    }


def _parameters(model: Any, name: str) -> list[torch.Tensor]:
    part = getattr(model, name, None)
    return [] if part is None else list(part.parameters())


def size_table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown table in millions of parameters and GFLOP."""
    header = ["configuration", "padded image", "parameters", "GFLOP", *(f"of the {part}" for part in _PARTS)]
    cells = [
        [
            "/".join(row["config"].split("/")[-2:]),
            "{} x {}".format(*row["image"]),
            f"{row['parameters'] / 1e6:.1f} M",
            f"{row['flops'] / 1e9:.0f}",
            *(f"{row['parts'][part]['flops'] / 1e9:.0f}" for part in _PARTS),
        ]
        for row in rows
    ]
    return tabulate(cells, header, tablefmt="github")
