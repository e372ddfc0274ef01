"""Quick-start for poses: synthetic data, training, a comparison of association methods and a report."""

from __future__ import annotations

import argparse
import copy
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog
from detectron2.evaluation import COCOEvaluator, inference_on_dataset
from detectron2.layers import ShapeSpec
from detectron2.utils import comm
from detectron2.utils.env import seed_all_rng
from tabulate import tabulate

from experiments.association.head_bank import HeadBank
from experiments.association.masks import Method, appearance_method
from experiments.association.poses import (
    PoseClip,
    PoseSetting,
    PoseStudy,
    detect_poses,
    spatial_pose_methods,
    tag_method,
)
from experiments.association.shared_scores import shared_scores
from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.data.build import build_video_test_loader
from ictrack.data.datasets.posetrack import posetrack_files
from ictrack.data.video_io import open_frames
from ictrack.engine.launch import fork_data_workers, share_cores
from ictrack.engine.process_group import launch_processes
from ictrack.engine.setup import load_config, setup
from ictrack.engine.trainer import ICTrackTrainer
from ictrack.evaluation.detector_classes import state_detector_classes
from ictrack.modeling.build import build_model
from ictrack.modeling.embedding import KeypointEmbeddingModule, build_embedding_head
from ictrack.modeling.point_set_anchor import PointSetAnchor
from ictrack.structures.joints import joint_set
from ictrack.structures.json_files import read_json
from ictrack.structures.posetrack_json import sequence_name
from synthetic.people import PoseSampleConfig, dataset_options, generate_sample_pose

from .check_submission import check_submission
from .masks import processes_that_share, stage, train_stage
from .poses_report import setting_of, write_pose_report

# Frame skips of the comparison.
SKIPS = (4, 8, 16)
# Detection score thresholds tried in tuning, besides each method's own thresholds.
MIN_SCORES = (0.2, 0.3, 0.4, 0.5)
# Of labeled clips no other frames are read than every SKIPS[0]-th.
SAMPLE = PoseSampleConfig(
    tune_clips=20, val_clips=40, unlabeled_clips=40, unlabeled_length=40, clip_step=SKIPS[0], skips=SKIPS[:1]
)

# Head on the shared frozen features -> KEY, VALUE, ... of MODEL.EMBEDDING on top of the configuration.
KEM, KEM_MEAN, VIDEO = "kem", "kem_mean", "kem_video"
HEADS: dict[str, list[Any]] = {
    "untrained": [],
    "scalar_tags": ["KEYPOINT.OBJECTIVE", "scalar_tags"],
    "vector_tags": ["KEYPOINT.OBJECTIVE", "vector_tags", "KEYPOINT.SIMILARITY", "person"],
    "person": ["KEYPOINT.LEVELS", ["person"]],
    KEM: [],
}
IMAGE_WEIGHTS = "model_image_stage.pth"
IMAGE_ONLY, OURS, BASELINE = "joint + person IC (KEM)", "KEM + video", "spatial distance"


def methods() -> list[Method]:
    """Methods compared by the quick-start."""
    return [
        *spatial_pose_methods(),
        appearance_method("untrained KEM", "untrained"),
        tag_method("AE, scalar tags", "scalar_tags"),
        tag_method("AE, vector tags", "vector_tags"),
        appearance_method("AE, vector tags, by cosine", "vector_tags"),
        appearance_method("person IC only", "person"),
        appearance_method("KEM, mean over joints", KEM_MEAN),
        appearance_method(IMAGE_ONLY, KEM),
        appearance_method(OURS, VIDEO),
    ]


class HeadBankTrainer(ICTrackTrainer):
    """Trainer of all ``HEADS`` on one frozen detector."""

    @classmethod
    def build_model(cls, cfg: CfgNode) -> PointSetAnchor:
        model: PointSetAnchor = super().build_model(cfg)
        model.embedding_head = head_bank(cfg, model)
        return model


