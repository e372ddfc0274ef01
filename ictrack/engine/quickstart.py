"""The quick-start: sample data, training, a comparison of association methods, and a report, in one run."""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog
from detectron2.engine import launch
from detectron2.modeling import build_model
from detectron2.utils import comm
from detectron2.utils.env import seed_all_rng
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from tabulate import tabulate

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.data.build import build_video_test_loader
from ictrack.data.datasets.sample import SampleConfig, generate_sample
from ictrack.modeling.embedding import build_embedding_head
from ictrack.modeling.solo import SOLO
from ictrack.structures.youtube_vis_json import read_ground_truth

from .association_study import (
    DetectedClip,
    HeadBank,
    Method,
    appearance_method,
    detect_clips,
    measure,
    spatial_methods,
    tune,
)
from .quickstart_report import OURS, write_quickstart_report
from .setup import load_config, setup, share_cores
from .trainer import ICTrackTrainer

logger = logging.getLogger(__name__)

# The clips are compared with every 4th, 8th and 16th frame; the detector runs once, over the first of these.
SKIPS = (4, 8, 16)
# Smallest detection scores that tuning tries, beside each method's own thresholds.
MIN_SCORES = (0.15, 0.2, 0.25, 0.3)


def methods() -> list[Method]:
    """The rows of the quick-start's table."""
    return [
        *spatial_methods(),
        appearance_method("mean mask colour", "colour"),
        appearance_method("frozen backbone features", "frozen"),
        appearance_method("untrained head", "untrained"),
        appearance_method(OURS, "trained"),
    ]


def run_quickstart(
    config_file: str,
    output: Path,
    seed: int,
    num_processes: int,
    overrides: Sequence[str],
    sample: SampleConfig | None = None,
) -> None:
    """Generate the sample data for ``seed``, train, compare, and write ``report.html`` and ``metrics.json``.

    Args:
        config_file: of the model to train.
        output: folder to write to.
        seed: of the sample data, of the initial weights and of the order of training.
        num_processes: at most so many for training and evaluation: GPUs, or processes on the CPU. Every process gets
            equally many images of a batch.
        overrides: KEY VALUE pairs for the configuration.
        sample: sizes of the sample data.
    """
    start = time.perf_counter()
    output.mkdir(parents=True, exist_ok=True)
    with stage(f"composing the sample data (seed {seed})"):
        generate_sample(output / "sample", seed, sample)
    settings = ["DATASETS.SAMPLE_ROOT", str(output / "sample"), "OUTPUT_DIR", str(output / "train"), "SEED", str(seed)]
    args = argparse.Namespace(config_file=config_file, opts=[*settings, *overrides], eval_only=False, resume=False)
    cfg = load_config(config_file, args.opts)
    num_images = cfg.SOLVER.IMS_PER_BATCH // cfg.INPUT.NUM_VIEWS
    num_processes = max(count for count in range(1, num_processes + 1) if num_images % count == 0)
    share_cores(num_processes)
    launch(_train_and_compare, num_processes, dist_url="auto", args=(args, output, seed, start))


