"""The example of a detector of one's own, on a detector that is small enough for a test."""

import json
from pathlib import Path

import torch
from coco_squares import content_of, write_squares
from color_detector import scene
from quick_python import run_python

from ictrack.data.video_io import open_frames
from ictrack.data.video_writer import VideoWriter

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "track_any_detector.py"
SMALL = [
    "MODEL.RESNETS.DEPTH", "18", "MODEL.RESNETS.RES2_OUT_CHANNELS", "64", "MODEL.FPN.OUT_CHANNELS", "16",
    "MODEL.ROI_HEADS.NUM_CLASSES", "2", "MODEL.ROI_BOX_HEAD.FC_DIM", "32", "MODEL.ROI_MASK_HEAD.CONV_DIM", "16",
    "MODEL.EMBEDDING.CONV_DIM", "32", "MODEL.WEIGHTS", "", "MODEL.DEVICE", "cpu", "MODEL.ROI_HEADS.SCORE_THRESH_TEST",
    "0.0", "TRACKER_HEADS.MIN_SCORE", "0.0", "TRACKER_HEADS.NEW_TRACK_SCORE", "0.0", "INPUT.MIN_SIZE_TEST", "64",
    "INPUT.CROP_SIZE", "[64, 96]", "SOLVER.MAX_ITER", "1", "SOLVER.IMS_PER_BATCH", "4", "DATALOADER.NUM_WORKERS", "0",
]  # fmt: skip


def test_trains_a_step_and_tracks(tmp_path):
    write_squares(tmp_path)
    (tmp_path / "instances.json").write_text(json.dumps(content_of(num_categories=2)))
    with VideoWriter(tmp_path / "clip.mp4", 12) as writer:
        for index in range(3):
            writer.write(scene(index))
    output = tmp_path / "tracks.mp4"
    done = run_python(
        EXAMPLE, "--annotations", tmp_path / "instances.json", "--images", tmp_path,
        "--input", tmp_path / "clip.mp4", "--output", output, *SMALL, "OUTPUT_DIR", tmp_path / "output",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with open_frames(output) as frames:
        assert sum(1 for _ in frames) == 3
    assert "loss_embed_contrast" in (tmp_path / "output" / "metrics.json").read_text()
    weights = torch.load(tmp_path / "output" / "model_final.pth", weights_only=True)["model"]
    assert any(name.startswith("embedding_head.") for name in weights)


def test_examples_are_short():
    for path in EXAMPLE.parent.glob("*.py"):
        assert len(path.read_text().splitlines()) < 60, path.name
