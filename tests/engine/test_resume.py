"""A run that stops and goes on ends as one that never stopped, to the last bit."""

import argparse
import json
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from coco_squares import content_of, write_squares
from color_model import write_scenes
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.modeling.meta_arch.dense_detector import DenseDetector
from detectron2.utils import comm
from forked import launch_forked
from tiny_pose_model import pose_config
from tiny_video_model import solo_config

from ictrack.checkpoint.weights_file import load_weights_file
from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.engine.train_step import NonFiniteLossError, TrainStep
from ictrack.engine.trainer import ICTrackTrainer

NAMES = ("resume_stills", "resume_videos")


@pytest.fixture
def data(tmp_path):
    """Six stills with masks and poses, of which two are high, and two videos."""
    content = content_of(2)
    write_squares(tmp_path)
    rng = np.random.default_rng(0)
    for annotation in content["annotations"]:
        x, y, w, h = annotation["bbox"]
        annotation["keypoints"] = np.c_[rng.integers([x, y], [x + w, y + h], (17, 2)), np.full(17, 2)].ravel().tolist()
    for image in content["images"][:2]:
        picture = cv2.copyMakeBorder(cv2.imread(str(tmp_path / image["file_name"])), 0, 40, 0, 0, cv2.BORDER_REFLECT)
        cv2.imwrite(str(tmp_path / image["file_name"]), picture)
        image["height"] = 104
    for annotation in content["annotations"][:4]:
        x, y, w, h = annotation["bbox"]
        annotation["segmentation"] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    (tmp_path / "coco.json").write_text(json.dumps(content))
    people = [{**annotation, "category_id": 1} for annotation in content["annotations"]]
    content = {**content, "annotations": people, "categories": [{"id": 1, "name": "person"}]}
    (tmp_path / "coco_keypoints.json").write_text(json.dumps(content))
    write_scenes(tmp_path / "videos", ["a", "b"])
    yield tmp_path
    for name in NAMES:
        if name in DatasetCatalog.list():
            DatasetCatalog.remove(name)
            MetadataCatalog.remove(name)


def configured(cfg, data, kind, *, stills, videos, workers):
    cfg.DATASETS.REGISTER = [
        [NAMES[0], kind, str(data / f"{kind}.json"), str(data)],
        [NAMES[1], "videos", str(data / "videos")],
    ]
    cfg.DATASETS.TRAIN, cfg.DATASETS.UNLABELED = NAMES[:1] * stills, NAMES[1:] * videos
    cfg.DATASETS.TEST = ()
    cfg.INPUT.UNLABELED.SIZE, cfg.INPUT.UNLABELED.PER_LABELED_IMAGE = [64, 96], 0.75
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.COLOR_JITTER = (56, 64, 72), 0.3
    cfg.DATALOADER.NUM_WORKERS = workers
    cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.MAX_ITER, cfg.SOLVER.CHECKPOINT_PERIOD = 2, 6, 3
    cfg.SOLVER.WARMUP_ITERS, cfg.SOLVER.STEPS, cfg.SOLVER.EMA_DECAY = 4, (5,), 0.9
    cfg.SOLVER.REFERENCE_WORLD_SIZE, cfg.SOLVER.BASE_LR = 0, 0.01
    cfg.TEST.EVAL_PERIOD, cfg.SEED = 0, 7
    register_configured_datasets(cfg)
    return cfg


def train_until(args):
    """Begin or go on with a new trainer, up to ``args.stop`` iterations."""
    torch.manual_seed(0)  # the weights of a new model
    trainer = args.trainer(args.cfg)
    trainer.resume_or_load(resume=True)
    trainer.max_iter = args.stop
    trainer.train()


def run_here(trainer=ICTrackTrainer, **args):
    train_until(argparse.Namespace(trainer=trainer, **args))


def trained(cfg, output, stops=(), run=run_here):
    """Last checkpoint of a run that stops after some iterations."""
    cfg = cfg.clone()
    cfg.OUTPUT_DIR = str(output)
    output.mkdir(exist_ok=True)
    for stop in (*stops, cfg.SOLVER.MAX_ITER):
        run(cfg=cfg, stop=stop)
    return load_weights_file(output / "model_final.pth")


def assert_equal(first, second, path=""):
    assert type(first) is type(second), path
    if isinstance(first, dict):
        assert first.keys() == second.keys(), path
        for key in first:
            assert_equal(first[key], second[key], f"{path}.{key}")
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second), path
        for i, pair in enumerate(zip(first, second)):
            assert_equal(*pair, f"{path}[{i}]")
    elif isinstance(first, torch.Tensor):
        assert torch.equal(first, second), path
    else:
        assert first == second, path


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("make", "kind", "stills", "videos"),
    [
        (lambda: solo_config(ENABLED=False), "coco", True, False),
        (lambda: solo_config(OBJECTIVE="correspondence", FREEZE=[]), "coco", True, True),
        (lambda: solo_config(OBJECTIVE="random_walk"), "coco", False, True),
        (lambda: pose_config(ENABLED=False), "coco_keypoints", True, False),
    ],
    ids=["image", "joint", "video", "pose"],
)
def test_a_resumed_run_equals_an_uninterrupted_one(data, tmp_path, make, kind, stills, videos, workers):
    cfg = configured(make(), data, kind, stills=stills, videos=videos, workers=workers)
    cfg.MODEL.VIDEO_EMBEDDING.CORRESPONDENCE.PATCH_SIZE = 4  # random draws of the model
    cfg.MODEL.VIDEO_EMBEDDING.RANDOM_WALK.EDGE_DROPOUT = 0.1
    whole = trained(cfg, tmp_path / "whole")
    assert_equal(whole, trained(cfg, tmp_path / "stopped", [3]))
    assert whole["trainer"]["_trainer"]["samples"] == 12