def head_bank(cfg: CfgNode, model: PointSetAnchor) -> HeadBank:
    """Bank of ``HEADS`` for a model."""
    assert not cfg.MODEL.EMBEDDING.BACKPROP_TO_FEATURES, "the heads would change the features that they share"
    shapes = model.backbone.output_shape()
    stride = shapes[cfg.MODEL.POINT_SET_ANCHOR.IN_FEATURES[0]].stride // 2
    shapes = {**shapes, "heatmap": ShapeSpec(channels=len(model.joints), stride=stride)}
    heads = {}
    for name, options in HEADS.items():
        head_cfg = cfg.clone()
        head_cfg.defrost()
        head_cfg.MODEL.EMBEDDING.merge_from_list(options)
        head = build_embedding_head(head_cfg, shapes, cfg.MODEL.POINT_SET_ANCHOR.IN_FEATURES[:1])
        assert head is not None, "MODEL.EMBEDDING.NAME is empty"
        heads[name] = head
    return HeadBank(heads, [name for name in heads if name != "untrained"]).to(model.device)


@dataclass(frozen=True)
class PoseConfigs:
    """Configuration files: pose detector, embedding head on labeled images, video head on unlabeled clips."""

    detector: str
    embedding: str
    video: str

    @classmethod
    def in_folder(cls, folder: Path) -> PoseConfigs:
        """Configuration files of ``configs/quickstart``."""
        return cls(*(str(folder / f"pose_lite0{stage}.yaml") for stage in ("", "_embedding", "_video")))


def run_pose_quickstart(
    configs: PoseConfigs,
    output: Path,
    seed: int,
    num_processes: int,
    overrides: Sequence[str],
    *,
    video_overrides: Sequence[str] = (),
    sample: PoseSampleConfig | None = None,
    real_clip: Path | None = None,
) -> None:
    """Generate synthetic data, train, compare, and write ``report.html`` and ``metrics.json``.

    Args:
        configs: Configuration files of the stages.
        output: Folder to write to.
        seed: Seed of the data, the initial weights and the order of training.
        num_processes: Largest number of processes: GPUs, or processes on the CPU.
        overrides: KEY VALUE pairs for all configurations.
        video_overrides: Further KEY VALUE pairs for the video stage.
        sample: Sizes of the synthetic data; ``SAMPLE`` by default.
        real_clip: Folder of frames to track as well.

    Raises:
        VideoReadError: If ``real_clip`` has no frames.
    """
    start = time.perf_counter()
    if real_clip is not None:
        with open_frames(str(real_clip)):  # fails before the training
            pass
    output.mkdir(parents=True, exist_ok=True)
    with stage(f"generating the synthetic data (seed {seed})"):
        generate_sample_pose(output / "sample", seed, sample or SAMPLE)
    common = [*dataset_options((output / "sample").resolve()), "SEED", str(seed)]

    def options(name: str, weights: Path | None, extra: Sequence[str] = ()) -> list[str]:
        loaded = ["MODEL.WEIGHTS", str(weights)] if weights else []
        return [*common, *loaded, "OUTPUT_DIR", str(output / name), *overrides, *extra]

    args = argparse.Namespace(
        config_file=configs.detector, opts=options("detector", None), eval_only=False, resume=False
    )
    embedding_cfg = load_config(configs.embedding, options("embedding", output / "detector" / "model_final.pth"))
    video_cfg = load_config(configs.video, options("video", output / IMAGE_WEIGHTS, video_overrides))
    num_processes = processes_that_share(
        num_processes, load_config(args.config_file, args.opts), embedding_cfg, video_cfg
    )
    share_cores(num_processes)
    launch_processes(
        _train_and_compare,
        num_processes,
        args=(args, embedding_cfg, video_cfg, output, seed, start, real_clip),
    )


