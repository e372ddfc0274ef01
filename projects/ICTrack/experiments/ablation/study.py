"""One seed of the ablation in one process: what is to be made, what it depends on, and how."""

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
from synthetic.characters.generate import UNLABELLED_TRUTH

from . import cache_features
from .cache import Cache, fingerprint
from .cache_features import Recorder
from .evaluate import MIN_SCORES, Measurement, fused
from .methods import FORMS, HEADS, IMAGE_HEADS, PLAIN_METHODS, ROWS, Row
from .pack_detections import pseudo_labelled, true_identities, unpack_clips
from .train_heads import head_content, mine_tracklets, purity, recipe_config
from .training_data import AUGMENTED, MAP_STRIDE, NUM_SHARDS, WINDOWS, Material

# The clips are associated with every 4th, 8th and 16th frame.
SKIPS = (4, 8, 16)
# Stills whose views are cached, and frames of unlabelled clips: every so many.
NUM_STILLS, VIEW_STRIDE = 1200, 4
# Lessons that need tracklets.
_ON_TRACKLETS = {"tracklets", "true ids", "instance walk", "tracklets at scales"}
# Sets of pictures that lessons need beside stills and the frames of clips.
DERIVED_PICTURES = {
    **{name: name for name in AUGMENTED},
    "pixels at half size": "half size",
    "pixels at scales": "scales",
    "tracklets at scales": "scales",
}
_UNLABELLED = "ictrack_ablation_unlabelled"


@dataclass(frozen=True)
class Plan:
    """What an ablation is made of.

    Attributes:
        configs: configuration files of the "detector" and of the forms.
        output: folder for data, weights and caches.
        rows: to be measured.
        sample: sizes of the sample data.
        overrides: KEY, VALUE, ... for each of ``configs``.
    """

    configs: Mapping[str, str]
    output: Path
    rows: tuple[Row, ...]
    sample: SampleConfig
    overrides: Mapping[str, Sequence[str]]

    def folder(self, seed: int) -> Path:
        """Of a seed."""
        return self.output / f"seed_{seed}"

    def sample_stamp(self, seed: int) -> str:
        """Of a seed's sample data."""
        return fingerprint("sample", seed, asdict(self.sample))


