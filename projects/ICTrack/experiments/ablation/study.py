"""Jobs of one seed of the ablation, and the stamps of what they depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.utils.env import seed_all_rng

from ictrack.data.datasets.youtube_vis import register_youtube_vis
from ictrack.engine.setup import load_config
from ictrack.modeling.solo import SOLO
from ictrack.structures.youtube_vis_json import read_ground_truth
from synthetic.characters import SampleConfig
from synthetic.characters.assets import CATEGORIES
from synthetic.characters.generate import UNLABELED_TRUTH

from . import cache_features
from .cache import Cache, fingerprint
from .cache_features import FeatureExtractor
from .evaluate import MIN_SCORES, Measurement, fused
from .methods import FORMS, HEADS, IMAGE_HEADS, PLAIN_METHODS, ROWS, Row
from .pack_detections import pseudo_labeled, true_identities, unpack_clips
from .train_heads import config_of_head, head_content, mine_tracklets, purity
from .training_data import AUGMENTED, MAP_STRIDE, NUM_SHARDS, WINDOWS, TrainingData

# Frame skips of the evaluation clips.
SKIPS = (4, 8, 16)
# Number of training images whose views are cached, and stride of the unlabeled frames whose views are.
NUM_STILLS, VIEW_STRIDE = 1200, 4
# Objectives that need tracklets.
_ON_TRACKLETS = {"tracklets", "true ids", "instance walk", "tracklets at scales"}
# Objective -> the cached set it needs besides the views of images and the frames of clips.
DERIVED_SETS = {
    **{name: name for name in AUGMENTED},
    "pixels at half size": "half size",
    "pixels at scales": "scales",
    "tracklets at scales": "scales",
}
_UNLABELED = "ictrack_ablation_unlabeled"


@dataclass(frozen=True)
class Plan:
    """Settings of an ablation.

    Attributes:
        configs: Configuration files of the "detector" and of the forms.
        output: Folder for data, weights and caches.
        rows: Rows to measure.
        sample: Sizes of the synthetic data.
        overrides: KEY, VALUE, ... for each of ``configs``.
    """

    configs: Mapping[str, str]
    output: Path
    rows: tuple[Row, ...]
    sample: SampleConfig
    overrides: Mapping[str, Sequence[str]]

    def folder(self, seed: int) -> Path:
        """Working folder of one seed."""
        return self.output / f"seed_{seed}"

    def sample_stamp(self, seed: int) -> str:
        """Fingerprint of a seed's synthetic data."""
        return fingerprint("sample", seed, asdict(self.sample))