def _train_and_compare(
    args: argparse.Namespace,
    cfg: CfgNode,
    video_cfg: CfgNode,
    output: Path,
    seed: int,
    start: float,
    real_clip: Path | None,
) -> None:
    """Work of each process."""
    fork_data_workers()
    detector_cfg = setup(args)
    seconds: dict[str, float] = {}
    with stage(f"training the detector for {detector_cfg.SOLVER.MAX_ITER} iterations", seconds, "detector"):
        tested = _train(ICTrackTrainer, detector_cfg, seed)
    with stage(f"training {len(HEADS) - 1} embedding heads for {cfg.SOLVER.MAX_ITER} iterations", seconds, "embedding"):
        _train(HeadBankTrainer, cfg, seed)
    model = build_model(cfg)
    bank = head_bank(cfg, model)
    model.embedding_head = bank
    SafeCheckpointer(model).load(_weights(cfg))
    model.embedding_head = bank[KEM]
    if comm.is_main_process():
        SafeCheckpointer(model, str(output)).save(Path(IMAGE_WEIGHTS).stem)
    comm.synchronize()
    with stage(f"training on unlabeled clips for {video_cfg.SOLVER.MAX_ITER} iterations", seconds, "video"):
        _train(ICTrackTrainer, video_cfg, seed)
    video_model = build_model(video_cfg)
    SafeCheckpointer(video_model).load(_weights(video_cfg))
    bank.heads[VIDEO] = video_model.embedding_head
    bank.heads[KEM_MEAN] = copy.deepcopy(bank[KEM])
    cast(KeypointEmbeddingModule, bank[KEM_MEAN]).similarity = "person"
    model.embedding_head = bank

    with stage("detecting in the clips", seconds, "detecting"):
        clips = {split: _detect(cfg, model, bank, split) for split in ("tune", "val")}
    with stage("testing at several scales", seconds, "multi-scale"):
        multi_scale = _multi_scale(detector_cfg)
    with stage("tracking: tuning every method on one set of clips, evaluating on another", seconds, "tracking"):
        studies = {skip: _study(cfg, clips, skip) for skip in SKIPS}
        table = _compare(studies)
    if not comm.is_main_process():
        return
    metrics: dict[str, Any] = {
        "seed": seed,
        "stills": {"single_scale": _oks_ap(tested), "multi_scale": _oks_ap(multi_scale)},
        "skips": table,
        "stage_seconds": seconds,
    }
    joints = joint_set(cfg.MODEL.POINT_SET_ANCHOR.JOINT_SET)
    ours = next(method for method in methods() if method.name == OURS)
    setting = setting_of(table[str(SKIPS[0])][OURS])
    with stage("writing a submission and reading it back"):
        tracks = studies[SKIPS[0]].tracks(ours, setting)
        metrics["submission"] = check_submission(output / "submission", tracks, joints, setting.min_joint_score)
    torch.set_num_threads(os.cpu_count() or 1)  # the other processes have ended
    with stage("drawing the report"):
        tracking_cfg = _tracking_config(video_cfg, setting)
        (output / "config.yaml").write_text(tracking_cfg.dump())
        trainings = {"Detector": detector_cfg, "Embedding heads": cfg, "Training on unlabeled clips": video_cfg}
        curves = {heading: Path(one.OUTPUT_DIR) / "metrics.json" for heading, one in trainings.items()}
        report = write_pose_report(
            curves, tracking_cfg, studies, methods(), (OURS, BASELINE), metrics, output, real_clip
        )
    metrics["seconds"] = time.perf_counter() - start
    (output / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    print(format_pose_tables(metrics))
    print(f"\n{metrics['seconds'] / 60:.1f} minutes. Open {report}")


def _train(trainer_class: type[ICTrackTrainer], cfg: CfgNode, seed: int) -> Any:
    """Train one stage, with random numbers that do not depend on the stages before it."""
    seed_all_rng(seed)
    return train_stage(trainer_class, cfg)


def _weights(cfg: CfgNode) -> str:
    return str(Path(cfg.OUTPUT_DIR) / "model_final.pth")


def _detect(cfg: CfgNode, model: PointSetAnchor, bank: HeadBank, split: str) -> list[PoseClip]:
    """Detected clips of a split at the smallest skip, on all processes."""
    name = f"ictrack_sample_pose_clips_{split}_skip{SKIPS[0]}"
    loader = build_video_test_loader(cfg, name)
    detected = detect_poses(model, bank, loader, min(MIN_SCORES), cfg.TRACKER_HEADS.MAX_DETECTIONS)
    everything = {video: frames for part in comm.all_gather(detected) for video, frames in part.items()}
    files = {sequence_name(path.name): path for path in posetrack_files(MetadataCatalog.get(name).annotation_folder)}
    return [PoseClip(n, read_json(path), everything[n], unit) for unit, (n, path) in enumerate(files.items())]


def _study(cfg: CfgNode, clips: Mapping[str, Sequence[PoseClip]], skip: int) -> PoseStudy:
    joints = joint_set(cfg.MODEL.POINT_SET_ANCHOR.JOINT_SET)
    step = skip // SKIPS[0]
    tune, val = ([part for clip in clips[split] for part in clip.all_phases(step)] for split in ("tune", "val"))
    return PoseStudy(cfg, joints, tune, val, MIN_SCORES)


def _compare(studies: Mapping[int, PoseStudy]) -> dict[str, dict[str, dict[str, Any]]]:
    """Skip -> method -> scores, on the main process; all processes share the work."""
    jobs = [(skip, method) for skip in studies for method in methods()][comm.get_rank() :: comm.get_world_size()]
    tuned = {(skip, method.name): studies[skip].tune(method) for skip, method in jobs}
    scores = shared_scores({
        (skip, name, score): idf1
        for part in comm.all_gather(tuned)
        for (skip, name), (_, idf1s) in part.items()
        for score, idf1 in idf1s.items()
    })  # fmt: skip
    measured = {}
    for skip, method in jobs:
        threshold, _ = tuned[skip, method.name]
        setting = studies[skip].setting(method, threshold, scores[skip])
        measured[skip, method.name] = studies[skip].measure(method, setting)
    everything = {key: value for part in comm.gather(measured) for key, value in part.items()}
    return {
        str(skip): {method.name: everything[skip, method.name] for method in methods()}
        for skip in studies
        if everything
    }


def _multi_scale(cfg: CfgNode) -> dict[str, Any]:
    """COCO scores of the detector with test-time augmentation on the unseen images."""
    name = cfg.DATASETS.TEST[0]
    cfg = cfg.clone()
    cfg.defrost()
    cfg.TEST.AUG.ENABLED = True
    model = build_model(cfg)
    SafeCheckpointer(model).load(_weights(cfg))
    evaluator = COCOEvaluator(name, output_dir=str(Path(cfg.OUTPUT_DIR) / "multi_scale"))
    return inference_on_dataset(model.eval(), ICTrackTrainer.build_test_loader(cfg, name), evaluator)


def _oks_ap(results: Mapping[str, Any] | None) -> dict[str, float]:
    """OKS-AP and OKS-AP50 as fractions; 0 without any detection."""
    keypoints = (results or {}).get("keypoints", {})
    return {key: keypoints.get(key, 0.0) / 100 for key in ("AP", "AP50")}


def _tracking_config(cfg: CfgNode, setting: PoseSetting) -> CfgNode:
    """Configuration of the trained model with its tuned thresholds."""
    cfg = cfg.clone()
    cfg.defrost()
    state_detector_classes(cfg, training=False)
    cfg.MODEL.WEIGHTS = str(Path(_weights(cfg)).resolve())
    cfg.TRACKER_HEADS.MIN_SCORE = cfg.TRACKER_HEADS.NEW_TRACK_SCORE = setting.min_score
    cfg.TRACKER_HEADS.EMBEDDING.NEW_OBJECT_COSINE = setting.threshold
    cfg.TEST.MIN_JOINT_SCORE = setting.min_joint_score
    return cfg


def format_pose_tables(metrics: Mapping[str, Any]) -> str:
    """Results as text: scores of the detector on images, then a table of each frame skip."""
    single, multi = metrics["stills"]["single_scale"], metrics["stills"]["multi_scale"]
    parts = [
        f"Unseen images: OKS-AP {single['AP']:.3f}, AP50 {single['AP50']:.3f}; "
        f"at several scales OKS-AP {multi['AP']:.3f}, AP50 {multi['AP50']:.3f}"
    ]
    for skip, rows in metrics["skips"].items():
        table = [[name, f["MOTA"], f["IDF1"], f["HOTA"], f["AP"], f"{f['IDSW']:.0f}"] for name, f in rows.items()]
        headers = ["same detections, associated by", "MOTA", "IDF1", "HOTA", "AP", "id switches"]
        parts.append(f"Every {skip}th frame\n\n{tabulate(table, headers, floatfmt='.3f')}")
    return "\n\n".join(parts)