def test_two_processes_resume_as_if_they_had_not_stopped(data, tmp_path, monkeypatch):
    make = solo_config(OBJECTIVE="correspondence", FREEZE=[])
    cfg = configured(make, data, "coco", stills=True, videos=True, workers=0)
    cfg.MODEL.VIDEO_EMBEDDING.CORRESPONDENCE.PATCH_SIZE = 4
    run = partial(launch_forked, monkeypatch, train_until, trainer=ICTrackTrainer)
    assert_equal(trained(cfg, tmp_path / "whole", run=run), trained(cfg, tmp_path / "stopped", [3], run=run))


class NotingTrainer(ICTrackTrainer):
    """Trainer that notes the samples of every step, in a file of each process."""

    @classmethod
    def build_model(cls, cfg):
        model = super().build_model(cfg)
        path = Path(cfg.OUTPUT_DIR) / f"{comm.get_world_size()}_{comm.get_rank()}.jsonl"

        def note(_, inputs):
            with path.open("a") as file:
                file.write(json.dumps([f"{x['file_name']} {x['image'].sum()}" for x in inputs[0]]) + "\n")

        model.register_forward_pre_hook(note)
        return model


def noted(folder, num_processes):
    """Samples in the order of the steps, and in each of the processes."""
    paths = [folder / f"{num_processes}_{rank}.jsonl" for rank in range(num_processes)]
    steps = zip(*(map(json.loads, path.read_text().splitlines()) for path in paths))
    return [sample for step in steps for part in step for sample in part]


@pytest.mark.parametrize("batch", [2, 1])
def test_one_process_goes_on_at_the_sample_at_which_two_stopped(data, tmp_path, monkeypatch, batch):
    cfg = configured(solo_config(ENABLED=False), data, "coco", stills=True, videos=False, workers=0)
    cfg.DATALOADER.ASPECT_RATIO_GROUPING = False  # which orders the samples of each process by themselves
    trained(cfg, tmp_path / "whole", run=partial(run_here, trainer=NotingTrainer))
    expected = noted(tmp_path / "whole", 1)
    assert len(set(expected)) == 12

    cfg.OUTPUT_DIR = str(tmp_path / "changed")
    (tmp_path / "changed").mkdir()
    launch_forked(monkeypatch, train_until, cfg=cfg, stop=3, trainer=NotingTrainer)
    assert noted(tmp_path / "changed", 2) == expected[:6]
    cfg.SOLVER.IMS_PER_BATCH = batch
    run_here(cfg=cfg, stop=6, trainer=NotingTrainer)
    assert noted(tmp_path / "changed", 1) == expected[6 : 6 + 3 * batch]


def test_a_run_that_stopped_before_its_last_file(data, tmp_path):
    cfg = configured(solo_config(OBJECTIVE="random_walk"), data, "coco", stills=False, videos=True, workers=0)
    whole = trained(cfg, tmp_path / "run")
    (tmp_path / "run" / "model_final.pth").unlink()
    (tmp_path / "run" / "last_checkpoint").write_text("model_0000005.pth")
    assert_equal(whole, trained(cfg, tmp_path / "run"))


def test_a_step_that_is_not_finite_can_be_repeated(data, tmp_path):
    """From the state before it, which is kept beside the last checkpoint."""
    cfg = configured(solo_config(OBJECTIVE="random_walk"), data, "coco", stills=False, videos=True, workers=0)
    cfg.SOLVER.BASE_LR, cfg.SOLVER.CHECKPOINT_PERIOD = 1e30, 1
    with pytest.raises(NonFiniteLossError, match=r"/videos/.* --resume OUTPUT_DIR .*not_finite repeats") as first:
        trained(cfg, tmp_path / "run")
    cfg.OUTPUT_DIR = str(tmp_path / "run" / "not_finite")
    trainer = ICTrackTrainer(cfg)
    trainer.resume_or_load(resume=True)
    with pytest.raises(NonFiniteLossError) as second:
        trainer.train()
    assert str(second.value).split(" --resume")[0] == str(first.value).split(" --resume")[0]


def test_normalizers_outside_of_the_state_dict_are_kept():
    """RetinaNet averages its number of positives over batches."""

    class Detector(DenseDetector):
        def __init__(self):
            torch.nn.Module.__init__(self)
            self.weight = torch.nn.Parameter(torch.zeros(()))

    def step_of(model):
        return TrainStep(model, [], torch.optim.SGD(model.parameters(), 0.1), amp=False, seed=0)

    first, second = Detector(), Detector()
    first.loss_normalizer = 12.5
    step_of(second).load_state_dict(step_of(first).state_dict())
    assert second.loss_normalizer == 12.5
    step_of(second).load_state_dict(step_of(Detector()).state_dict())
