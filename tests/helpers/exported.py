"""Small models with weights in a file, for tests of exports."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from detectron2.config import CfgNode
from parity_solo import tiny_cfg
from tiny_pose_model import pose_config
from tiny_video_model import picture, solo_config, squares, use_cells

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.engine.setup import load_config
from ictrack.model_zoo import get_config_file
from ictrack.modeling.build import build_model
from ictrack.structures.frame_arrays import FrameArrays

DATA = Path(__file__).parents[1] / "data"
# Keys of a small keypoint embedding module.
KEM = ("MODEL.EMBEDDING.NAME", "KeypointEmbeddingModule", "MODEL.EMBEDDING.CONV_DIM", 16, "MODEL.EMBEDDING.NUM_GROUPS",
       4, "MODEL.EMBEDDING.DIM", 8, "MODEL.EMBEDDING.IN_FEATURES", ["res2"])  # fmt: skip
KINDS = ("grid", "decoupled", "decoupled_light", "dynamic")


def small_solo(folder: Path, kind: str = "grid", *, cells: bool = False, video: bool = False) -> CfgNode:
    """SOLO with random weights that finds something everywhere, with masks that are neither empty nor full."""
    cfg = solo_config(ENABLED=video)
    cfg.MODEL.SOLO.MASK_HEAD = kind
    cfg.MODEL.SOLO.MASK_FEATURES.CONV_DIM = cfg.MODEL.SOLO.MASK_FEATURES.OUT_CHANNELS = 8
    cfg.TEST.DETECTIONS_PER_IMAGE = 20
    torch.manual_seed(0)
    model = build_model(use_cells(cfg) if cells else cfg)
    with torch.no_grad():
        model.head.category_output.bias.zero_()
        model.head.category_output.weight.mul_(30)
        for name, parameter in model.head.named_parameters():
            if "mask_outputs" in name or "kernel_output" in name:
                parameter.mul_(0 if name.endswith("bias") else 100)
    return _saved(cfg, model, folder)


def small_resnet(folder: Path) -> CfgNode:
    """SOLO on a ResNet with frozen normalizations, as the published models are, with random weights."""
    cfg = tiny_cfg()
    cfg.MODEL.SOLO.NUM_CONVS = 2
    torch.manual_seed(0)
    return _saved(cfg, build_model(cfg), folder)


def small_deformable(folder: Path, *, everywhere: bool = True) -> CfgNode:
    """SOLOv2 with deformable convolutions, everywhere, or once in each of its parts, on two levels."""
    cfg = tiny_cfg()
    if not everywhere:
        cfg.MODEL.SOLO.IN_FEATURES, cfg.MODEL.SOLO.STRIDES = ["p3", "p5"], [8, 32]
        cfg.MODEL.SOLO.NUM_GRIDS, cfg.MODEL.SOLO.SCALE_RANGES = [10, 6], [[1, 96], [64, 512]]
        cfg.MODEL.SOLO.MASK_FEATURES.IN_FEATURES = ["p2", "p3"]
    cfg.MODEL.BACKBONE.NAME = "build_deformable_resnet_fpn_backbone"
    cfg.MODEL.RESNETS.DEFORM_ON_PER_STAGE = [False, everywhere, everywhere, True]
    cfg.MODEL.RESNETS.DEFORM_MODULATED = True
    cfg.MODEL.SOLO.MASK_HEAD = "dynamic"
    cfg.MODEL.SOLO.MASK_FEATURES.DEFORM = True
    cfg.MODEL.SOLO.NUM_CONVS, cfg.MODEL.SOLO.DEFORM_CONVS = 2, 2 if everywhere else 1
    torch.manual_seed(0)
    model = build_model(cfg)
    for name, parameter in model.named_parameters():
        if ".offset." in name:
            torch.nn.init.normal_(parameter, std=0.02)
    return _saved(cfg, model, folder)


def small_poses(folder: Path, *, video: bool = False) -> CfgNode:
    """PointSetAnchor with random weights that finds people everywhere."""
    cfg = pose_config(ENABLED=video)
    cfg.TEST.DETECTIONS_PER_IMAGE = 20
    torch.manual_seed(0)
    model = build_model(cfg)
    with torch.no_grad():
        for head in model.heads:
            head.class_branch.output.bias.zero_()
    return _saved(cfg, model, folder)


def small_boxes(folder: Path, *overrides: object) -> CfgNode:
    """Default model of `ictrack track`, small and with random weights, which finds something everywhere."""
    keys = ["MODEL.WEIGHTS", "", "MODEL.DEVICE", "cpu", "MODEL.TIMM.NAME", "lcnet_035", "MODEL.TIMM.WEIGHTS", "",
            "MODEL.TIMM.STATISTICS", "", "MODEL.NANODET.WIDTHS", [4, 8, 16, 32], "MODEL.NANODET.DEPTHS", [1, 1, 1, 1],
            "MODEL.NANODET.CONV_DIM", 8, "TEST.DETECTIONS_PER_IMAGE", 12,
            # Random features are all but constant, so that rounding would decide: positions do.
            "TRACKER_HEADS.POST_PROCESSING.BETA", 5.0]  # fmt: skip
    cfg = load_config(str(get_config_file("boxes")), [*keys, *overrides])
    torch.manual_seed(0)
    model = build_model(cfg)
    with torch.no_grad():
        for output in model.detector.head.outputs:
            output.bias.zero_()
            output.weight.mul_(10)
    return _saved(cfg, model, folder)


def default_model(task: str) -> CfgNode:
    """Published model that `ictrack track` uses without a configuration, in float32."""
    return load_config(str(get_config_file(task)), ["MODEL.DEVICE", "cpu", "MODEL.TIMM.AUTOCAST", False])


def small_people(folder: Path, *overrides: object) -> CfgNode:
    """Model of `ictrack track --task pose`: the published detector, and small features with random weights."""
    keys = ["MODEL.DEVICE", "cpu", "MODEL.TIMM.NAME", "resnet10t", "MODEL.TIMM.WEIGHTS", "", "MODEL.TIMM.STATISTICS",
            "", "MODEL.TIMM.AUTOCAST", False, "TRACKER_HEADS.NEW_TRACK_SCORE", 0.2,
            "TRACKER_HEADS.CONFLICT_NEW_TRACK_SCORE", 0.2]  # fmt: skip
    cfg = load_config(str(get_config_file("pose")), [*keys, *overrides])
    torch.manual_seed(0)
    model = build_model(cfg)
    SafeCheckpointer(model).load(cfg.MODEL.WEIGHTS)
    cfg = _saved(cfg, model, folder)
    cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST = 192, 512
    return cfg


def street() -> np.ndarray:
    """uint8 (192, 256, 3) picture with people, BGR."""
    return np.load(DATA / "golden_tfjs" / "movenet.npz")["image"][..., ::-1].copy()


def _saved(cfg: CfgNode, model: torch.nn.Module, folder: Path) -> CfgNode:
    cfg.MODEL.WEIGHTS = str(folder / "weights.pth")
    cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST = 80, 130
    torch.save({"model": model.state_dict()}, cfg.MODEL.WEIGHTS)
    return cfg


def write_frames(folder: Path, num_frames: int = 6) -> Path:
    """Folder of frames of two squares that move, with noise: on even ground maps have ties, which rounding decides."""
    folder.mkdir()
    colors = torch.tensor([[220, 20, 40], [10, 60, 210]], dtype=torch.uint8)
    for index in range(num_frames):
        image = picture(squares([1, 2], 3 * index), colors).permute(1, 2, 0).numpy()
        noisy = image + random_frame(*image.shape[:2], seed=index) % 32
        cv2.imwrite(str(folder / f"{index:05d}.png"), noisy.astype(np.uint8))
    return folder


def write_street(folder: Path, num_frames: int = 6) -> Path:
    """Folder of frames in which people move to the right and others stay."""
    folder.mkdir()
    for index in range(num_frames):
        moving = np.roll(street(), 2 * index, axis=1)
        cv2.imwrite(str(folder / f"{index:05d}.png"), np.concatenate([moving, street()], axis=1))
    return folder


def random_frame(height: int, width: int, seed: int = 1) -> np.ndarray:
    """uint8 (H, W, 3)."""
    return np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8)


# Program that runs the console command where neither PyTorch nor Detectron2 can be imported, and looks for them.
_WITHOUT_TORCH = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "detectron2", "fvcore", "timm"):
            raise ImportError(name + " is not to be imported")

sys.meta_path.insert(0, Absent())
from ictrack.command.main import main
status = main(sys.argv[1:])
assert not {"torch", "detectron2"} & set(sys.modules)
sys.exit(status)
"""


def command_without_torch(*arguments: str | Path) -> list[str]:
    """Command line of ``ictrack *arguments`` in a process without PyTorch and Detectron2."""
    return [sys.executable, "-W", "ignore", "-c", _WITHOUT_TORCH, *map(str, arguments)]


def compare_tracks(runtime, original, clip, tolerance):
    """Check that two trackers give the same identities, classes and, within a tolerance, boxes; returns the ids."""
    identities = set()
    for (_, found), (_, expected) in zip(runtime.run(clip), original.run(clip)):
        arrays = FrameArrays.of(expected)
        assert found.ids.tolist() == arrays.ids.tolist()
        assert found.classes.tolist() == arrays.classes.tolist()
        assert found.boxes == pytest.approx(arrays.boxes, abs=tolerance)
        identities |= set(found.ids.tolist())
    return identities
