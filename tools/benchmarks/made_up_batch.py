"""Training batches of a configuration's size, made of noise."""

from __future__ import annotations

from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.structures import BitMasks, Boxes, Instances, Keypoints

from ictrack.structures.joints import configured_joints


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
