"""The benchmarks of pose tracking, on models that are hardly larger than nothing."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.pose import benchmark_pose_branches, benchmark_pose_step
from benchmarks.pose_runtime import benchmark_pose_runtime, pose_runtime_table

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
SMALL_HRNET = [
    "MODEL.HRNET.WIDTH", "8", "MODEL.HRNET.NUM_MODULES", "[1, 1, 1, 1]", "MODEL.HRNET.NUM_BLOCKS", "[1, 1, 1, 1]",
    "MODEL.HRNET.FPN_CHANNELS", "32", "MODEL.POINT_SET_ANCHOR.CONV_DIM", "32", "MODEL.POINT_SET_ANCHOR.NUM_CONVS", "1",
    "MODEL.POINT_SET_ANCHOR.HEATMAP_CONV_DIM", "32", "MODEL.EMBEDDING.CONV_DIM", "32", "MODEL.DEVICE", "cpu",
]  # fmt: skip


def test_a_training_step_of_the_recipe():
    """With nobody and with several in the image: all losses and gradients are finite."""
    config = str(CONFIGS / "PoseTrack" / "stage1_coco_hrnet_w48.yaml")
    result = benchmark_pose_step(config_file=config, size=128, people=[0, 5], opts=SMALL_HRNET)
    nobody, several = result["steps"]
    assert nobody["gradients_finite"] and several["gradients_finite"]
    assert all(np.isfinite(value) for step in result["steps"] for value in step["losses"].values())
    assert nobody["losses"]["loss_keypoint_stage0"] == 0 < several["losses"]["loss_keypoint_stage0"]
    assert several["losses"]["loss_embed_joint_center"] > 0
    assert 0 < nobody["peak_mb"] <= several["peak_mb"] and result["inference"]["seconds"] > 0


def test_branches_that_nobody_reads_change_nothing():
    config = str(CONFIGS / "PoseTrack" / "stage1_coco_hrnet_w48.yaml")
    result = benchmark_pose_branches(config_file=config, size=96, repeats=1, opts=SMALL_HRNET)
    for name in ("inference", "frozen_forward"):
        one = result[name]
        assert one["equal"]
        assert one["saved"] == pytest.approx(1 - one["read"] / one["as_trained"])
        assert one["saved_by_branches"] == pytest.approx(1 - one["read"] / one["all_branches"])


@pytest.fixture
def frames(tmp_path):
    for index in range(4):
        cv2.imwrite(str(tmp_path / f"{index}.jpg"), np.full((48, 64, 3), 60 * index, np.uint8))
    return tmp_path


def runtime(frames):
    config = str(CONFIGS / "quickstart" / "pose_lite0_embedding.yaml")
    opts = ["TEST.AUG.MIN_SIZES", "[48, 64]", "INPUT.MIN_SIZE_TEST", "48", "MODEL.DEVICE", "cpu"]
    return benchmark_pose_runtime(config_file=config, weights="", input=str(frames), frames=50, opts=opts)


def test_runtime_at_one_scale_and_at_several(frames):
    result = runtime(frames)
    assert [row["method"] for row in result["rows"]] == ["ICTrack", "ICTrack (ms)"]
    assert all(row["frames"] == 2 and row["fps"] > 0 for row in result["rows"])
    text = pose_runtime_table(result)
    assert "runtime (fps)" in text and result["hardware"] in text


def test_too_few_frames_are_an_error(frames):
    (frames / "3.jpg").unlink()
    (frames / "2.jpg").unlink()
    with pytest.raises(ValueError, match="no more than 2 frames"):
        runtime(frames)
