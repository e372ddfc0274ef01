"""The reference model of tests/data/parity_solo: its configuration, weights, inputs and recorded outputs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from detectron2.config import CfgNode, get_cfg
from detectron2.modeling import build_model
from detectron2.structures import BitMasks, Boxes, Instances

import ictrack.modeling.solo  # noqa: F401  registers the meta-architecture
from ictrack.checkpoint import convert_weights, load_detector_weights
from ictrack.config import add_ictrack_config

DATA = Path(__file__).parents[1] / "data" / "parity_solo"
ORIGINAL_SIZES = [(336, 450), (200, 225)]
PADDED = (256, 320)


def arrays(name: str) -> dict[str, np.ndarray]:
    with np.load(DATA / f"{name}.npz") as archive:
        return dict(archive)


def load_json(name: str) -> dict:
    return json.loads((DATA / f"{name}.json").read_text())


def unpack(z: dict[str, np.ndarray], key: str) -> np.ndarray:
    """Boolean array stored as ``key_packed`` and ``key_shape``."""
    shape, packed = tuple(z[f"{key}_shape"]), z[f"{key}_packed"]
    if len(shape) == 3 and packed.ndim == 2:
        return np.unpackbits(packed, axis=-1)[:, : shape[1] * shape[2]].reshape(shape).astype(bool)
    return np.unpackbits(packed, axis=-1)[..., : shape[-1]].astype(bool)


def base_cfg() -> CfgNode:
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.merge_from_file(str(Path(__file__).parents[2] / "configs" / "Base-SOLO.yaml"))
    cfg.MODEL.WEIGHTS = ""
    cfg.MODEL.DEVICE = "cpu"
    return cfg


def tiny_cfg() -> CfgNode:
    cfg = base_cfg()
    cfg.MODEL.RESNETS.STEM_OUT_CHANNELS = 8
    cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 32
    cfg.MODEL.RESNETS.WIDTH_PER_GROUP = 8
    cfg.MODEL.FPN.OUT_CHANNELS = 64
    cfg.MODEL.SOLO.NUM_CLASSES = 8
    cfg.MODEL.SOLO.CONV_DIM = 64
    cfg.MODEL.SOLO.NUM_GRIDS = [12, 10, 8, 6, 4]
    cfg.MODEL.SOLO.SCALE_RANGES = [[1, 32], [16, 64], [32, 128], [64, 256], [128, 512]]
    return cfg


def published_weights(scheme: str) -> dict[str, torch.Tensor]:
    """The weights under the names of "mmdet3" or "wxinlong"."""
    renamed = load_json("mmdet3_to_wxinlong") if scheme == "wxinlong" else {}
    return {
        renamed.get(name, name): torch.from_numpy(x.astype(np.float32) if x.dtype == np.float16 else x)
        for name, x in arrays("weights_mmdet3").items()
    }


def tiny_model(scheme: str = "mmdet3", train_norm: bool = False) -> torch.nn.Module:
    cfg = tiny_cfg()
    cfg.MODEL.SOLO.TRAIN_BACKBONE_NORM = train_norm
    model = build_model(cfg)
    load_detector_weights(model, convert_weights(published_weights(scheme)).weights)
    return model.eval()


def dataset_dicts(instances: bool = True) -> list[dict]:
    """Both images as a mapper would give them."""
    z = arrays("inputs")
    dicts = []
    for i, (height, width) in enumerate(ORIGINAL_SIZES):
        image = torch.from_numpy(z[f"image{i}_u8_rgb"].transpose(2, 0, 1).copy())
        record = {"image": image, "height": height, "width": width}
        if instances:
            record["instances"] = Instances(
                tuple(image.shape[1:]),
                gt_boxes=Boxes(torch.from_numpy(z[f"gt{i}_boxes"])),
                gt_classes=torch.from_numpy(z[f"gt{i}_labels"]),
                gt_masks=BitMasks(torch.from_numpy(unpack(z, f"gt{i}_masks"))),
            )
        dicts.append(record)
    return dicts


def compare_instances(
    scores: np.ndarray, labels: np.ndarray, masks: np.ndarray, z: dict[str, np.ndarray], prefix: str
) -> tuple[float, float]:
    """Pair each reference instance with the prediction of its class that has the largest mask IoU.

    Returns:
        The largest score difference and the smallest mask IoU of all pairs. The number of instances must be equal.
    """
    ref_scores, ref_labels, ref_masks = z[f"{prefix}_scores"], z[f"{prefix}_labels"], unpack(z, f"{prefix}_masks")
    assert len(scores) == len(ref_scores)
    m, r = (x.reshape(len(x), -1).astype(np.float32) for x in (masks, ref_masks))
    inter = r @ m.T
    iou = inter / np.maximum(r.sum(1)[:, None] + m.sum(1)[None] - inter, 1)
    # Masks of look-alike cells differ little: the scores decide between them.
    affinity = iou - 10 * np.abs(ref_scores[:, None] - scores[None])
    affinity[ref_labels[:, None] != labels[None]] = -np.inf
    worst_score, worst_iou = 0.0, 1.0
    for i in range(len(r)):
        j = int(affinity[i].argmax())
        assert affinity[i, j] > -np.inf, f"reference instance {i} has no partner"
        affinity[:, j] = -np.inf
        worst_score = max(worst_score, abs(float(scores[j] - ref_scores[i])))
        worst_iou = min(worst_iou, float(iou[i, j]))
    return worst_score, worst_iou
