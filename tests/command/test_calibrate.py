"""``ictrack calibrate``: runs with boxes, masks and poses, and what it says when something is wrong."""

import re

import cv2
import numpy as np
import pytest
import torch
from color_model import ColorSquares, color_config, save_weights, write_scenes
from detectron2.config import get_cfg
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.structures import Boxes, Instances

from ictrack import add_ictrack_config
from ictrack.command.main import main as ictrack
from ictrack.engine.setup import load_config


@META_ARCH_REGISTRY.register()
class WalkingPeople(torch.nn.Module):
    """Two people of four joints each that walk to the right; every joint has its person's direction."""

    def __init__(self, cfg):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, batch):
        (frame,) = batch
        left = torch.tensor([[5.0], [50.0]]) + 2 * frame["frame_index"]
        x, y = left + torch.tensor([0.0, 10, 0, 10]), torch.tensor([5.0, 5, 40, 40]).expand(2, 4)
        people = Instances((frame["height"], frame["width"]))
        people.pred_boxes = Boxes(torch.stack([x[:, 0], y[:, 0], x[:, 3], y[:, 3]], dim=1))
        people.scores, people.pred_classes = torch.full((2,), 0.8), torch.zeros(2, dtype=torch.int64)
        people.pred_keypoints = torch.stack([x, y, torch.full_like(x, 0.9)], dim=2)
        people.embeddings = torch.eye(2)[:, None].expand(2, 4, 2).clone()
        return [{"instances": people}]


def pose_config():
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.MODEL.DEVICE, cfg.MODEL.META_ARCHITECTURE, cfg.INPUT.MIN_SIZE_TEST = "cpu", "WalkingPeople", 0
    return cfg


@META_ARCH_REGISTRY.register()
class ColorBoxes(ColorSquares):
    """The squares' boxes, without masks."""

    def __init__(self, cfg):
        super().__init__(cfg)
        self.detector.with_masks = False


def box_config():
    cfg = color_config()
    cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE = "ColorBoxes"
    return cfg


CONFIGS = {"boxes": box_config, "masks": color_config, "poses": pose_config}


@pytest.fixture
def run(tmp_path):
    """Function that calibrates on six videos, and returns the exit status and the configuration."""
    write_scenes(tmp_path / "videos", "abcdef")

    def calibrate(kind, *options, videos="videos"):
        cfg = CONFIGS[kind]()
        (tmp_path / "model.yaml").write_text(cfg.dump())
        weights = save_weights(cfg, tmp_path / "model.pth")
        output = tmp_path / "calibrated.yaml"
        status = ictrack([
            "calibrate", "--config-file", str(tmp_path / "model.yaml"), "--weights", str(weights),
            "--videos", str(tmp_path / videos), "--output", str(output), *options,
        ])  # fmt: skip
        return status, load_config(str(output)) if status == 0 else None

    return calibrate


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_run(run, kind, capsys, tmp_path):
    status, cfg = run(kind, "--stride", "2", "--picture", str(tmp_path / "calibrated.png"))
    assert np.ptp(cv2.imread(str(tmp_path / "calibrated.png"))) == 255
    said = capsys.readouterr().out
    assert status == 0 and cfg.MODEL.META_ARCHITECTURE == CONFIGS[kind]().MODEL.META_ARCHITECTURE
    low, high, tracklets = re.search(r"interval (\S+) to (\S+)\).*\((\d+) tracklets", said).groups()
    assert float(high) == 100 and float(low) > 60 and int(tracklets) >= 12
    heads = cfg.TRACKER_HEADS
    assert heads.TRACKER_NAME == "EmbeddingTracker" and f"NEW_OBJECT_COSINE {heads.EMBEDDING.NEW_OBJECT_COSINE}" in said


@pytest.mark.parametrize(
    ("options", "videos", "message"),
    [
        (["--set", "TRACKER_HEADS.TRACKER_NAME", "SpatialTracker"], "videos", "SpatialTracker compares no embeddings"),
        (["--set", "MODEL.EMBEDDING.NAME", ""], "videos", "MODEL.EMBEDDING.NAME is empty"),
        ([], "videos/a", "fewer than 10: give more videos"),
        ([], "absent", "no such file, folder or glob"),
    ],
)
def test_what_is_wrong_is_named(run, capsys, options, videos, message):
    assert run("masks", *options, videos=videos)[0] == 1
    assert message in capsys.readouterr().err


def test_unreadable_videos_are_left_out(run, tmp_path, capsys):
    (tmp_path / "videos" / "z.mp4").write_bytes(np.zeros(100, dtype=np.uint8).tobytes())
    assert run("masks")[0] == 0
