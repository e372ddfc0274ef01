"""The cost of unlabeled video in a training step, on a few pictures."""

from pathlib import Path

import pytest

from benchmarks.joint import benchmark_joint_step
from synthetic.characters import SampleConfig, dataset_options, generate_sample

CONFIGS = Path(__file__).resolve().parents[3] / "configs" / "quickstart"
TINY = SampleConfig(
    train_stills=4, val_stills=1, unlabeled_clips=1, unlabeled_length=20, tune_clips=1, val_clips=1, clip_length=4
)


def test_pictures_and_ratios(tmp_path):
    generate_sample(tmp_path / "sample", 0, TINY)
    result = benchmark_joint_step(
        image_config=str(CONFIGS / "solo_lite0.yaml"),
        joint_config=str(CONFIGS / "solo_lite0_joint.yaml"),
        repeats=1,
        opts=[*dataset_options(tmp_path / "sample"), "SOLVER.IMS_PER_BATCH", "4", "MODEL.DEVICE", "cpu"],
    )
    assert (result["image"]["images"], result["joint"]["images"]) == (4, 6)  # four views, and a pair of frames
    assert result["step_ratio"] == pytest.approx(result["joint"]["cpu_ms"] / result["image"]["cpu_ms"])
    assert result["image_ratio"] == pytest.approx(result["step_ratio"] * 4 / 6)
