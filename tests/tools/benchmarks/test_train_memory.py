"""Counting the memory of a training step: against sums by hand, and with and without computing."""

import pytest
import torch
from detectron2.modeling import build_model
from tiny_pose_model import pose_config
from tiny_video_model import solo_config, use_cells
from torch import nn

from benchmarks import count_memory
from benchmarks.count_memory import CountMemory, CudaAutocast, without_sparse_matrices
from benchmarks.made_up_batch import made_up_batch
from ictrack.structures.command_line import OutputError


def test_a_layer_by_hand():
    """The largest moment is where the second gradient is made: two kept activations, and two gradients."""
    conv = nn.Conv2d(8, 8, 3, padding=1, bias=False)
    image = torch.rand(1, 8, 64, 64)
    size = 4 * 8 * 64 * 64
    with CountMemory() as counter:
        first = conv(image)
        assert counter.alive == size
        second = first.relu()
        del first
        assert counter.alive == size  # the convolution keeps its input, and ReLU its result
        third = conv(second)
        del second
        third.sum().backward()
        weight = 2560  # 4 x 8 x 8 x 9, in whole blocks of 512
        del third
        assert counter.alive == weight
        assert 3 * size < counter.peak < 4.2 * size


def test_nothing_large_is_computed():
    with CountMemory() as counter:
        x = torch.zeros(3000, 1000)
        y = (x + 1).relu_()
        rows = y.sum(dim=1)
    assert not y.any() and not rows.any() and y.shape == (3000, 1000)
    assert counter.alive == 2 * 12_000_256 + 12_288  # in whole blocks of 512


def test_group_norm_is_float32_under_mixed_precision_as_on_a_gpu():
    norm = nn.GroupNorm(2, 4)
    x = torch.rand(1, 4, 8, 8)
    with CudaAutocast(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert norm(x.bfloat16()).dtype == torch.float32
        assert nn.Conv2d(4, 4, 1)(x).dtype == torch.bfloat16


def configurations():
    masks = use_cells(solo_config(ENABLED=False))
    joint = solo_config(OBJECTIVE="tracklet", FREEZE=[])
    joint.INPUT.UNLABELED.NUM_FRAMES = 3
    pairs = use_cells(solo_config(OBJECTIVE="correspondence", LEVELS=[]))
    poses, pose_video = pose_config(ENABLED=False), pose_config(OBJECTIVE="tracklet")
    for cfg in (joint, pairs, pose_video):
        cfg.DATASETS.UNLABELED = ("some",)
    for cfg in (pairs, pose_video):
        cfg.DATASETS.TRAIN = ()
    for cfg in (masks, joint, poses):
        cfg.DATASETS.TRAIN = ("some",)
    for cfg in (poses, pose_video):
        cfg.MODEL.KEYPOINT_ON = True
    return {"masks": masks, "joint": joint, "pairs": pairs, "poses": poses, "pose_video": pose_video}


@pytest.mark.parametrize(
    "name, count", [("masks", 2), ("masks", 1), ("joint", 2), ("pairs", 2), ("poses", 2), ("pose_video", 2)]
)
def test_made_up_batches_train(name, count, monkeypatch):
    """The count is the same whether all is computed or nothing of more than 64 numbers."""
    cfg = configurations()[name]
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MAX_SIZE_TRAIN, cfg.INPUT.UNLABELED.SIZE = (64,), 96, [64, 96]
    torch.manual_seed(0)
    model = build_model(cfg).train()
    peaks = []
    for limit in (1 << 40, 1 << 13):
        monkeypatch.setattr(count_memory, "_LARGE", limit)
        monkeypatch.setattr(count_memory, "_HEAVY", ())
        batch = made_up_batch(cfg, count, 3)
        model.zero_grad()
        with CountMemory() as counter, without_sparse_matrices():
            losses = model(batch)
            sum(losses.values()).backward()
        peaks.append(counter.peak)
        del losses
    assert len(batch) == (4 if name == "joint" else count)
    assert peaks[1] == pytest.approx(peaks[0], rel=0.1)


def test_the_command(capsys):
    """A configuration's own number of GPUs, batch and optimiser, shrunk."""
    from official_layouts import POSE_MODEL

    from benchmark import main

    config = "configs/PoseTrack/stage1_coco_hrnet_w48.yaml"
    main(["train-memory", "--instances", "2", "--config-file", config, "--", *POSE_MODEL])
    output = capsys.readouterr().out
    assert "4 images of 64 x 96" in output and '"gpus": 8' in output and '"losses"' not in output
    one = ["SOLVER.REFERENCE_WORLD_SIZE", "0", "SOLVER.IMS_PER_BATCH", "1"]
    main(["train-memory", "--instances", "2", "--config-file", config, "--compute", "--", *POSE_MODEL, *one])
    output = capsys.readouterr().out
    assert "1 images of 64 x 96" in output and '"losses"' in output
    with pytest.raises(OutputError, match="IMS_PER_BATCH 1 is less than one a GPU"):
        main(["train-memory", "--config-file", config, "--", *POSE_MODEL, "SOLVER.IMS_PER_BATCH", "1"])
