"""Runs of the benchmarks by the arguments of their sub-commands."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import Any

from .evaluation import benchmark_evaluation, evaluation_table


def picked(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    return {name: getattr(args, name) for name in names}


def run_track_memory(args: argparse.Namespace) -> dict[str, Any]:
    from ictrack.engine.setup import load_config

    from .memory import peak_memory

    cfg = load_config(args.config_file, ["MODEL.WEIGHTS", args.weights, *args.opts])
    return {"input": args.input, "peak_mb": {str(n): peak_memory(cfg, args.input, n) / 2**20 for n in args.frames}}


def run_evaluation(args: argparse.Namespace) -> dict[str, Any]:
    result = benchmark_evaluation(cases=args.cases, reference_folders=args.reference_path, scale=args.scale)
    print(evaluation_table(result))
    return result


def runs(function: str, *names: str) -> Callable[[argparse.Namespace], dict[str, Any]]:
    """Command that calls "module.function" of ``benchmarks`` with the arguments of these names."""
    module, _, name = function.partition(".")
    return lambda args: getattr(importlib.import_module(f".{module}", __package__), name)(**picked(args, *names))


def run_pose_runtime(args: argparse.Namespace) -> dict[str, Any]:
    from .pose_runtime import benchmark_pose_runtime, pose_runtime_table

    result = benchmark_pose_runtime(**picked(args, "config_file", "weights", "input", "frames", "opts"))
    print(pose_runtime_table(result))
    return result


def run_pipeline(args: argparse.Namespace) -> dict[str, Any]:
    from .pipeline import benchmark_pipeline, pipeline_table

    result = benchmark_pipeline(**picked(args, "config_file", "weights", "input", "frames", "opts"))
    print(pipeline_table(result))
    return result


def run_tracking(args: argparse.Namespace) -> dict[str, Any]:
    from .tracking import benchmark_tracking, tracking_table

    result = benchmark_tracking(**picked(args, "data", "detections", "detector", "steps", "bootstrap", "opts"))
    print(tracking_table(result))
    return result


def run_model_size(args: argparse.Namespace) -> dict[str, Any]:
    from .model_size import model_size, size_table

    opts = [option for option in args.opts if option != "--"]  # which ends the list of configurations
    rows = [model_size(config, args.size, opts) for config in args.config_file]
    print(size_table(rows))
    return {"rows": rows}


def run_train_memory(args: argparse.Namespace) -> dict[str, Any]:
    from .train_memory import memory_table, train_memory

    opts = [option for option in args.opts if option != "--"]  # which ends the list of configurations
    rows = [train_memory(config, args.instances, opts, compute=args.compute) for config in args.config_file]
    print(memory_table(rows))
    return {"instances": args.instances, "rows": rows}
