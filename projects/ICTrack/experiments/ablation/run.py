"""Ablation runner: data, detector, feature caches, heads and rows of each seed; finished parts are reused."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.utils import comm

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.engine.launch import fork_data_workers, share_cores
from ictrack.engine.process_group import launch_processes
from ictrack.engine.setup import setup
from ictrack.engine.trainer import ICTrackTrainer
from ictrack.modeling.build import build_model
from synthetic.characters import SampleConfig, dataset_options, generate_sample

from .cache import fingerprint
from .methods import HEADS, IMAGE_HEADS, ROWS, Row
from .results import write_results
from .study import DERIVED_SETS, SKIPS, Plan, SeedStudy, needs_tracklets
from .table import write_table
from .training_data import shard_names

# More unlabeled video and evaluation clips than the quick-start has; no evaluation images.
SAMPLE = SampleConfig(
    val_stills=0,
    unlabeled_clips=40,
    unlabeled_length=64,
    unlabeled_truth=True,
    tune_clips=20,
    val_clips=60,
    skips=SKIPS[:1],
)


def run_ablation(
    configs: Mapping[str, str],
    output: Path,
    results: Path,
    seeds: Sequence[int],
    rows: tuple[Row, ...],
    num_processes: int,
    sample: SampleConfig = SAMPLE,
    overrides: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Measure rows for each seed, and write ``ablation.csv``, counts and ``ablation.md`` after each.

    Args:
        configs: Configuration files of the "detector" and of the forms "strong" and "paper".
        output: Folder for data, weights and caches. Everything in it that has the same settings is reused.
        results: Folder for the tables.
        seeds: Seeds of data, initial weights and order of training.
        rows: Rows to measure, see ``methods.py``; finished rows of other names in ``output`` stay in the results.
        num_processes: Number of processes; must divide the detector's batch.
        sample: Sizes of the synthetic data.
        overrides: KEY, VALUE, ... for each of ``configs``.
    """
    plan = Plan(configs, output, rows, sample, overrides or {})
    share_cores(num_processes)
    finished: list[dict[str, Any]] = []
    for seed in seeds:
        _generate(plan, seed)
        launch_processes(_run_seed, num_processes, args=(plan, seed))
        finished += torch.load(plan.folder(seed) / "rows.pt", weights_only=True)["rows"]
        write_results(results, finished)
        write_table(results)


def _generate(plan: Plan, seed: int) -> None:
    root, stamp = plan.folder(seed) / "sample", plan.folder(seed) / "sample.stamp"
    if stamp.is_file() and stamp.read_text() == plan.sample_stamp(seed):
        return
    with _Stage(seed, "generating the synthetic data"):
        stamp.unlink(missing_ok=True)
        generate_sample(root, seed, plan.sample)
        stamp.write_text(plan.sample_stamp(seed))


def _run_seed(plan: Plan, seed: int) -> None:
    """Work of each process on one seed."""
    fork_data_workers()
    cfg, model, stamp = _detector(plan, seed)
    study = SeedStudy(plan, cfg, model, seed, stamp)
    with _Stage(seed, "planning") as stage:
        pending = [row for row in plan.rows if not study.cache.holds(_name(row), study.row_stamp(_name(row)))]
        heads = sorted({f"heads/{row.form}/{name}" for row in pending for name in row.heads})
        forms = sorted({job.split("/")[1] for job in heads if needs_tracklets(job.split("/")[2])})
        first = sorted(
            {*(f"heads/{form}/{IMAGE_HEADS[form]}" for form in forms), *(h for h in heads if not _late(h))}, key=_cost
        )
        later = sorted(filter(_late, heads), key=_cost)
        stage.note = f"{len(pending)} of {len(plan.rows)} rows, {len(heads)} heads"
    if pending:
        shards = [name for kind in ("stills", "unlabeled", "tune", "val") for name in shard_names(kind)]
        _share_out(study, seed, "caching features", shards, study.shard_stamp, study.cache_shard)
        objectives = {objective for head in heads for objective in HEADS[head.split("/")[2]].objectives}
        kinds = sorted({DERIVED_SETS[objective] for objective in objectives & DERIVED_SETS.keys()})
        derived = [name for kind in kinds for name in shard_names(kind)]
        _share_out(study, seed, "caching augmented frames and windows", derived, study.shard_stamp, study.cache_shard)
        _share_out(study, seed, "training heads on images and cells", first, study.head_stamp, study.train)
        tracklets = [f"tracklets_{form}" for form in forms]
        _share_out(study, seed, "mining tracklets", tracklets, study.tracklets_stamp, study.mine)
        _share_out(study, seed, "training heads on tracklets", later, study.head_stamp, study.train)
        _share_out(study, seed, "measuring rows", [_name(row) for row in pending], study.row_stamp, study.measure)
    if comm.is_main_process():
        for form in forms:
            print(f"seed {seed}: {form}: purity of tracklets {study.cache.read(f'tracklets_{form}')['purity']:.3f}")
        measured = [
            {"method": row.method, "form": row.form, "seed": seed, "scores": study.cache.read(_name(row))["scores"]}
            for row in ROWS
            if study.cache.holds(_name(row), study.row_stamp(_name(row)))
        ]
        torch.save({"rows": measured}, plan.folder(seed) / "rows.pt")
    comm.synchronize()


