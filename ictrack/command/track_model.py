"""Detector and tracker of ``ictrack track``, from its arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .parser import overrides_of

if TYPE_CHECKING:
    from ictrack.engine.frame_tracker import FrameTracker

# Arguments that choose or run a model which --onnx has already.
_WITHOUT_ONNX = ("config_file", "task", "detections", "weights", "amp")


class ChosenModel(NamedTuple):
    """Detector and tracker.

    Attributes:
        tracker: Both.
        settings: Text that is the same where they are.
        files: Files of the model.
    """

    tracker: FrameTracker
    settings: str
    files: Sequence[str]


def check_model_arguments(args: argparse.Namespace, refuse: Callable[[str], Any]) -> None:
    """Refuse arguments that contradict each other, and an unknown tracker."""
    for name in _WITHOUT_ONNX:
        if args.onnx and getattr(args, name):
            refuse(f"--onnx is a whole model, beside which there is no --{name.replace('_', '-')}")
    if args.task and args.config_file:
        refuse("--task chooses a model, which --config-file does, too")
    if args.task and args.detections:
        refuse("--task chooses a detector, whose place --detections takes")
    if args.detections_format and not args.detections:
        refuse("--detections-format is that of --detections, which is missing")
    if args.tracker:
        names = _onnx_trackers() if args.onnx else _registered_trackers()
        if args.tracker not in names:
            refuse(f"argument --tracker: {args.tracker!r} is none of {', '.join(sorted(names))}")


def choose_model(args: argparse.Namespace) -> ChosenModel:
    """Model of checked arguments."""
    if args.onnx:
        return _onnx_model(args)
    from ictrack.checkpoint.weights_file import CheckpointError
    from ictrack.engine.given_detections import detections_config
    from ictrack.engine.idle_memory import keep_freed_memory
    from ictrack.engine.setup import load_config
    from ictrack.engine.video_tracker import VideoTracker
    from ictrack.model_zoo import config_path, get_config_file
    from ictrack.modeling.build import needs_weights

    from .log import show_log

    keep_freed_memory()
    show_log()
    flags = {
        "MODEL.WEIGHTS": args.weights,
        "MODEL.DEVICE": args.device,
        "TRACKER_HEADS.TRACKER_NAME": args.tracker,
    }
    overrides = [*args.opts, *overrides_of(flags)]
    if args.detections:
        cfg = detections_config(
            args.detections, args.detections_format, config_file=args.config_file, overrides=overrides
        )
    else:
        config_file = args.config_file
        if not config_file and (args.weights or "").endswith(".onnx"):
            config_file = str(config_path("onnx_detector.yaml"))
            overrides += ["MODEL.ONNX.FILE", args.weights, "MODEL.WEIGHTS", ""]
        cfg = load_config(config_file or str(get_config_file(args.task or "boxes")), overrides)
        if needs_weights(cfg) and not cfg.MODEL.WEIGHTS:
            raise CheckpointError("no weights: give --weights, or MODEL.WEIGHTS in the configuration")
    tracker = VideoTracker.from_config(cfg, amp=args.amp, classes=args.classes)
    files = [cfg.MODEL.WEIGHTS, cfg.MODEL.GIVEN_DETECTIONS.FILE, cfg.MODEL.ONNX.FILE]
    return ChosenModel(tracker, f"{cfg.dump()} {args.amp}", files)


def _onnx_model(args: argparse.Namespace) -> ChosenModel:
    from ictrack.engine.onnx_tracker import OnnxTracker

    overrides = [*args.opts, *overrides_of({"TRACKER_HEADS.TRACKER_NAME": args.tracker})]
    tracker = OnnxTracker(args.onnx, device=args.device, classes=args.classes, overrides=overrides)
    return ChosenModel(tracker, f"{tracker.facts.to_json()} {overrides}", [args.onnx])


def _onnx_trackers() -> list[str]:
    from ictrack.engine.onnx_tracker import TRACKERS

    return list(TRACKERS)


def _registered_trackers() -> list[str]:
    from detectron2.tracking.base_tracker import TRACKER_HEADS_REGISTRY

    import ictrack.tracking.heads  # noqa: F401  (registers ICTrack's)

    return [name for name, _ in TRACKER_HEADS_REGISTRY]