class SeedStudy:
    """Jobs of one seed, each named after its entry in the cache; any process can do one once its inputs are there.

    Args:
        plan: Settings of the ablation.
        cfg: Configuration of the detector, with all paths.
        model: Trained detector in evaluation mode.
        seed: Seed of the study.
        detector_stamp: Fingerprint of the detector's training.
    """

    def __init__(self, plan: Plan, cfg: CfgNode, model: SOLO, seed: int, detector_stamp: str) -> None:
        self._plan, self._cfg, self._model, self._seed = plan, cfg, model, seed
        self.cache = Cache(plan.folder(seed) / "cache")
        self._shapes = model.backbone.output_shape()
        assert model.embedding_head is not None, "MODEL.EMBEDDING.NAME is empty"
        self._detectors_head = model.embedding_head.state_dict()
        self._form_cfgs = {form: load_config(plan.configs[form], plan.overrides.get(form, ())) for form in FORMS}
        root = plan.folder(seed) / "sample"
        self._unlabeled_root = root / "unlabeled"
        for catalog in (DatasetCatalog, MetadataCatalog):
            if _UNLABELED in catalog.list():
                catalog.remove(_UNLABELED)
        gt_file = str(root / UNLABELED_TRUTH)
        register_youtube_vis(_UNLABELED, gt_file, str(self._unlabeled_root), thing_classes=CATEGORIES)
        clips = {split: f"ictrack_sample_clips_{split}_skip{SKIPS[0]}" for split in ("tune", "val")}
        self._datasets = {**clips, "unlabeled": _UNLABELED}
        self._stamp = fingerprint(
            "features",
            detector_stamp,
            plan.sample_stamp(seed),
            [
                NUM_STILLS,
                VIEW_STRIDE,
                cache_features.NUM_VIEWS,
                cache_features.MIN_SCORE,
                cache_features.TAP_CELL,
                cache_features.COLOR_CELL,
            ],
            [MAP_STRIDE, NUM_SHARDS, WINDOWS, cfg.TRACKER_HEADS.MAX_DETECTIONS],
        )

    @cached_property
    def _gt(self) -> dict[str, dict[str, Any]]:
        return {split: read_ground_truth(MetadataCatalog.get(n).json_file) for split, n in self._datasets.items()}

    @cached_property
    def _extractor(self) -> FeatureExtractor:
        return FeatureExtractor(self._model, self._cfg)

    @cached_property
    def training_data(self) -> dict[str, TrainingData]:
        """Training data of each form's heads."""
        return {form: TrainingData(self.cache, form, self._gt) for form in FORMS}

    @cached_property
    def measurement(self) -> Measurement:
        """Evaluation shared by all rows."""
        tune_clips, val_clips = (self.training_data["strong"].clips(split) for split in ("tune", "val"))
        return Measurement(self._cfg, tune_clips, val_clips, SKIPS, self._gt["val"]["categories"])

    def cache_shard(self, name: str) -> None:
        """Fill one shard, called ``<set>_<shard>``. Shards of ``DERIVED_SETS`` need the unlabeled ones."""
        kind, _, shard = name.rpartition("_")
        seed_all_rng(self._seed * NUM_SHARDS + int(shard))
        content: dict[str, Any]
        if kind == "stills":
            stills = DatasetCatalog.get("ictrack_sample_train")[:NUM_STILLS]
            content = self._extractor.views(stills[int(shard) :: NUM_SHARDS])
        elif kind in DERIVED_SETS.values():
            clips = unpack_clips(self.cache.read(f"unlabeled_{shard}")["clips"], self._gt["unlabeled"])
            root = str(self._unlabeled_root)
            if kind in AUGMENTED:
                min_score = self._cfg.MODEL.VIDEO_EMBEDDING.TRACKLET.MIN_SCORE
                frames = [x for clip in clips for x in pseudo_labeled(clip, root, VIEW_STRIDE, min_score)]
                content = self._extractor.views(frames, AUGMENTED[kind])
            else:
                count, zoom = WINDOWS[kind]
                sources = [
                    NUM_SHARDS * count * i + int(shard) * count + j for i in range(len(clips)) for j in range(count)
                ]
                sparse = [clip.every(MAP_STRIDE) for clip in clips]
                content = {"features": self._extractor.windows(sparse, root, sources, zoom).to_dict()} if clips else {}
        else:
            gt = self._gt[kind]
            videos = range(int(shard), len(gt["videos"]), NUM_SHARDS)
            detect = self._extractor.unlabeled if kind == "unlabeled" else self._extractor.clips
            content = detect(self._datasets[kind], gt, list(videos))
        self.cache.write(name, self._stamp, content)

    def shard_stamp(self, name: str) -> str:
        """Fingerprint that every cached shard depends on."""
        return self._stamp

    def head_stamp(self, job: str) -> str:
        """Fingerprint of a head, called ``heads/<form>/<name>``."""
        _, form, name = job.split("/")
        head_config, cfg = HEADS[name], self._form_cfgs[form]
        settings = [str(cfg.MODEL.EMBEDDING), str(cfg.MODEL.VIDEO_EMBEDDING), str(cfg.INPUT), str(cfg.SOLVER)]
        needed = [self.tracklets_stamp(f"tracklets_{form}")] if needs_tracklets(name) else []
        return fingerprint(self._stamp, asdict(head_config), settings, needed)

    def train(self, job: str) -> None:
        """Train a head, and embed all detections with it."""
        _, form, name = job.split("/")
        cfg, head_config = config_of_head(self._form_cfgs[form], HEADS[name]), HEADS[name]
        splits = ["tune", "val", *(["unlabeled"] if name == IMAGE_HEADS[form] else [])]
        weights = self._detectors_head if head_config.is_detectors else None
        content = head_content(cfg, head_config, self.training_data[form], self._shapes, self._seed, splits, weights)
        self.cache.write(job, self.head_stamp(job), content)

    def tracklets_stamp(self, job: str) -> str:
        """Fingerprint of a form's tracklets, called ``tracklets_<form>``."""
        form = job.rpartition("_")[2]
        return fingerprint(
            self.head_stamp(f"heads/{form}/{IMAGE_HEADS[form]}"), str(self._form_cfgs[form].TRACKER_HEADS)
        )

    def mine(self, job: str) -> None:
        """Track through the unlabeled clips with the form's image head."""
        form = job.rpartition("_")[2]
        clips = self.training_data[form].clips("unlabeled")
        embeddings = self.cache.read(f"heads/{form}/{IMAGE_HEADS[form]}")["unlabeled"]
        mined, true = mine_tracklets(self._form_cfgs[form], clips, embeddings), true_identities(clips)
        content = {"mined": mined, "true": true, "purity": purity(mined, true)}
        self.cache.write(job, self.tracklets_stamp(job), content)

    def row_stamp(self, job: str) -> str:
        """Fingerprint of a row, called ``rows/<form>/<method>``."""
        row = _row(job)
        heads = [self.head_stamp(f"heads/{row.form}/{name}") for name in row.heads]
        return fingerprint(self._stamp, row.method, heads, SKIPS, MIN_SCORES, str(self._cfg.TRACKER_HEADS))

    def measure(self, job: str) -> None:
        """Measure a row."""
        row = _row(job)
        seconds = 0.0
        if row.method in PLAIN_METHODS:
            pooled = {split: self.training_data["strong"].detections(split).pooled for split in ("tune", "val")}
            scores = self.measurement.plain(row.method, pooled)
        else:
            heads = [self.cache.read(f"heads/{row.form}/{name}") for name in row.heads]
            seconds = sum(head["seconds"] for head in heads)
            features = {split: fused(self._form_cfgs[row.form], heads, split) for split in ("tune", "val")}
            scores = self.measurement.rows(features)
        scores = [{**one, "seconds": one["seconds"] + seconds} for one in scores]
        self.cache.write(job, self.row_stamp(job), {"scores": scores})


def needs_tracklets(head: str) -> bool:
    """Whether the named head is trained on tracklets."""
    return bool(_ON_TRACKLETS & set(HEADS[head].objectives))


def _row(job: str) -> Row:
    _, form, method = job.split("/")
    return next(row for row in ROWS if (row.form, row.method) == (form, method))