def _share_out(
    study: SeedStudy,
    seed: int,
    name: str,
    jobs: Sequence[str],
    stamp: Callable[[str], str],
    work: Callable[[str], None],
) -> None:
    """Do the missing jobs, each process its share, and wait for all."""
    missing = [job for job in jobs if not study.cache.holds(job, stamp(job))]
    comm.synchronize()  # no process starts before all have looked
    with _Stage(seed, name) as stage:
        for job in missing[comm.get_rank() :: comm.get_world_size()]:
            work(job)
        comm.synchronize()
        stage.note = f"{len(missing)} jobs"


def _detector(plan: Plan, seed: int) -> tuple[CfgNode, Any, str]:
    """(configuration, model, stamp) of a seed's detector; it is trained unless one of the same stamp has been."""
    folder = plan.folder(seed)
    paths = [*dataset_options(folder / "sample"), "OUTPUT_DIR", str(folder / "train")]
    opts = [*paths, "SEED", str(seed), "DATASETS.TEST", "()", *plan.overrides.get("detector", ())]
    args = argparse.Namespace(config_file=plan.configs["detector"], opts=opts, eval_only=False, resume=False)
    stamp_file, weights = folder / "train" / "stamp", folder / "train" / "model_final.pth"
    cfg = setup(args)
    stamp = detector_stamp(plan, cfg)
    finished = weights.is_file() and stamp_file.is_file() and stamp_file.read_text() == stamp
    comm.synchronize()
    if not finished:
        with _Stage(seed, f"training the detector for {cfg.SOLVER.MAX_ITER} iterations"):
            trainer = ICTrackTrainer(cfg)
            trainer.resume_or_load(resume=False)
            trainer.train()
        if comm.is_main_process():
            stamp_file.write_text(stamp)
        comm.synchronize()
    # One pass over small images, then heads on cached features: no GPU is needed.
    model = build_model(cfg).to("cpu").eval()
    SafeCheckpointer(model).load(str(weights))
    return cfg, model, stamp


def detector_stamp(plan: Plan, cfg: CfgNode) -> str:
    """Fingerprint of everything the detector's training depends on, its seed included, except the paths."""
    settings = cfg.clone()
    settings.defrost()
    settings.OUTPUT_DIR = ""
    settings.DATASETS.REGISTER = []
    keys = ("height", "width", "train_stills", "min_visible_still")
    return fingerprint(settings.dump(), {key: asdict(plan.sample)[key] for key in keys})


class _Stage:
    """Stage of a seed; the main process prints its wall time and its own CPU time."""

    def __init__(self, seed: int, name: str) -> None:
        self._seed, self._name, self.note = seed, name, ""

    def __enter__(self) -> _Stage:
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        if comm.is_main_process():
            note = f" ({self.note})" if self.note else ""
            wall, cpu = time.perf_counter() - self._start[0], time.process_time() - self._start[1]
            print(f"seed {self._seed}: {self._name}{note}: {wall:.0f} s, {cpu:.0f} s of CPU", flush=True)


def _name(row: Row) -> str:
    return f"rows/{row.form}/{row.method}"


def _late(head: str) -> bool:
    return needs_tracklets(head.split("/")[2])


def _cost(head: str) -> tuple[bool, str]:
    """Sort key that puts long jobs first, so that the processes finish together."""
    return "/paper/" not in head, head
