"""Processes of a training that are forked, since spawned ones import PyTorch and Detectron2 for seconds first."""

import argparse
from functools import partial

import torch.multiprocessing as mp
from detectron2.engine import launch as detectron2_launch

from ictrack.engine.launch import launch_training


def fork_processes(monkeypatch):
    """Let Detectron2's ``launch`` fork its processes."""
    forked = partial(mp.start_processes, start_method="fork")
    monkeypatch.setattr(detectron2_launch.__globals__["mp"], "start_processes", forked)


def launch_forked(monkeypatch, main, num_processes=2, **more):
    """:func:`launch_training` of ``main`` with arguments ``more``, without the checks of a configuration."""
    monkeypatch.setattr("ictrack.engine.launch.checked_config", lambda args: None)
    fork_processes(monkeypatch)
    args = {"num_machines": 1, "machine_rank": 0, "dist_url": "auto", "eval_only": True}
    launch_training(argparse.Namespace(num_gpus=num_processes, **args, **more), main)
