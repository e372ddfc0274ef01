"""The reference model of tests/data/parity_psa: its configuration, weights, inputs and recorded outputs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from detectron2.config import CfgNode, get_cfg
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances, Keypoints

import ictrack.modeling.point_set_anchor  # noqa: F401  registers the meta-architecture
from ictrack.checkpoint import convert_weights, load_detector_weights
from ictrack.config import add_ictrack_config

DATA = Path(__file__).parents[1] / "data" / "parity_psa"


def arrays(name: str) -> dict[str, np.ndarray]:
    with np.load(DATA / f"{name}.npz") as archive:
        return dict(archive)


def losses() -> dict:
    return json.loads((DATA / "losses.json").read_text())


def base_cfg() -> CfgNode:
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.merge_from_file(str(Path(__file__).parents[2] / "configs" / "Base-PointSetAnchor.yaml"))
    cfg.MODEL.WEIGHTS = ""
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.HRNET.WEIGHTS = ""
    return cfg


def tiny_cfg() -> CfgNode:
    cfg = base_cfg()
    hrnet, psa = cfg.MODEL.HRNET, cfg.MODEL.POINT_SET_ANCHOR
    hrnet.WIDTH = 8
    hrnet.NUM_MODULES = [1, 1, 2, 1]
    hrnet.NUM_BLOCKS = [2, 2, 2, 2]
    hrnet.STAGE1_WIDTH = 32
    hrnet.FPN_CHANNELS = 64
    psa.CONV_DIM = 64
    psa.NUM_CONVS = 3
    psa.HEATMAP_CONV_DIM = 64
    psa.PRE_NMS_TOPK_TEST = 300
    psa.TAKE_ZERO_OKS = True
    return cfg


def published_weights() -> dict[str, torch.Tensor]:
    """As a published checkpoint holds them: levels' copies, unused modules and batch counters included."""
    weights = {
        name: torch.from_numpy(x.astype(np.float32) if x.dtype == np.float16 else x)
        for name, x in arrays("weights").items()
    }
    for name, x in list(weights.items()):
        if "_list" in name and ".0.0." in name:
            weights.update({name.replace(".0.0.", f".{level}.0."): x.clone() for level in (1, 2)})
            if "_list_cls." in name:
                weights.update({name.replace("_list_cls.0.", f"_list.{level}."): x + 1 for level in range(3)})
        if name.endswith("running_var"):
            weights[name.replace("running_var", "num_batches_tracked")] = torch.tensor(7)
    return weights


def tiny_model() -> torch.nn.Module:
    model = build_model(tiny_cfg())
    load_detector_weights(model, convert_weights(published_weights()).weights)
    return model.eval()


def image(name: str) -> torch.Tensor:
    return torch.from_numpy(arrays("inputs")[f"{name}_u8_rgb"].transpose(2, 0, 1).copy())


def dataset_dicts() -> list[dict]:
    """Both images with people as a mapper would give them: in continuous coordinates."""
    z = arrays("inputs")
    dicts = []
    for i in range(2):
        keypoints = torch.from_numpy(z[f"gt{i}_keypoints"]) + torch.tensor([0.5, 0.5, 0])
        instances = Instances(
            tuple(z[f"image{i}_u8_rgb"].shape[:2]),
            gt_boxes=Boxes(torch.from_numpy(z[f"gt{i}_boxes"]) + torch.tensor([0.0, 0, 1, 1])),
            gt_classes=torch.zeros(len(keypoints), dtype=torch.int64),
            gt_keypoints=Keypoints(keypoints),
        )
        dicts.append({"image": image(f"image{i}"), "instances": instances})
    return dicts
