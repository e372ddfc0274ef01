"""GPU memory of a training step, counted tensor by tensor on a machine without a GPU."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.structures import BitMasks, Boxes, Instances, Keypoints
from tabulate import tabulate
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.weak import WeakIdKeyDictionary

from ictrack.engine.setup import load_config
from ictrack.engine.trainer import ICTrackTrainer
from ictrack.modeling.build import build_model
from ictrack.structures.joints import configured_joints

# Results with more elements are not computed.
_LARGE = 1 << 21
# Never computed, however small.
_HEAVY = ("convolution", "convolution_backward", "native_group_norm", "native_group_norm_backward")
# Unit of CUDA's allocator in bytes.
_ALIGNMENT = 512
# Functions of the models that automatic mixed precision runs in float32 on a GPU, but not on a CPU.
_FLOAT32_ON_CUDA = ("group_norm", "softmax", "log_softmax", "exp", "log", "sum", "cumsum", "norm", "logsumexp")


class CountMemory(TorchDispatchMode):
    """Counter of the bytes of all live tensors, by storage.

    Large floating-point results are not computed: they are zeros, whose pages the operating system does not make before
    they are written to, so that a full-scale step runs in seconds and within the memory of a desktop computer.
    Integers, booleans and small results are computed, so what depends on the labels is done as it is in training.

    Attributes:
        alive: Bytes in use.
        peak: Largest number of bytes so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.alive = self.peak = 0
        self._known: Any = WeakIdKeyDictionary()

    def watch(self, tensors: Iterable[Any]) -> None:
        """Count tensors, each as long as it lives."""
        for tensor in tensors:
            if isinstance(tensor, Tensor) and tensor.device.type != "meta":
                storage = tensor.untyped_storage()
                if storage not in self._known:
                    size = -(-storage.nbytes() // _ALIGNMENT) * _ALIGNMENT
                    self._known[storage] = size
                    weakref.finalize(storage, self._release, size)
                    self.alive += size
        self.peak = max(self.peak, self.alive)

    def _release(self, size: int) -> None:
        self.alive -= size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = _run(func, args, kwargs or {})
        self.watch(tree_leaves(result))
        return result


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Result of the operator, or zeros of its shape where something large would be computed."""
    schema = func._schema
    is_view = any(result.alias_info is not None and not result.alias_info.is_write for result in schema.returns)
    is_heavy = func.overloadpacket.__name__ in _HEAVY or any(_is_large(x) for x in tree_leaves((args, kwargs)))
    if is_view:
        return func(*args, **kwargs)
    written = [
        args[i] if i < len(args) else kwargs.get(argument.name)
        for i, argument in enumerate(schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]
    if written and all(result.alias_info is not None for result in schema.returns):  # in place: nothing new is made
        if not is_heavy:
            return func(*args, **kwargs)
        return None if not schema.returns else written[0] if len(schema.returns) == 1 else tuple(written)
    try:
        shapes = func(*tree_map_only(Tensor, _shape, args), **_on_meta(tree_map_only(Tensor, _shape, kwargs)))
    except (NotImplementedError, RuntimeError):  # the shape depends on the values
        return func(*args, **kwargs)
    results = [x for x in tree_leaves(shapes) if isinstance(x, Tensor)]
    is_float = all(x.is_floating_point() for x in results)
    if is_float and (is_heavy or any(_is_large(x) for x in results)):
        return tree_map_only(Tensor, _zeros, shapes)
    return func(*args, **kwargs)


def _is_large(x: Any) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point() and x.numel() > _LARGE


def _shape(x: Tensor) -> Tensor:
    return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device="meta")


def _on_meta(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: torch.device("meta") if name == "device" else value for name, value in kwargs.items()}


def _zeros(shape: Tensor) -> Tensor:
    if not shape.numel():
        return torch.empty(shape.shape, dtype=shape.dtype)
    count = 1 + sum((side - 1) * stride for side, stride in zip(shape.shape, shape.stride()))
    # NumPy's, since PyTorch's own write to every page.
    flat = torch.from_numpy(np.zeros(count * shape.dtype.itemsize, np.uint8)).view(shape.dtype)
    return flat.as_strided(shape.shape, shape.stride())


class CudaAutocast(TorchFunctionMode):
    """Context of a CPU's bfloat16 autocast that runs in float32 what automatic mixed precision does on a GPU."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch.is_autocast_enabled("cpu") and getattr(func, "__name__", "") in _FLOAT32_ON_CUDA:
            args, kwargs = tree_map_only(Tensor, _float32, (args, kwargs))
        return func(*args, **kwargs)


def _float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype == torch.bfloat16 else x


def train_memory(config_file: str, instances: int, opts: Sequence[str]) -> dict[str, Any]:
    """Bytes of one training step on one of the configuration's GPUs.

    Args:
        config_file: Configuration file; ``SOLVER.REFERENCE_WORLD_SIZE`` is the number of GPUs, 0 is one.
        instances: Number of instances in each synthetic image and frame.
        opts: KEY VALUE pairs.

    Returns:
        "gpus", "batch" (of a GPU, in words), "model" (weights, gradients, their copy in the buckets that processes
        exchange, and the optimizer's state), "step" (what is alive at the peak beside the weights, gradients and state)
        and "peak", in bytes. Without the CUDA context, workspaces of cuDNN, and fragmentation.
    """
    cfg = load_config(config_file, [*opts, "MODEL.DEVICE", "cpu", "MODEL.WEIGHTS", "", "MODEL.HRNET.WEIGHTS", ""])
    gpus = max(cfg.SOLVER.REFERENCE_WORLD_SIZE, 1)
    model = build_model(cfg).train()
    optimizer = ICTrackTrainer.build_optimizer(cfg, model)
    batch = made_up_batch(cfg, cfg.SOLVER.IMS_PER_BATCH // gpus, instances)
    counter = CountMemory()
    counter.watch([*model.parameters(), *model.buffers()])
    with counter, CudaAutocast():
        _step(cfg, model, optimizer, batch)  # creates the optimizer's state
        counter.peak = kept = counter.alive
        _step(cfg, model, optimizer, batch)
    buckets = sum(4 * p.numel() for p in model.parameters() if p.requires_grad) if gpus > 1 else 0
    return {
        "config": config_file,
        "gpus": gpus,
        "batch": _in_words(batch),
        "model": kept + buckets,
        "step": counter.peak - kept,
        "peak": counter.peak + buckets,
    }


def _step(cfg: CfgNode, model: Any, optimizer: torch.optim.Optimizer, batch: list[dict[str, Any]]) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=cfg.SOLVER.AMP.ENABLED):
        losses = model(batch)
    optimizer.zero_grad(set_to_none=False)  # between steps gradients stay in the buckets' place
    torch.stack([loss.float() for loss in losses.values()]).sum().backward()
    optimizer.step()


def made_up_batch(cfg: CfgNode, count: int, instances: int) -> list[dict[str, Any]]:
    """Largest batch of the configuration on one GPU: noise, with instances at random locations.

    Args:
        cfg: Configuration of the training.
        count: Number of labeled views or, without ``DATASETS.TRAIN``, of samples of unlabeled video.
        instances: Number of instances in each image and frame.
    """
    generator = torch.Generator().manual_seed(0)
    labeled = count if cfg.DATASETS.TRAIN else 0
    samples = round(labeled * cfg.INPUT.UNLABELED.PER_LABELED_IMAGE) if labeled else count
    batch = [_labeled(cfg, _train_size(cfg), instances, generator) for _ in range(labeled)]
    if cfg.DATASETS.UNLABELED:
        batch += [_sample(cfg, f"video {i}", instances, generator) for i in range(samples)]
    return batch


def _train_size(cfg: CfgNode) -> tuple[int, int]:
    """(height, width) of the largest labeled image in landscape format."""
    inp = cfg.INPUT
    if len(inp.SCALE_JITTER):
        return inp.CROP_SIZE[0], inp.CROP_SIZE[1]
    return max(inp.MIN_SIZE_TRAIN), inp.MAX_SIZE_TRAIN


def _labeled(cfg: CfgNode, size: tuple[int, int], count: int, generator: torch.Generator) -> dict[str, Any]:
    image = torch.randint(256, (3, *size), generator=generator, dtype=torch.uint8)
    return {"image": image, "instances": _instances(cfg, size, count, generator)}


def _instances(cfg: CfgNode, size: tuple[int, int], count: int, generator: torch.Generator) -> Instances:
    """Boxes of 5 to 50 % of the image's sides that are filled by their masks or hold their joints."""
    sides = torch.tensor([size[1], size[0]])
    low = torch.rand(count, 2, generator=generator) * 0.5
    high = low + 0.05 + 0.45 * torch.rand(count, 2, generator=generator)
    boxes = Boxes((torch.stack([low, high], dim=1) * sides).flatten(1))
    result = Instances(size, gt_boxes=boxes, gt_classes=torch.zeros(count, dtype=torch.int64))
    result.gt_ids = torch.arange(count)
    joints = configured_joints(cfg)
    if joints is not None:
        places = torch.rand(count, len(joints), 2, generator=generator)
        points = (low[:, None] + places * (high - low)[:, None]) * sides
        result.gt_keypoints = Keypoints(torch.cat([points, torch.ones(count, len(joints), 1)], dim=2))
    else:
        masks = torch.zeros(count, *size, dtype=torch.bool)
        for mask, (x0, y0, x1, y1) in zip(masks, boxes.tensor.int().tolist()):
            mask[y0:y1, x0:x1] = True
        result.gt_masks = BitMasks(masks)
    return result


def _sample(cfg: CfgNode, name: str, instances: int, generator: torch.Generator) -> dict[str, Any]:
    """Sample in the form of ``VideoDatasetMapper``."""
    inp = cfg.INPUT.UNLABELED
    frames, size, cell = inp.NUM_FRAMES, (inp.SIZE[0], inp.SIZE[1]), inp.COLOR_STRIDE
    images = torch.randint(256, (frames, 3, *size), generator=generator, dtype=torch.uint8)
    colors = torch.rand(frames, 3, size[0] // cell, size[1] // cell, generator=generator)
    valid = torch.ones(frames, size[0] // cell, size[1] // cell, dtype=torch.bool)
    sample: dict[str, Any] = {"video_name": name, "frame_indices": list(range(frames))}
    if frames == 2:
        for prefix, t in (("", 0), ("reference_", 1)):
            sample[f"{prefix}image"], sample[f"{prefix}colors"] = images[t], colors[t]
            sample[f"{prefix}valid"] = valid[t]
    else:
        sample.update(clip=images, clip_colors=colors, clip_valid=valid)
    sample["tracklets"] = [_instances(cfg, size, instances, generator) for _ in range(frames)]
    return sample


def _in_words(batch: Sequence[dict[str, Any]]) -> str:
    parts: dict[str, int] = {}
    for x in batch:
        if "clip" in x:
            frames, _, height, width = x["clip"].shape
            kind = f"clips of {frames} frames"
        else:
            height, width = x["image"].shape[1:]
            kind = "pairs of frames" if "reference_image" in x else "images"
        part = f"{kind} of {height} x {width}"
        parts[part] = parts.get(part, 0) + 1
    return ", ".join(f"{count} {part}" for part, count in parts.items())


def memory_table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown table in GB of 10^9 bytes."""
    cells = [
        [
            row["config"].rsplit("/", 1)[-1],
            row["batch"],
            *(f"{row[key] / 1e9:.1f}" for key in ("model", "step", "peak")),
        ]
        for row in rows
    ]
    return tabulate(cells, ["configuration", "on each GPU", "model", "step", "peak"], tablefmt="github")
