"""Time and memory of a training step of a pose detector, and time that inference saves."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.structures import Boxes, Instances, Keypoints

from ictrack.engine.setup import load_config
from ictrack.engine.trainer import ICTrackTrainer
from ictrack.modeling.build import build_model

from .measure import hardware, peak_bytes


def benchmark_pose_step(*, config_file: str, size: int, people: Sequence[int], opts: Sequence[str]) -> dict[str, Any]:
    """Time and memory of a training step and a forward pass of a pose detector on one synthetic image.

    Args:
        config_file, opts: Configuration of the model.
        size: Side of the square image in pixels.
        people: Numbers of people in the image; one step each.

    Returns:
        "parameters", and of each step the losses, whether all gradients are finite, its seconds and the peak memory of
        the process until then.
    """
    cfg = load_config(config_file, ["MODEL.WEIGHTS", "", "MODEL.HRNET.WEIGHTS", "", *opts])
    model = build_model(cfg)
    optimizer = ICTrackTrainer.build_optimizer(cfg, model)
    steps = []
    for count in people:
        start = time.perf_counter()
        losses = model.train()([_made_up_image(cfg, count, size)])
        optimizer.zero_grad()
        sum(losses.values()).backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        finite = all(bool(gradient.isfinite().all()) for gradient in gradients)
        optimizer.step()
        steps.append({
            "people": count,
            "losses": {name: loss.item() for name, loss in losses.items()},
            "gradients_finite": finite,
            "seconds": time.perf_counter() - start,
            "peak_mb": peak_bytes() / 2**20,
        })  # fmt: skip
    with torch.no_grad():
        start = time.perf_counter()
        (output,) = model.eval()([_made_up_image(cfg, 0, size)])
        seconds = time.perf_counter() - start
    return {
        "config": config_file,
        "size": size,
        "hardware": hardware(cfg.MODEL.DEVICE),
        "parameters": sum(p.numel() for p in model.parameters()),
        "steps": steps,
        "inference": {"seconds": seconds, "people": len(output["instances"]), "peak_mb": peak_bytes() / 2**20},
    }


def benchmark_pose_branches(*, config_file: str, size: int, repeats: int, opts: Sequence[str]) -> dict[str, Any]:
    """CPU time that inference and the video stage's frozen forward pass save by running only the branches they read.

    Args:
        config_file, opts: Configuration of the model, whose weights are random.
        size: Side of the square image in pixels.
        repeats: Number of measured passes of each kind, which take turns.

    Returns:
        "inference" and "frozen_forward", each with the median CPU seconds of the pass "as_trained", of that with
        "all_branches", and of that with those that are "read"; the shares "saved" from the first and
        "saved_by_branches" from the second, and whether the results of the second and third are "equal" to the bit.
        The pass as in training has all branches and plain convolutions with their normalizations.
    """
    cfg = load_config(config_file, ["MODEL.WEIGHTS", "", "MODEL.HRNET.WEIGHTS", "", *opts])
    model = build_model(cfg).eval().requires_grad_(False)
    image = _made_up_image(cfg, 0, size)
    batch = model.preprocess_image([image["image"]])

    def with_all_branches() -> dict[str, torch.Tensor]:
        own = model.stages
        model.stages = lambda features, image_sizes, parts: own(features, image_sizes, "everything")
        try:
            return _fields(model([image]))
        finally:
            del model.stages

    def whole_forward() -> dict[str, torch.Tensor]:
        outputs = model.forward_features(batch.tensor)
        model.stages(outputs.features, batch.image_sizes, "everything")
        return {**outputs.features, "heatmap": outputs.heatmaps}

    passes: dict[str, tuple[Callable[[], dict[str, torch.Tensor]], Callable[[], dict[str, torch.Tensor]]]] = {
        "inference": (with_all_branches, lambda: _fields(model([image]))),
        "frozen_forward": (whole_forward, lambda: model.extract_features([image["image"]])[0]),
    }
    result: dict[str, Any] = {"config": config_file, "size": size, "hardware": hardware(cfg.MODEL.DEVICE)}
    for name, (all_branches, read) in passes.items():
        as_trained = torch.enable_grad()(all_branches)  # faster convolutions are for passes without gradients
        all_branches, read = torch.no_grad()(all_branches), torch.no_grad()(read)
        as_trained()  # warms up, as these do
        first, second = all_branches(), read()
        seconds = [[_cpu_seconds(one) for one in (as_trained, all_branches, read)] for _ in range(repeats)]
        trained, whole, needed = (statistics.median(column) for column in zip(*seconds))
        result[name] = {
            "as_trained": trained,
            "all_branches": whole,
            "read": needed,
            "saved": 1 - needed / trained,
            "saved_by_branches": 1 - needed / whole,
            "equal": first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first),
        }
    return result


def _fields(results: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Tensors of the detections in the one image of a batch."""
    fields = results[0]["instances"].get_fields()
    return {name: getattr(value, "tensor", value) for name, value in fields.items()}


def _cpu_seconds(run: Callable[[], Any]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def _made_up_image(cfg: CfgNode, people: int, size: int) -> dict[str, Any]:
    """Noise image with ``people`` whose joints are random, seven of ten of them labeled."""
    rng = torch.Generator().manual_seed(people)
    corners = torch.rand(people, 1, 2, generator=rng) * 0.85 * size
    points = corners + torch.rand(people, 17, 2, generator=rng) * 0.15 * size
    visible = 2.0 * (torch.rand(people, 17, 1, generator=rng) < 0.7)
    instances = Instances((size, size))
    instances.gt_boxes = Boxes(torch.cat([points.amin(1), points.amax(1)], dim=1))
    instances.gt_classes = torch.zeros(people, dtype=torch.int64)
    instances.gt_keypoints = Keypoints(torch.cat([points, visible], dim=2))
    image = torch.randint(256, (3, size, size), generator=rng, dtype=torch.uint8)
    return {"image": image, "instances": instances}
