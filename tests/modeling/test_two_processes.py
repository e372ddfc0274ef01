"""Two processes, each with half of a batch, have the losses and gradients of one with all of it."""

import argparse
import math

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances, Keypoints
from detectron2.utils import comm
from forked import launch_forked
from tiny_pose_model import labeled_people, pose_config, pose_sample
from tiny_video_model import SIZE, labeled, solo_config, use_cells, video_sample
from torch.nn.parallel import DistributedDataParallel

from ictrack.modeling.processes import gather_rows, process_ids, shared_count


def without_people():
    image = labeled_people()
    image["instances"] = Instances(
        SIZE, gt_boxes=Boxes(torch.zeros(0, 4)), gt_classes=torch.zeros(0, dtype=torch.int64),
        gt_keypoints=Keypoints(torch.zeros(0, 17, 3)),
    )  # fmt: skip
    return image


def unnamed(sample):
    sample["instances"].remove("gt_ids")
    return sample


def stills():
    """Of three, one, no and two objects; some without identities."""
    return [labeled((1, 2, 3)), labeled((4,)), labeled(()), unnamed(labeled((0, 0)))]


def videos(make, num_frames):
    """Two of one video, with two, one, three and no tracklets."""
    ids = ((1, 2), (2,), (1, 2, 3), ())
    return [make(name, num_frames, ids=x) for name, x in zip(("a", "a", "b", "c"), ids)]


def people():
    return [labeled_people(), labeled_people(), without_people(), labeled_people()]


def pose_options(cfg):
    cfg.MODEL.EMBEDDING.KEYPOINT.MAX_POSES = 1000  # a random subset would not be the same
    cfg.MODEL.POINT_SET_ANCHOR.HEATMAP_LOSS_PER_IMAGE = True
    return cfg


CASES = {
    "image, masks": lambda: (solo_config(ENABLED=False), stills()),
    "image, cells": lambda: (use_cells(solo_config(ENABLED=False)), stills()),
    "pose": lambda: (pose_options(pose_config(ENABLED=False)), people()),
    "tags": lambda: (scalar_tags(), people()),
    "tracklets": lambda: (solo_config(OBJECTIVE="tracklet"), videos(video_sample, 3)),
    "instance walk": lambda: (solo_config(OBJECTIVE="instance_walk"), videos(video_sample, 3)),
    "random walk": lambda: (solo_config(OBJECTIVE="random_walk"), videos(video_sample, 4)),
    "correspondence": lambda: (solo_config(OBJECTIVE="correspondence"), videos(video_sample, 2)),
    "pose tracklets": lambda: (pose_config(OBJECTIVE="tracklet"), videos(pose_sample, 3)),
    "joint": lambda: (solo_config(OBJECTIVE="tracklet", FREEZE=[]), [*stills(), *videos(video_sample, 3)]),
}


def scalar_tags():
    cfg = pose_options(pose_config(ENABLED=False))
    cfg.MODEL.EMBEDDING.KEYPOINT.OBJECTIVE = "scalar_tags"
    return cfg


def losses_and_gradients(name, options=()):
    """Of the share of this process, averaged over processes."""
    torch.manual_seed(0)
    cfg, batch = CASES[name]()
    cfg.MODEL.VIDEO_EMBEDDING.RANDOM_WALK.EDGE_DROPOUT = 0.0  # a draw of each process
    cfg.merge_from_list(list(options))
    model = build_model(cfg).train()
    if name == "random walk":  # whose gradients among alike nodes cancel out
        model.double()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()  # whose statistics are of a process's images
    processes = comm.get_world_size()
    stills = [x for x in batch if "instances" in x]
    batch = [x for part in (stills, batch[len(stills) :]) for x in part[comm.get_rank() :: processes]]
    wrapped = DistributedDataParallel(model, broadcast_buffers=False) if processes > 1 else model
    losses = wrapped(batch)
    sum(losses.values()).backward()
    mean = {key: sum(x) / processes for key in losses for x in [comm.all_gather(float(losses[key].detach()))]}
    return mean, {key: p.grad for key, p in model.named_parameters() if p.grad is not None}


def compare(args: argparse.Namespace) -> None:
    losses, gradients = losses_and_gradients(args.name)
    expected, expected_gradients = args.expected
    assert losses == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert any(value > 0 for value in losses.values())
    assert gradients.keys() == expected_gradients.keys()
    difference, norm = 0.0, 0.0
    for key, value in expected_gradients.items():
        assert (gradients[key] - value).abs().max() <= 1e-5 * value.abs().max(), key
        difference += float((gradients[key] - value).square().sum())
        norm += float(value.square().sum())
    assert math.sqrt(difference / norm) < 2e-6  # float32


@pytest.mark.parametrize("name", CASES)
def test_two_processes_learn_as_one(monkeypatch, name):
    launch_forked(monkeypatch, compare, name=name, expected=losses_and_gradients(name))


def compare_without_gathering(args: argparse.Namespace) -> None:
    losses, _ = losses_and_gradients("image, masks", ["MODEL.EMBEDDING.GATHER_INSTANCES", False])
    name = "loss_embed_contrast"
    assert losses[name] != pytest.approx(args.expected[0][name], rel=1e-3)


def test_negatives_of_a_process_alone(monkeypatch):
    launch_forked(monkeypatch, compare_without_gathering, expected=losses_and_gradients("image, masks"))


def gather(args: argparse.Namespace) -> None:
    rank = comm.get_rank()
    rows = torch.full((2 * rank, 3), float(rank + 1), requires_grad=True)
    gathered = gather_rows(rows)
    assert gathered.tolist() == [[2.0] * 3] * 2
    (gathered.square().sum() / 2).backward()
    assert rows.grad.tolist() == [[4.0] * 3] * 2 * rank  # twice, since DDP halves it
    assert gather_rows(torch.tensor([rank])).tolist() == [0, 1]
    assert len(gather_rows(process_ids(torch.tensor([-1, 5]))).unique()) == 3
    assert shared_count(3 * rank) == 1.5 and shared_count(0) == 0.5


def test_rows_of_processes(monkeypatch):
    launch_forked(monkeypatch, gather)
    rows = torch.zeros(2, requires_grad=True)
    assert gather_rows(rows) is rows and shared_count(3) == 3 and shared_count(0) == 1
