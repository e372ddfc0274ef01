"""Adaptation of the video embedding head to a user's unlabeled videos; the rest of the model is frozen."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog
from tabulate import tabulate

from ictrack.checkpoint.weights_file import CheckpointError
from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.data.datasets.unlabeled_videos import find_videos
from ictrack.data.frame_stream import VideoReadError
from ictrack.data.tracklet_shapes import tracklet_shapes
from ictrack.data.tracklets import read_tracklets
from ictrack.data.video_dataset_mapper import VideoDatasetMapper
from ictrack.data.video_io import open_frames
from ictrack.data.view_pairs import ViewPairMapper, draw_pairs
from ictrack.evaluation.detector_classes import state_detector_classes
from ictrack.modeling.embedding import VideoEmbedding

from .calibration import Calibration, calibrate_records
from .embedding_health import heads_health
from .mine_tracklets import with_tracklets
from .recognition import CalibrationError
from .settings_file import with_settings
from .trainer import ICTrackTrainer

logger = logging.getLogger(__name__)

DATASET = "ictrack_adapt_videos"
# Metrics that decide, the first that was measured; and by how much one must fall. With MEASURED_PAIRS 32 there are
# about a hundred instances.
RETRIEVALS = ("instance_retrieval", "cell_retrieval")
RETRIEVAL_MARGIN = 0.01
# R2 of the position above the former one that counts as the shortcut.
POSITION_MARGIN = 0.2
HeadMetrics = dict[str, dict[str, float]]  # "image", "video" or "fused" head -> metrics of heads_health


@dataclass(frozen=True)
class Adaptation:
    """Result of :func:`adapt`.

    Attributes:
        before, after: Health metrics on the held-out frames.
        config_file: Configuration for ``ictrack track``: of the adapted model, or of the former one if that is better.
        objection: What is worse than before; "" if nothing is.
        calibration: Calibration of the tracker on the held-out frames, or why there is none.
    """

    before: HeadMetrics
    after: HeadMetrics
    config_file: Path
    objection: str = ""
    calibration: Calibration | str = ""

    def __str__(self) -> str:
        names = list(next(iter(self.before.values())))
        columns = {
            f"{head} head, {when}": metrics[head]
            for head in self.before
            for when, metrics in (("before", self.before), ("after", self.after))
        }
        rows = [[name, *(metrics[name] for metrics in columns.values())] for name in names]
        table = tabulate(rows, ["held-out frames", *columns], floatfmt=".3f")
        kept = f"\n\nThe former model is kept: {self.objection}" if self.objection else ""
        is_kept = isinstance(self.calibration, str)
        tracker = "The tracker's thresholds are kept: " if is_kept else "The tracker on the held-out frames:\n"
        return f"{table}{kept}\n\n{tracker}{self.calibration}"


def adapt(cfg: CfgNode, videos: Sequence[str], output: Path) -> Adaptation:
    """Train the video head on videos, and measure it before and after on the held-out end of each.

    If the held-out metrics say that the former model is better, ``config.yaml`` is that of the former model. The
    tracker is calibrated on the held-out frames, where these have enough certain tracklets.

    Args:
        cfg: Configuration of the model, with ``MODEL.WEIGHTS`` and ``ADAPT``. A model without a video head gets one of
            the image head's form.
        videos: Paths and globs, see :func:`ictrack.data.datasets.unlabeled_videos.find_videos`.
        output: Folder for the weights, ``config.yaml`` and the logs.

    Raises:
        CheckpointError: If there are no weights.
        VideoReadError: If no video can be read.
        ValueError: If the configuration has no embedding head or invalid values, or no tracklet is found.
    """
    if not cfg.MODEL.WEIGHTS:
        raise CheckpointError("no weights: give --weights, or MODEL.WEIGHTS in the configuration")
    if not cfg.MODEL.EMBEDDING.NAME:
        raise ValueError("MODEL.EMBEDDING.NAME is empty: the model has no embedding to adapt")
    if cfg.ADAPT.ITERATIONS < 1 or not 0 < cfg.ADAPT.HELD_OUT < 1:
        raise ValueError("ADAPT.ITERATIONS must be at least 1, and ADAPT.HELD_OUT between 0 and 1")
    records = find_videos(list(videos))
    register_configured_datasets(cfg)
    output.mkdir(parents=True, exist_ok=True)
    share = 1 - cfg.ADAPT.HELD_OUT
    _register([{**record, "part": (0.0, share)} for record in records])
    training = with_tracklets(adaptation_config(cfg, _training_size(cfg, records), output))
    trainer = ICTrackTrainer(training)
    trainer.resume_or_load(resume=False)

    held_out = [{**record, "part": (share, 1.0)} for record in records]
    samples = measured_samples(training, held_out)
    before = _measure(trainer.model, samples, training)
    trainer.train()
    after = _measure(trainer.model, samples, training)

    objection = object_to(before["fused" if cfg.MODEL.VIDEO_EMBEDDING.ENABLED else "image"], after)
    final = former_config(cfg) if objection else tracking_config(cfg, training, output)
    calibration = _calibration(final, held_out)
    settings = {} if isinstance(calibration, str) else calibration.settings
    config_file = output / "config.yaml"
    config_file.write_text(with_settings(final, settings).dump(), encoding="utf-8")
    return Adaptation(before, after, config_file, objection, calibration)


def object_to(former: Mapping[str, float], after: HeadMetrics) -> str:
    """Objection to an adapted model, "" if there is none.

    Retrieval of instances decides, or without tracklets that of cells. Where it fell, and the video head's embedding
    tells the location more than the former did, the head has learnt where things are instead of what they are: a
    shortcut, since things move little between the frames of a clip.

    Args:
        former: Metrics of the former model's embedding: of both heads, or of the image head alone if it had no other.
        after: Metrics of the adapted heads.
    """
    name = next((key for key in RETRIEVALS if key in former and not math.isnan(former[key])), None)
    if name is None or not after["fused"][name] < former[name] - RETRIEVAL_MARGIN:
        return ""
    objection = f"{name} fell from {former[name]:.3f} to {after['fused'][name]:.3f}"
    readable, before = (max(m["position_r2_x"], m["position_r2_y"]) for m in (after["video"], former))
    if readable > max(before, 0) + POSITION_MARGIN:
        objection += (
            f"; the video head tells the position (R2 {readable:.2f}, before {before:.2f}), a shortcut: it learnt "
            "where things are, not what they are. A linear head (MODEL.EMBEDDING.NUM_CONVS 0), ADAPT.OBJECTIVE "
            "tracklet or a longer ADAPT.INTERVAL leaves it less"
        )
    return objection


def former_config(cfg: CfgNode) -> CfgNode:
    """Configuration ``cfg`` with the names of the detector's classes."""
    cfg = cfg.clone()
    cfg.defrost()
    state_detector_classes(cfg, training=False)
    return cfg