class SeedStudy:
    """The jobs of one seed. A job is a name in the cache; each can be done by any process once what it needs is there.

    Args:
        plan: of the ablation.
        cfg: of the detector, with all paths.
        model: the trained detector, in evaluation mode.
        seed: of the study.
        detector_stamp: of the detector's training.
    """

    def __init__(self, plan: Plan, cfg: CfgNode, model: SOLO, seed: int, detector_stamp: str) -> None:
        self._plan, self._cfg, self._model, self._seed = plan, cfg, model, seed
        self.cache = Cache(plan.folder(seed) / "cache")
        self._shapes = model.backbone.output_shape()
        assert model.embedding_head is not None, "MODEL.EMBEDDING.NAME is empty"
        self._detectors_head = model.embedding_head.state_dict()
        self._form_cfgs = {form: load_config(plan.configs[form], plan.overrides.get(form, ())) for form in FORMS}
        root = plan.folder(seed) / "sample"
        self._unlabelled_root = root / "unlabelled"
        for catalog in (DatasetCatalog, MetadataCatalog):
            if _UNLABELLED in catalog.list():
                catalog.remove(_UNLABELLED)
        truth_file = str(root / UNLABELLED_TRUTH)
        register_youtube_vis(_UNLABELLED, truth_file, str(self._unlabelled_root), thing_classes=CATEGORIES)
        clips = {split: f"ictrack_sample_clips_{split}_skip{SKIPS[0]}" for split in ("tune", "val")}
        self._datasets = {**clips, "unlabelled": _UNLABELLED}
        self._stamp = fingerprint(
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
    def _ground_truth(self) -> dict[str, dict[str, Any]]:
        return {split: read_ground_truth(MetadataCatalog.get(n).json_file) for split, n in self._datasets.items()}

    @cached_property
    def _recorder(self) -> Recorder:
        return Recorder(self._model, self._cfg)

    @cached_property
    def materials(self) -> dict[str, Material]:
        """What heads of each form learn from."""
        return {form: Material(self.cache, form, self._ground_truth) for form in FORMS}

    @cached_property
    def measurement(self) -> Measurement:
        """Of all rows."""
        tune_clips, val_clips = (self.materials["strong"].clips(split) for split in ("tune", "val"))
        return Measurement(self._cfg, tune_clips, val_clips, SKIPS, self._ground_truth["val"]["categories"])

    def record_shard(self, name: str) -> None:
        """Fill one shard, called ``<set>_<shard>``. Those of ``DERIVED_PICTURES`` need the unlabelled ones."""
        pictures, _, shard = name.rpartition("_")
        seed_all_rng(self._seed * NUM_SHARDS + int(shard))
        content: dict[str, Any]
        if pictures == "stills":
            stills = DatasetCatalog.get("ictrack_sample_train")[:NUM_STILLS]
            content = self._recorder.views(stills[int(shard) :: NUM_SHARDS])
        elif pictures in DERIVED_PICTURES.values():
            clips = unpack_clips(self.cache.read(f"unlabelled_{shard}")["clips"], self._ground_truth["unlabelled"])
            root = str(self._unlabelled_root)
            if pictures in AUGMENTED:
                min_score = self._cfg.MODEL.VIDEO_EMBEDDING.TRACKLET.MIN_SCORE
                frames = [x for clip in clips for x in pseudo_labelled(clip, root, VIEW_STRIDE, min_score)]
                content = self._recorder.views(frames, AUGMENTED[pictures])
            else:
                count, zoom = WINDOWS[pictures]
                sources = [
                    NUM_SHARDS * count * i + int(shard) * count + j for i in range(len(clips)) for j in range(count)
                ]
                sparse = [clip.every(MAP_STRIDE) for clip in clips]
                content = {"pictures": self._recorder.windows(sparse, root, sources, zoom).to_dict()} if clips else {}
        else:
            truth = self._ground_truth[pictures]
            videos = range(int(shard), len(truth["videos"]), NUM_SHARDS)
            detect = self._recorder.unlabelled if pictures == "unlabelled" else self._recorder.clips
            content = detect(self._datasets[pictures], truth, list(videos))
        self.cache.write(name, self._stamp, content)

    def shard_stamp(self, name: str) -> str:
        """Of every shard."""
        return self._stamp

    def head_stamp(self, job: str) -> str:
        """Of a head, called ``heads/<form>/<name>``."""
        _, form, name = job.split("/")
        recipe, cfg = HEADS[name], self._form_cfgs[form]
        settings = [str(cfg.MODEL.EMBEDDING), str(cfg.MODEL.VIDEO_EMBEDDING), str(cfg.INPUT), str(cfg.SOLVER)]
        needed = [self.tracklets_stamp(f"tracklets_{form}")] if needs_tracklets(name) else []
        return fingerprint(self._stamp, asdict(recipe), settings, needed)

    def train(self, job: str) -> None:
        """Train a head, and embed all detections with it."""
        _, form, name = job.split("/")
        cfg, recipe = recipe_config(self._form_cfgs[form], HEADS[name]), HEADS[name]
        splits = ["tune", "val", *(["unlabelled"] if name == IMAGE_HEADS[form] else [])]
        weights = self._detectors_head if recipe.is_detectors else None
        content = head_content(cfg, recipe, self.materials[form], self._shapes, self._seed, splits, weights)
        self.cache.write(job, self.head_stamp(job), content)

    def tracklets_stamp(self, job: str) -> str:
        """Of a form's tracklets, called ``tracklets_<form>``."""
        form = job.rpartition("_")[2]
        return fingerprint(
            self.head_stamp(f"heads/{form}/{IMAGE_HEADS[form]}"), str(self._form_cfgs[form].TRACKER_HEADS)
        )

    def mine(self, job: str) -> None:
        """Track through the unlabelled clips with the form's image head."""
        form = job.rpartition("_")[2]
        clips = self.materials[form].clips("unlabelled")
        embeddings = self.cache.read(f"heads/{form}/{IMAGE_HEADS[form]}")["unlabelled"]
        mined, true = mine_tracklets(self._form_cfgs[form], clips, embeddings), true_identities(clips)
        content = {"mined": mined, "true": true, "purity": purity(mined, true)}
        self.cache.write(job, self.tracklets_stamp(job), content)

    def row_stamp(self, job: str) -> str:
        """Of a row, called ``rows/<form>/<method>``."""
        row = _row(job)
        heads = [self.head_stamp(f"heads/{row.form}/{name}") for name in row.heads]
        return fingerprint(self._stamp, row.method, heads, SKIPS, MIN_SCORES, str(self._cfg.TRACKER_HEADS))

    def measure(self, job: str) -> None:
        """Measure a row."""
        row = _row(job)
        seconds = 0.0
        if row.method in PLAIN_METHODS:
            pooled = {split: self.materials["strong"].detections(split).pooled for split in ("tune", "val")}
            figures = self.measurement.plain(row.method, pooled)
        else:
            heads = [self.cache.read(f"heads/{row.form}/{name}") for name in row.heads]
            seconds = sum(head["seconds"] for head in heads)
            features = {split: fused(self._form_cfgs[row.form], heads, split) for split in ("tune", "val")}
            figures = self.measurement.rows(features)
        figures = [{**one, "seconds": one["seconds"] + seconds} for one in figures]
        self.cache.write(job, self.row_stamp(job), {"figures": figures})


def needs_tracklets(head: str) -> bool:
    """Whether a head of this name learns from tracklets."""
    return bool(_ON_TRACKLETS & set(HEADS[head].lessons))


def _row(job: str) -> Row:
    _, form, method = job.split("/")
    return next(row for row in ROWS if (row.form, row.method) == (form, method))