def _train_and_compare(args: argparse.Namespace, output: Path, seed: int, start: float) -> None:
    """What each process does."""
    cfg = setup(args)
    with stage(f"training for {cfg.SOLVER.MAX_ITER} iterations"):
        trainer = ICTrackTrainer(cfg)
        trainer.resume_or_load(resume=False)
        trainer.train()
        tested = trainer._last_eval_results
    comm.synchronize()  # the main process has written the weights
    model = build_model(cfg)
    SafeCheckpointer(model).load(str(Path(cfg.OUTPUT_DIR) / "model_final.pth"))

    with stage("detecting in the clips"):
        bank = _head_bank(cfg, model, seed)
        tune_clips = _detect(cfg, model, bank, "tune")
        val_clips = _detect(cfg, model, bank, "val")
    with stage("tracking: tuning every method on one set of clips, measuring on another"):
        table = _compare(cfg, tune_clips, val_clips)
    if not comm.is_main_process():
        return
    results_file = Path(cfg.OUTPUT_DIR) / "coco_instances_results.json"
    agnostic = class_agnostic_mask_ap(MetadataCatalog.get(cfg.DATASETS.TEST[0]).json_file, results_file)
    segm = tested.get("segm", {"AP": 0.0, "AP50": 0.0})  # COCOEvaluator leaves masks out where nothing was detected
    stills = {"agnostic": agnostic, "AP": segm["AP"] / 100, "AP50": segm["AP50"] / 100}
    metrics: dict[str, Any] = {"seed": seed, "stills": stills, "skips": table, "seconds": time.perf_counter() - start}
    with stage("drawing the report"):
        tracking_cfg = _tracking_config(cfg, table[str(SKIPS[0])][OURS])
        (output / "config.yaml").write_text(tracking_cfg.dump())
        report = write_quickstart_report(cfg, tracking_cfg, val_clips, methods(), metrics, output)
    metrics["seconds"] = time.perf_counter() - start
    (output / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    print(format_tables(metrics))
    print(f"\n{metrics['seconds'] / 60:.1f} minutes. Open {report}")


def _head_bank(cfg: CfgNode, model: SOLO, seed: int) -> HeadBank:
    """The trained head, a head of the same form that was never trained, and the frozen features that both read."""
    shape = model.backbone.output_shape()
    seed_all_rng(seed + 1)  # not the initialisation that training started from
    untrained = build_embedding_head(cfg, shape)
    assert untrained is not None and model.embedding_head is not None, "MODEL.EMBEDDING.NAME is empty"
    frozen_cfg = cfg.clone()
    frozen_cfg.defrost()
    frozen_cfg.MODEL.EMBEDDING.NAME = "PooledFeatures"
    frozen = build_embedding_head(frozen_cfg, shape)
    assert frozen is not None
    heads = {"trained": model.embedding_head, "untrained": untrained, "frozen": frozen}
    return HeadBank(heads).to(model.device).eval()


def _detect(cfg: CfgNode, model: SOLO, bank: HeadBank, split: str) -> list[DetectedClip]:
    """The clips of a split at the smallest skip, on all processes."""
    name = f"ictrack_sample_clips_{split}_skip{SKIPS[0]}"
    ground_truth = read_ground_truth(MetadataCatalog.get(name).json_file)
    own_head = model.embedding_head
    model.embedding_head = bank  # type: ignore[assignment]  # inference asks of a head only that it embeds
    try:
        clips = detect_clips(
            model,
            bank,
            build_video_test_loader(cfg, name),
            ground_truth,
            min_score=min(MIN_SCORES),
            max_detections=cfg.TRACKER_HEADS.MAX_DETECTIONS,
        )
    finally:
        model.embedding_head = own_head
    gathered = [clip for part in comm.all_gather(clips) for clip in part]
    return sorted(gathered, key=lambda clip: clip.video["id"])


def _compare(
    cfg: CfgNode, tune_clips: Sequence[DetectedClip], val_clips: Sequence[DetectedClip]
) -> dict[str, dict[str, dict[str, Any]]]:
    """skip -> method -> figures, on the main process; the work is shared out over all processes."""
    categories = read_ground_truth(MetadataCatalog.get(f"ictrack_sample_clips_val_skip{SKIPS[0]}").json_file)[
        "categories"
    ]
    jobs = [(skip, method) for skip in SKIPS for method in methods()]
    measured = {}
    for skip, method in jobs[comm.get_rank() :: comm.get_world_size()]:
        step = skip // SKIPS[0]
        tuning, measuring = (
            [part for clip in clips for part in clip.all_phases(step)] for clips in (tune_clips, val_clips)
        )
        setting = tune(method, tuning, cfg, MIN_SCORES)
        measured[skip, method.name] = measure(method, measuring, cfg, setting, categories)
    everything = {key: value for part in comm.gather(measured) for key, value in part.items()}
    return {
        str(skip): {method.name: everything[skip, method.name] for method in methods()} for skip in SKIPS if everything
    }


def _tracking_config(cfg: CfgNode, figures: dict[str, Any]) -> CfgNode:
    """The configuration of the trained model, with the thresholds that were tuned for the trained embedding."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.WEIGHTS = str((Path(cfg.OUTPUT_DIR) / "model_final.pth").resolve())
    cfg.DATASETS.SAMPLE_ROOT = str(Path(cfg.DATASETS.SAMPLE_ROOT).resolve())
    cfg.TRACKER_HEADS.MIN_SCORE = cfg.TRACKER_HEADS.NEW_TRACK_SCORE = figures["min_score"]
    cfg.TRACKER_HEADS.EMBEDDING.NEW_OBJECT_COSINE = figures["threshold"]
    return cfg


def class_agnostic_mask_ap(annotation_file: str, results_file: Path) -> dict[str, float]:
    """COCO mask AP and AP50 with all categories as one, as fractions; 0 without any detection.

    Args:
        annotation_file: ground truth in COCO format.
        results_file: detections in COCO's result format.
    """
    results = json.loads(results_file.read_text())
    if not results:
        return {"AP": 0.0, "AP50": 0.0}
    with redirect_stdout(StringIO()):  # pycocotools prints its progress
        coco = COCO(annotation_file)
        # Without its boxes a result is scored, and its area measured, by its mask.
        evaluation = COCOeval(
            coco, coco.loadRes([{k: v for k, v in r.items() if k != "bbox"} for r in results]), "segm"
        )
        evaluation.params.useCats = 0
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {"AP": float(evaluation.stats[0]), "AP50": float(evaluation.stats[1])}


def format_tables(metrics: dict[str, Any]) -> str:
    """The results as text: the detector on stills, then a table for each frame skip."""
    agnostic = metrics["stills"]["agnostic"]
    parts = [
        f"Unseen stills: class-agnostic mask AP {agnostic['AP']:.3f}, AP50 {agnostic['AP50']:.3f}; "
        f"per class AP {metrics['stills']['AP']:.3f}"
    ]
    for skip, rows in metrics["skips"].items():
        table = [
            [name, f["agnostic_AP"], f["AP"], f["IDF1"], f"{f['IDSW']:.0f}"] for name, f in rows.items()
        ]  # fmt: skip
        headers = ["same detections, associated by", "AP (one class)", "AP", "IDF1", "id switches"]
        parts.append(f"Every {skip}th frame")
        parts.append(tabulate(table, headers, floatfmt=".3f"))
    return "\n\n".join(parts)


@contextmanager
def stage(name: str, seconds: dict[str, float] | None = None, key: str = "") -> Iterator[None]:
    """Announce a stage on the main process, and how long it took; ``seconds`` gets the latter under ``key``."""
    shown = comm.is_main_process()
    if shown:
        print(f"quick-start: {name} ...", flush=True)
    start = time.perf_counter()
    yield
    duration = time.perf_counter() - start
    if seconds is not None:
        seconds[key] = duration
    if shown:
        print(f"quick-start: {name}: {duration:.0f} s", flush=True)


def default_num_processes() -> int:
    """GPUs, or on a machine without any two processes where there are two cores."""
    return torch.cuda.device_count() or min(2, os.cpu_count() or 1)