def adaptation_config(cfg: CfgNode, size: tuple[int, int], output: Path) -> CfgNode:
    """Configuration that trains only the video head, on pairs or clips of ``size`` (height, width)."""
    options = cfg.ADAPT
    cfg = cfg.clone()
    cfg.defrost()
    cfg.OUTPUT_DIR = str(output)
    cfg.DATASETS.TRAIN, cfg.DATASETS.TEST, cfg.DATASETS.UNLABELED = (), (), (DATASET,)
    cfg.DATASETS.UNLABELED_EXCLUDE = []
    cfg.DATASETS.UNLABELED_TRACKLETS = ""
    cfg.MODEL.VIDEO_EMBEDDING.ENABLED = True
    cfg.MODEL.FREEZE = ["detector", "image_head"]
    cfg.MODEL.VIDEO_EMBEDDING.OBJECTIVE = options.OBJECTIVE
    cfg.INPUT.UNLABELED.SIZE = list(size)
    cfg.INPUT.UNLABELED.NUM_FRAMES = 2 if options.OBJECTIVE == "correspondence" else options.NUM_FRAMES
    cfg.INPUT.UNLABELED.INTERVAL = list(options.INTERVAL)
    cfg.INPUT.UNLABELED.INTERVAL_UNIT = "frames"
    cfg.SOLVER.OPTIMIZER = "ADAMW"
    cfg.SOLVER.BASE_LR = options.BASE_LR
    cfg.SOLVER.IMS_PER_BATCH = options.CLIPS_PER_BATCH
    cfg.SOLVER.REFERENCE_WORLD_SIZE = 0
    cfg.SOLVER.MAX_ITER = cfg.SOLVER.CHECKPOINT_PERIOD = options.ITERATIONS
    cfg.SOLVER.LR_SCHEDULER_NAME = "WarmupCosineLR"
    cfg.SOLVER.WARMUP_ITERS = 0
    cfg.SOLVER.EMA_DECAY = 0.0
    cfg.TEST.EVAL_PERIOD = 0
    cfg.freeze()
    return cfg


