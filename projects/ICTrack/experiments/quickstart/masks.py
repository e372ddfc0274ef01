"""Quick-start for masks: synthetic data, both training stages, a comparison of association methods and a report."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog
from detectron2.layers import ShapeSpec
from detectron2.utils import comm
from detectron2.utils.env import seed_all_rng
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from tabulate import tabulate

from experiments.association.head_bank import HeadBank
from experiments.association.masks import (
    DetectedClip,
    Method,
    appearance_method,
    detect_clips,
    measure,
    spatial_methods,
    tune,
)
from experiments.association.shared_scores import shared_scores
from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.data.build import build_video_test_loader
from ictrack.data.datasets.unlabeled_videos import find_videos
from ictrack.data.view_pairs import ViewPairMapper, draw_pairs
from ictrack.engine.embedding_health import heads_health
from ictrack.engine.launch import fork_data_workers, share_cores
from ictrack.engine.mine_tracklets import with_tracklets
from ictrack.engine.process_group import launch_processes
from ictrack.engine.setup import load_config, setup
from ictrack.engine.trainer import ICTrackTrainer
from ictrack.evaluation.detector_classes import state_detector_classes
from ictrack.modeling.build import build_model
from ictrack.modeling.embedding import EmbeddingHead, VideoEmbedding, build_embedding_head
from ictrack.modeling.solo import SOLO
from ictrack.structures.youtube_vis_json import read_ground_truth
from synthetic.characters import SampleConfig, dataset_options, generate_sample

from .masks_report import IMAGE_ONLY, OURS, REAL_CLIP, write_quickstart_report
from .real_footage import NUM_FRAMES, compare_on_real_clip, track_real_clip

# Frame skips of the comparison; the detector runs once, over every SKIPS[0]-th frame.
SKIPS = (4, 8, 16)
# Detection score thresholds tried in tuning, besides each method's own thresholds.
MIN_SCORES = (0.2, 0.3)


def methods() -> list[Method]:
    """Methods compared by the quick-start."""
    return [
        *spatial_methods(),
        appearance_method("mean mask color", "color"),
        appearance_method("frozen backbone features", "frozen"),
        appearance_method("untrained head", "untrained"),
        appearance_method(IMAGE_ONLY, "image"),
        appearance_method(OURS, "fused"),
    ]


@dataclass(frozen=True)
class MaskConfigs:
    """Configuration files: detector and image head on labeled images, video head on unlabeled clips."""

    image: str
    video: str

    @classmethod
    def in_folder(cls, folder: Path) -> MaskConfigs:
        """Configuration files of ``configs/quickstart``."""
        return cls(*(str(folder / f"solo_lite0{stage}.yaml") for stage in ("", "_video")))


def run_quickstart(
    configs: MaskConfigs,
    output: Path,
    seed: int,
    num_processes: int,
    overrides: Sequence[str],
    *,
    video_overrides: Sequence[str] = (),
    sample: SampleConfig | None = None,
    real_frames: int | None = None,
) -> None:
    """Track a real clip without training; then generate synthetic data, train, compare, and write ``report.html`` and
    ``metrics.json``.

    Args:
        configs: Configuration files of the stages.
        output: Folder to write to.
        seed: Seed of the data, the initial weights and the order of training.
        num_processes: Largest number of processes (GPUs, or processes on the CPU); it must divide a batch.
        overrides: KEY VALUE pairs for both configurations.
        video_overrides: Further KEY VALUE pairs for the video stage.
        sample: Sizes of the synthetic data.
        real_frames: Number of frames of the real clip; None: ``NUM_FRAMES`` to track at first, and all to compare on.
    """
    start = time.perf_counter()
    output.mkdir(parents=True, exist_ok=True)
    with stage("tracking a real clip by a published detector"):
        track_real_clip(output / REAL_CLIP, real_frames or NUM_FRAMES)
    with stage(f"generating the synthetic data (seed {seed})"):
        generate_sample(output / "sample", seed, sample)
    common = [*dataset_options((output / "sample").resolve()), "SEED", str(seed)]
    image_options = [*common, "OUTPUT_DIR", str(output / "train"), *overrides]
    args = argparse.Namespace(config_file=configs.image, opts=image_options, eval_only=False, resume=False)
    weights = ["MODEL.WEIGHTS", str(output / "train" / "model_final.pth")]
    video_options = [*common, *weights, "OUTPUT_DIR", str(output / "video"), *overrides, *video_overrides]
    cfg, video_cfg = load_config(configs.image, image_options), load_config(configs.video, video_options)
    num_processes = processes_that_share(num_processes, cfg, video_cfg)
    share_cores(num_processes)
    launch_processes(_train_and_compare, num_processes, args=(args, video_cfg, output, seed, start, real_frames))


def _train_and_compare(
    args: argparse.Namespace, cfg: CfgNode, output: Path, seed: int, start: float, real_frames: int | None
) -> None:
    """Work of each process; ``cfg`` is that of the video stage, whose model contains the image stage's."""
    fork_data_workers()
    image_cfg = setup(args)
    with stage(f"training on labeled images for {image_cfg.SOLVER.MAX_ITER} iterations"):
        tested = train_stage(ICTrackTrainer, image_cfg)
    with stage(f"training on unlabeled clips for {cfg.SOLVER.MAX_ITER} iterations"):
        seed_all_rng(seed)
        train_stage(ICTrackTrainer, cfg)
    model = build_model(cfg)
    SafeCheckpointer(model).load(str(Path(cfg.OUTPUT_DIR) / "model_final.pth"))
    heads = _heads(cfg, model, seed)

    with stage("detecting in the clips"):
        bank = HeadBank(heads)
        tune_clips = _detect(cfg, model, bank, "tune")
        val_clips = _detect(cfg, model, bank, "val")
    with stage("tracking: tuning every method on one set of clips, evaluating on another"):
        table = _compare(cfg, tune_clips, val_clips)
    if not comm.is_main_process():
        return
    stills = MetadataCatalog.get(image_cfg.DATASETS.TEST[0]).json_file
    agnostic = class_agnostic_mask_ap(stills, Path(image_cfg.OUTPUT_DIR) / "coco_instances_results.json")
    segm = tested.get("segm", {"AP": 0.0, "AP50": 0.0})  # COCOEvaluator has no "segm" if nothing was detected
    metrics: dict[str, Any] = {
        "seed": seed,
        "stills": {"agnostic": agnostic, "AP": segm["AP"] / 100, "AP50": segm["AP50"] / 100},
        "skips": table,
        "health": _health(cfg, model, heads),
        "seconds": time.perf_counter() - start,
    }
    torch.set_num_threads(os.cpu_count() or 1)  # the other processes have ended
    with stage("tracking the real clip by each head"):
        scores = table[str(SKIPS[1])]
        metrics["real_clip"] = compare_on_real_clip(model, bank, cfg, methods(), scores, num_frames=real_frames)
    with stage("drawing the report"):
        tracking_cfg = _tracking_config(cfg, table[str(SKIPS[0])][OURS])
        (output / "config.yaml").write_text(tracking_cfg.dump())
        trainings = {"Training on labeled images": image_cfg, "Training on unlabeled clips": cfg}
        curves = {heading: Path(one.OUTPUT_DIR) / "metrics.json" for heading, one in trainings.items()}
        report = write_quickstart_report(curves, tracking_cfg, val_clips, methods(), metrics, output)
    metrics["seconds"] = time.perf_counter() - start
    (output / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    print(format_tables(metrics))
    print(f"\n{metrics['seconds'] / 60:.1f} minutes. Open {report}")


def processes_that_share(most: int, *cfgs: CfgNode) -> int:
    """Largest number of processes, up to ``most``, that divides the batches of all configurations."""
    # The views of an image stay together.
    batches = (cfg.SOLVER.IMS_PER_BATCH // (cfg.INPUT.NUM_VIEWS if cfg.DATASETS.TRAIN else 1) for cfg in cfgs)
    common = math.gcd(*batches)
    return max(count for count in range(1, most + 1) if common % count == 0)


def train_stage(trainer_class: type[ICTrackTrainer], cfg: CfgNode) -> Any:
    """Train by a configuration; returns the scores of the last evaluation, None without any."""
    Path(cfg.OUTPUT_DIR).mkdir(parents=True, exist_ok=True)
    trainer = trainer_class(with_tracklets(cfg))
    trainer.resume_or_load(resume=False)
    trainer.train()
    comm.synchronize()  # the main process has written the weights
    return getattr(trainer, "_last_eval_results", None)


def _heads(cfg: CfgNode, model: SOLO, seed: int) -> dict[str, EmbeddingHead]:
    """Heads to compare: both trained heads fused, the image head alone, an untrained head, and the frozen features."""
    fused = model.embedding_head
    assert isinstance(fused, VideoEmbedding), "MODEL.VIDEO_EMBEDDING.ENABLED is False"
    shape = model.backbone.output_shape()
    seed_all_rng(seed + 1)  # another initialization than the trained head's
    untrained, frozen = (_build_head(cfg, shape, name) for name in (cfg.MODEL.EMBEDDING.NAME, "PooledFeatures"))
    heads = {"fused": fused, "image": fused.image_head, "untrained": untrained, "frozen": frozen}
    return {name: head.to(model.device).eval() for name, head in heads.items()}


def _build_head(cfg: CfgNode, shape: dict[str, ShapeSpec], name: str) -> EmbeddingHead:
    """Image head of the given name in EMBEDDING_HEADS."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.EMBEDDING.NAME = name
    cfg.MODEL.VIDEO_EMBEDDING.ENABLED = False
    head = build_embedding_head(cfg, shape)
    assert head is not None
    return head


def _health(cfg: CfgNode, model: SOLO, heads: Mapping[str, EmbeddingHead]) -> dict[str, dict[str, float]]:
    """Label-free health metrics of the heads on frames of the tuning clips."""
    records = find_videos(MetadataCatalog.get("ictrack_sample_clips_tune").image_root)
    samples = draw_pairs(ViewPairMapper(cfg, num_videos=len(records)), records, cfg.ADAPT.MEASURED_PAIRS, seed=0)
    fused = heads["fused"]
    assert isinstance(fused, VideoEmbedding)
    measured = {
        "untrained head": heads["untrained"],
        "image head": fused.image_head,
        "video head": fused.video_head,
        "both": fused,
    }
    return heads_health(model.eval(), measured, samples, cfg.MODEL.VIDEO_EMBEDDING.LEVELS)


def _detect(cfg: CfgNode, model: SOLO, bank: HeadBank, split: str) -> list[DetectedClip]:
    """Detected clips of a split at the smallest skip, on all processes."""
    name = f"ictrack_sample_clips_{split}_skip{SKIPS[0]}"
    gt = read_ground_truth(MetadataCatalog.get(name).json_file)
    own_head = model.embedding_head
    model.embedding_head = bank
    try:
        clips = detect_clips(
            model,
            bank,
            build_video_test_loader(cfg, name),
            gt,
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
    """Skip -> method -> scores, on the main process; all processes share the work."""
    categories = read_ground_truth(MetadataCatalog.get(f"ictrack_sample_clips_val_skip{SKIPS[0]}").json_file)[
        "categories"
    ]
    rank, world_size = comm.get_rank(), comm.get_world_size()

    def sparse(clips: Sequence[DetectedClip], skip: int) -> list[DetectedClip]:
        return [part for clip in clips for part in clip.all_phases(skip // SKIPS[0])]

    tuned = {
        (skip, method.name, min_score): tune(method, sparse(tune_clips, skip), cfg, [min_score])
        for skip, method, min_score in list(product(SKIPS, methods(), MIN_SCORES))[rank::world_size]
    }
    tuned = {key: value for part in comm.all_gather(tuned) for key, value in part.items()}
    scores = shared_scores({key: idf1 for key, (_, idf1) in tuned.items()})
    measured = {}
    for skip, method in list(product(SKIPS, methods()))[rank::world_size]:
        setting, _ = tuned[skip, method.name, scores[skip]]
        measured[skip, method.name] = measure(method, sparse(val_clips, skip), cfg, setting, categories)
    everything = {key: value for part in comm.gather(measured) for key, value in part.items()}
    return {
        str(skip): {method.name: everything[skip, method.name] for method in methods()} for skip in SKIPS if everything
    }


def _tracking_config(cfg: CfgNode, scores: dict[str, Any]) -> CfgNode:
    """Configuration of the trained model with its tuned thresholds."""
    cfg = cfg.clone()
    cfg.defrost()
    state_detector_classes(cfg, training=False)
    cfg.MODEL.WEIGHTS = str((Path(cfg.OUTPUT_DIR) / "model_final.pth").resolve())
    cfg.TRACKER_HEADS.MIN_SCORE = cfg.TRACKER_HEADS.NEW_TRACK_SCORE = scores["min_score"]
    cfg.TRACKER_HEADS.EMBEDDING.NEW_OBJECT_COSINE = scores["threshold"]
    return cfg


def class_agnostic_mask_ap(annotation_file: str, results_file: Path) -> dict[str, float]:
    """Class-agnostic COCO mask AP and AP50 as fractions; 0 without any detection.

    Args:
        annotation_file: Ground truth in COCO format.
        results_file: Detections in COCO's result format.
    """
    results = json.loads(results_file.read_text())
    if not results:
        return {"AP": 0.0, "AP50": 0.0}
    with redirect_stdout(StringIO()):  # pycocotools prints its progress
        coco = COCO(annotation_file)
        # Boxes are dropped so that areas are those of the masks.
        evaluation = COCOeval(
            coco, coco.loadRes([{k: v for k, v in r.items() if k != "bbox"} for r in results]), "segm"
        )
        evaluation.params.useCats = 0
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {"AP": float(evaluation.stats[0]), "AP50": float(evaluation.stats[1])}


def format_tables(metrics: dict[str, Any]) -> str:
    """Results as text: scores of the detector on images, then a table of each frame skip."""
    agnostic = metrics["stills"]["agnostic"]
    parts = [
        f"Unseen images: class-agnostic mask AP {agnostic['AP']:.3f}, AP50 {agnostic['AP50']:.3f}; "
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
    """Stage whose start and duration the main process prints; ``seconds[key]`` is set to the duration."""
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
    """Number of GPUs; without any, two processes if there are two cores."""
    return torch.cuda.device_count() or min(2, os.cpu_count() or 1)
