"""CPU time of a whole SOLO at full size: ours, and mmdetection's with the same weights on the same picture."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, cast
from unittest.mock import patch

import cv2
import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile, record_function

from ictrack.engine.convert_weights import convert_file
from ictrack.engine.idle_memory import keep_freed_memory
from ictrack.engine.setup import load_config
from ictrack.modeling.build import build_model
from ictrack.modeling.solo import SOLO
from ictrack.modeling.winograd import winograd
from ictrack.structures.command_line import OutputError

from .measure import finish_measured, measure_process
from .mmdet_environment import MMDET_CONFIGS, make_environment

# Scores above the threshold, before suppression: about as many as of a trained model.
_CANDIDATES = 300
# Standard deviation of the logits of categories and masks for inputs of unit variance: as distinct as a trained one's.
_SPREAD = 4.0
_WINOGRAD = "winograd"
# Processes of each program, which take turns.
_PROCESSES = 3


def benchmark_solo(
    config_file: str, size: Sequence[int], repeats: int, against: str, environment: str, opts: Sequence[str]
) -> dict[str, Any]:
    """Median CPU seconds of inference on one thread, from a normalized picture to masks of its size.

    Weights are random, with category scores such that there are about as many candidates as a trained model has.

    Args:
        config_file: Leaf of ``configs/SOLO``.
        size: (height, width) of the picture.
        repeats: Number of measured passes in each process.
        against: "mmdet", or "" for ours alone.
        environment: Folder of an environment with mmdetection, which is made if there is none; "": a scratch one.
        opts: KEY VALUE pairs over the configuration.

    Raises:
        OutputError: mmdetection has no such model, or cannot be installed.
    """
    name = Path(config_file).stem
    if against and name not in MMDET_CONFIGS:
        raise OutputError(f"{config_file}: mmdetection is compared on {', '.join(MMDET_CONFIGS)}")
    overrides = ["MODEL.WEIGHTS", "", "MODEL.DEVICE", "cpu", *opts]
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        prepare(config_file, overrides, size, folder)
        python = make_environment(Path(environment) if environment else folder / "mmdet") if against else None
        for _ in range(_PROCESSES):
            ours = measure_process("benchmarks.solo", [str(folder), config_file, str(repeats), *overrides]).output
            seconds["ours"] += ours["seconds"]
            if python is not None:
                arguments = [str(folder), MMDET_CONFIGS[name], str(repeats)]
                theirs = measure_process("benchmarks.rival_mmdet", arguments, program=python).output
                seconds["theirs"] += theirs["seconds"]
        result = {"cpu_seconds": median(seconds["ours"]), **ours["shares"], "detections": ours["detections"]}
        if against:
            theirs_seconds = median(seconds["theirs"])
            ratio = result["cpu_seconds"] / theirs_seconds
            result |= {"mmdet_cpu_seconds": theirs_seconds, "ratio": ratio, **compare(folder)}
    return result


def prepare(config_file: str, overrides: Sequence[str], size: Sequence[int], folder: Path) -> None:
    """Write a picture (1, 3, H, W), normalized and padded, to ``image.npz``, and weights to ``ours.pth`` and, by
    mmdetection's names, ``theirs.pth``."""
    torch.manual_seed(0)
    model = cast(SOLO, build_model(load_config(config_file, list(overrides))).eval())
    coarse = np.random.default_rng(0).normal(size=(size[0] // 16, size[1] // 16, 3))
    height, width = (-(-side // model.size_divisibility) * model.size_divisibility for side in size)
    image = np.zeros((1, 3, height, width), dtype=np.float32)
    picture = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    image[0, :, : size[0], : size[1]] = picture.transpose(2, 0, 1)
    np.savez(folder / "image.npz", image=image, size=np.array(size))
    output = model.head.category_output
    with torch.no_grad():
        for name, module in model.head.named_modules():
            if isinstance(module, torch.nn.Conv2d) and "output" in name:
                module.weight.mul_(_SPREAD / (module.weight.std() * module.weight[0].numel() ** 0.5))
        scores = model.forward_features(torch.from_numpy(image)).category_scores()
        weakest = scores.flatten().topk(_CANDIDATES).values[-1]
        output.bias.add_(torch.tensor(model.selector.score_thresh).logit() - weakest.logit())
    torch.save({"model": model.state_dict()}, folder / "ours.pth")
    convert_file(
        folder / "ours.pth", folder / "theirs.pth", config_file=config_file, overrides=overrides, target="mmdet"
    )


def compare(folder: Path) -> dict[str, Any]:
    """Differences of both programs' detections, in order of their scores."""
    ours, theirs = (np.load(folder / f"{name}.npz") for name in ("ours", "theirs"))
    if len(ours["scores"]) != len(theirs["scores"]):
        return {"mmdet_detections": len(theirs["scores"])}
    bits = np.unpackbits(ours["masks"] ^ theirs["masks"]).sum()
    return {
        "mmdet_detections": len(theirs["scores"]),
        "largest_difference_of_scores": float(np.abs(ours["scores"] - theirs["scores"]).max(initial=0)),
        "different_classes": int((ours["classes"] != theirs["classes"]).sum()),
        "different_mask_pixels": float(bits / max(8 * len(ours["masks"]), 1)),
    }


def _recorded(x: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """Convolution whose operators the profiler counts together."""
    with record_function(_WINOGRAD):
        return winograd(x, filters)


def main(folder: Path, config_file: str, repeats: int, overrides: list[str]) -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    model = build_model(load_config(config_file, overrides)).eval()
    model.load_state_dict(torch.load(folder / "ours.pth", weights_only=True)["model"])
    arrays = np.load(folder / "image.npz")
    image, size = torch.from_numpy(arrays["image"]), tuple(arrays["size"].tolist())
    seconds = []
    with torch.no_grad():
        for _ in range(repeats + 1):  # the first one is not measured
            start = time.process_time()
            found = model.inference_from(model.forward_features(image), [size])[0]
            seconds.append(time.process_time() - start)
        with (
            patch("ictrack.modeling.winograd.winograd", _recorded),
            profile(activities=[ProfilerActivity.CPU]) as profiler,
        ):
            model.inference_from(model.forward_features(image), [size])
    events = profiler.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    convolutions = sum(event.self_cpu_time_total for event in events if "conv" in event.key)
    convolutions += sum(event.cpu_time_total for event in events if event.key == _WINOGRAD)
    masks = np.packbits(found.pred_masks.numpy())
    np.savez(folder / "ours.npz", scores=found.scores.numpy(), classes=found.pred_classes.numpy(), masks=masks)
    shares = {"outside_convolutions": 1 - convolutions / total}
    finish_measured({"seconds": seconds[1:], "shares": shares, "detections": len(found)})


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:])