def tracking_config(cfg: CfgNode, training: CfgNode, output: Path) -> CfgNode:
    """Configuration ``cfg`` with the adapted model."""
    cfg = former_config(cfg)
    cfg.MODEL.VIDEO_EMBEDDING.merge_from_other_cfg(training.MODEL.VIDEO_EMBEDDING)
    cfg.MODEL.WEIGHTS = str((output / "model_final.pth").resolve())
    return cfg


def measured_samples(cfg: CfgNode, records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pairs of views of one frame, for cell retrieval, and with tracklets pairs of frames, for instance retrieval."""
    count = cfg.ADAPT.MEASURED_PAIRS
    samples = draw_pairs(ViewPairMapper(cfg, num_videos=len(records)), records, count, seed=0)
    if cfg.DATASETS.UNLABELED_TRACKLETS:
        pairs = cfg.clone()
        pairs.defrost()
        pairs.INPUT.UNLABELED.NUM_FRAMES = 2
        tracklets = read_tracklets(cfg.DATASETS.UNLABELED_TRACKLETS, tracklet_shapes(cfg))
        known = [record for record in records if record["video_name"] in tracklets]
        samples += draw_pairs(VideoDatasetMapper(pairs, num_videos=len(known), tracklets=tracklets), known, count, 0)
    return samples


def _calibration(cfg: CfgNode, records: Sequence[dict[str, Any]]) -> Calibration | str:
    """Calibration of the tracker, or why there is none."""
    try:
        return calibrate_records(cfg, records)
    except CalibrationError as error:
        return str(error)


def _measure(model: Any, samples: Sequence[dict[str, Any]], cfg: CfgNode) -> HeadMetrics:
    head = model.embedding_head
    assert isinstance(head, VideoEmbedding)
    model.eval()
    heads: dict[str, Any] = {"image": head.image_head, "video": head.video_head, "fused": head}
    metrics = heads_health(model, heads, samples, cfg.MODEL.VIDEO_EMBEDDING.LEVELS)
    model.train()
    return metrics


def _training_size(cfg: CfgNode, records: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """(height, width) at which the model tracks the first readable video, a multiple of COLOR_STRIDE."""
    errors = []
    for record in records:
        source = record["video_file"] if "video_file" in record else record["file_names"][0]
        try:
            with open_frames(source) as frames:
                size = frames.height, frames.width
        except VideoReadError as error:
            errors.append(str(error))
            continue
        scale = 1.0
        if cfg.INPUT.MIN_SIZE_TEST:
            scale = min(cfg.INPUT.MIN_SIZE_TEST / min(size), cfg.INPUT.MAX_SIZE_TEST / max(size))
        stride = cfg.INPUT.UNLABELED.COLOR_STRIDE
        height, width = (max(1, round(scale * side / stride)) * stride for side in size)
        return height, width
    raise VideoReadError("; ".join(errors))


def _register(records: list[dict[str, Any]]) -> None:
    for catalog in (DatasetCatalog, MetadataCatalog):
        if DATASET in catalog.list():
            catalog.remove(DATASET)
    DatasetCatalog.register(DATASET, lambda: records)
