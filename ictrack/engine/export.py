"""Export of a configured model, with all that is needed to track with it, to one file."""

from __future__ import annotations

import io
import os
import warnings
from typing import Any

import torch
from detectron2.config import CfgNode
from torch import Tensor
from torch.export import Dim

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
_LARGER = (260, 400)  # of another, whose sides are other multiples of a divisor
# Smallest sides of a torch-export's images, in multiples of the divisor: torch.export wants more than one row and
# column in each map, also on a level of twice the divisor's stride.
_SMALLEST = 3


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
        file_format: "onnx", or "torch-export", for ``torch.export.load``.
        outputs: "detections", of one image; or "raw", the network's outputs for a normalized and padded image.
        size: Height and width, which are padded, of all images of a torch-export; None: any size, from three times the
            model's ``size_divisibility`` on.

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
    graph = exported_graph(model, outputs).eval()
    facts = ExportedModel(
        architecture=type(model).__name__,
        outputs=outputs,
        image_format=tracker.image_format,
        min_size=tracker.resize.min_size,
        max_size=tracker.resize.max_size,
        pixel_mean=list(cfg.MODEL.PIXEL_MEAN),
        pixel_std=list(cfg.MODEL.PIXEL_STD),
        size_divisibility=graph.size_divisibility,
        class_names=tracker.class_names,
        category_ids=tracker.category_ids,
        joint_names=tracker.joints.names if tracker.joints is not None else (),
        min_joint_score=tracker.min_joint_score,
        settings=tracker_settings(cfg),
    )
    example = _example(graph, size or _EXAMPLE)
    with torch.no_grad():
        graph(*example)  # what is made when it is first needed is then there, and not a part of the graph
        if file_format == "onnx":
            content = _onnx(graph, example, facts)
        else:
            content = _torch_export(graph, example, facts, any_size=size is None)
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


def _example(graph: Any, sides: tuple[int, int]) -> tuple[Tensor, ...]:
    """Example of a graph's inputs, of height and width ``sides`` with the padding to multiples of its divisor."""
    height, width = (-(-side // graph.size_divisibility) * graph.size_divisibility for side in sides)
    size = torch.tensor([height - 3, width - 5])
    inputs = {
        "images": torch.rand(1, 3, height, width),
        "image": torch.randint(256, (height - 3, width - 5, 3), dtype=torch.uint8),
        "image_size": size,
        "output_size": size,
    }
    return tuple(inputs[name] for name in graph.input_names)


def _onnx(graph: Any, example: tuple[Tensor, ...], facts: ExportedModel) -> bytes:
    try:
        import onnx
    except ImportError:
        raise ExportError("ONNX files need the package onnx: pip install 'ictrack[export]'") from None
    axes = {"images": {2: "height", 3: "width"}, "image": {0: "height", 1: "width"}}
    axes = {name: axes[name] for name in graph.input_names if name in axes}
    if facts.outputs == RAW:
        outputs = graph(*example)
        names = list(outputs)
        larger = graph(*_example(graph, _LARGER))
        for name in names:
            sides = enumerate(zip(outputs[name].shape, larger[name].shape))
            axes[name] = {axis: f"{name}_{axis}" for axis, (one, other) in sides if one != other}
    else:
        names = list(graph.output_names)
        axes |= {name: {0: "detections"} for name in names}
        if "pred_masks" in names:
            axes["pred_masks"] |= {1: "output_height", 2: "output_width"}
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


def _torch_export(graph: Any, example: tuple[Tensor, ...], facts: ExportedModel, *, any_size: bool) -> bytes:
    shapes: dict[str, Any] | None = None
    if any_size:
        height, width = (facts.size_divisibility * Dim(name, min=_SMALLEST) for name in ("rows", "columns"))
        shapes = {name: {2: height, 3: width} if name == "images" else None for name in graph.input_names}
    try:
        program = torch.export.export(graph, example, dynamic_shapes=shapes, strict=False)
        if any_size:  # a program may know only the example's size nevertheless, and tell when it is run
            program.module()(*_example(graph, _LARGER))
    except Exception as error:  # those of torch.export have no common class
        sizes = "images of any size; give --size for one" if any_size else "images of this size"
        message = " ".join(str(error).split())[:200]
        raise ExportError(f"torch.export cannot record {facts.architecture} for {sizes} ({message})") from error
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={METADATA_KEY: facts.to_json()})
    return buffer.getvalue()
