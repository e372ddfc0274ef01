"""Export of a configured model, with all that is needed to track with it, to one file."""

from __future__ import annotations

import io
import os
import warnings
from typing import Any

import torch
from detectron2.config import CfgNode
from torch import Tensor, nn

from ictrack.modeling.export import ExportError, exported_graph
from ictrack.structures.atomic_file import replacing
from ictrack.structures.exported_model import DETECTIONS, METADATA_KEY, RAW, ExportedModel

from .onnx_tracker import TRACKERS
from .video_tracker import VideoTracker

FORMATS = ("onnx", "torch-export")
OUTPUTS = (DETECTIONS, RAW)
# Version of the operators, which ONNX Runtime has from 1.12 (2022) on.
_OPSET = 17
# Sides of the example, at least; maps of all levels then have several cells.
_EXAMPLE = (130, 200)


def export_model(
    cfg: CfgNode,
    path: str | os.PathLike,
    *,
    file_format: str = "onnx",
    outputs: str = DETECTIONS,
    size: tuple[int, int] | None = None,
) -> ExportedModel:
    """Write the model of a configuration, with its weights.

    Args:
        cfg: Configuration, with MODEL.WEIGHTS.
        path: File to write.
        file_format: "onnx", for images of any size; or "torch-export", for ``torch.export.load``, for images of one
            size, since PyTorch takes sides of maps that are added, as a feature pyramid does, for constants.
        outputs: "detections", of one image; or "raw", the network's outputs for a normalized and padded image.
        size: Height and width, which are padded, of a torch-export; by default those of the largest test image.

    Returns:
        What the file says of the model.

    Raises:
        CheckpointError: the weights are missing or cannot be read.
        ExportError: the model, or its tracker, cannot be exported; or the ``onnx`` package is missing.
    """
    if file_format not in FORMATS or outputs not in OUTPUTS:
        raise ValueError(f"a model is exported as {' or '.join(FORMATS)}, with {' or '.join(OUTPUTS)}")
    if file_format == "torch-export" and outputs == DETECTIONS:
        raise ExportError(f"torch-export holds the network alone: give --outputs {RAW}, or --format onnx")
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.TIMM.AUTOCAST = False  # a CPU with bfloat16 would write it into the file, and others could not run it
    tracker = VideoTracker.from_config(cfg)
    model = tracker.model
    facts = ExportedModel(
        architecture=type(model).__name__,
        outputs=outputs,
        image_format=tracker.image_format,
        min_size=tracker.resize.min_size,
        max_size=tracker.resize.max_size,
        pixel_mean=list(cfg.MODEL.PIXEL_MEAN),
        pixel_std=list(cfg.MODEL.PIXEL_STD),
        size_divisibility=getattr(model, "size_divisibility", 1),
        class_names=tracker.class_names,
        category_ids=tracker.category_ids,
        joint_names=tracker.joints.names if tracker.joints is not None else (),
        min_joint_score=tracker.min_joint_score,
        settings=tracker_settings(cfg),
    )
    graph = exported_graph(model, outputs).eval()
    sides = _EXAMPLE
    if file_format == "torch-export":
        sides = size or ((facts.min_size, facts.max_size) if facts.min_size else _EXAMPLE)
    example = tuple(_example(name, facts.size_divisibility, sides) for name in graph.input_names)
    write = _onnx if file_format == "onnx" else _torch_export
    with torch.no_grad():
        graph(*example)  # what is made when it is first needed is then there, and not a part of the graph
        content = write(graph, example, facts)
    with replacing(path) as file:
        file.write(content)
    return facts


def tracker_settings(cfg: CfgNode) -> dict[str, Any]:
    """See :attr:`ExportedModel.settings`."""
    name = cfg.TRACKER_HEADS.TRACKER_NAME
    if name not in TRACKERS:
        raise ExportError(f"TRACKER_HEADS.TRACKER_NAME {name!r} cannot be exported; {' and '.join(TRACKERS)} can")
    sigmas = cfg.TEST.KEYPOINT_OKS_SIGMAS
    return {"TRACKER_HEADS": _plain(cfg.TRACKER_HEADS), "TEST": {"KEYPOINT_OKS_SIGMAS": [float(x) for x in sigmas]}}


def _plain(node: CfgNode) -> dict[str, Any]:
    """Configuration as dicts."""
    return {name: _plain(value) if isinstance(value, CfgNode) else value for name, value in node.items()}


def _example(name: str, divisor: int, sides: tuple[int, int]) -> Tensor:
    """Example of an input, of height and width ``sides`` with the padding to multiples of ``divisor``."""
    height, width = (-(-side // divisor) * divisor for side in sides)
    if name == "images":
        return torch.rand(1, 3, height, width)
    if name == "image":
        return torch.randint(256, (height - 3, width - 5, 3), dtype=torch.uint8)
    return torch.tensor([height - 3, width - 5])  # image_size, output_size


def _onnx(graph: Any, example: tuple[Tensor, ...], facts: ExportedModel) -> bytes:
    try:
        import onnx
    except ImportError:
        raise ExportError("ONNX files need the package onnx: pip install 'ictrack[export]'") from None
    raw = facts.outputs == RAW
    outputs = graph(*example)
    names = list(outputs) if raw else list(graph.output_names)
    axes = {"images": {2: "height", 3: "width"}, "image": {0: "height", 1: "width"}}
    axes = {name: axes[name] for name in graph.input_names if name in axes}
    tensors = outputs.values() if raw else outputs
    for name, tensor in zip(names, tensors):
        first = 2 if raw else 0
        axes[name] = {axis: f"{name}_{axis}" for axis in range(first, tensor.dim())} if raw else {0: "detections"}
    if not raw and "pred_masks" in axes:
        axes["pred_masks"] = {0: "detections", 1: "output_height", 2: "output_width"}
    buffer: Any = io.BytesIO()  # the exporter's annotation knows names of files only
    with warnings.catch_warnings():
        # Sizes that look constant to the tracer are those of grids and channels, or checked against the example.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            example,
            buffer,
            input_names=list(graph.input_names),
            output_names=names,
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )
    model = onnx.load_model_from_string(buffer.getvalue())
    onnx.helper.set_model_props(model, {METADATA_KEY: facts.to_json()})
    return model.SerializeToString()


def _torch_export(graph: nn.Module, example: tuple[Tensor, ...], facts: ExportedModel) -> bytes:
    program = torch.export.export(graph, example, strict=False)
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={METADATA_KEY: facts.to_json()})
    return buffer.getvalue()
