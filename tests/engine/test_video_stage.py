"""Stage B as a whole on a detector of colored squares: mining, training with everything else frozen, adapting."""

import json
from pathlib import Path

import pytest
import torch
from color_model import color_config, save_weights, write_scenes
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.solver import LRMultiplier
from detectron2.utils import comm
from detectron2.utils.env import seed_all_rng
from forked import launch_forked
from process_end import note_the_group_at_the_end

from ictrack.checkpoint.weights_file import CheckpointError, load_weights_file
from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.data.datasets.unlabeled_videos import find_videos, register_unlabeled_videos
from ictrack.data.tracklet_shapes import MaskShapes
from ictrack.data.tracklets import read_tracklets
from ictrack.engine import mine_tracklets
from ictrack.engine.adaptation import adapt
from ictrack.engine.lr_scheduler import build_scheduler
from ictrack.engine.mine_tracklets import mining_config, with_tracklets
from ictrack.engine.process_group import launch_processes
from ictrack.engine.setup import load_config
from ictrack.engine.trainer import ICTrackTrainer
from ictrack.engine.video_run import track_video
from ictrack.engine.video_tracker import VideoTracker

NAME = "video_stage_test_videos"


@pytest.fixture
def stage(tmp_path):
    """The configuration of stage B, with weights of an image stage and two videos, of which one cannot be read."""
    folder = write_scenes(tmp_path / "videos", ["a", "b"])
    (folder / "broken.mp4").write_text("no video")
    register_unlabeled_videos(NAME, str(folder))
    cfg = color_config(ENABLED=True, OBJECTIVE="tracklet", HEALTH_PERIOD=2, HEALTH_VIDEOS=3)
    cfg.MODEL.FREEZE = ["detector", "image_head"]
    cfg.MODEL.WEIGHTS = str(save_weights(color_config(), tmp_path / "image_stage.pth"))
    cfg.OUTPUT_DIR = str(tmp_path / "output")
    cfg.DATASETS.TRAIN, cfg.DATASETS.TEST, cfg.DATASETS.UNLABELED = (), (), (NAME,)
    cfg.INPUT.UNLABELED.NUM_FRAMES, cfg.SEED = 3, 1
    cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.MAX_ITER = 2, 4
    (tmp_path / "output").mkdir()
    yield cfg
    for catalog in (DatasetCatalog, MetadataCatalog):
        catalog.remove(NAME)


def test_mined_tracklets_are_the_squares(stage, caplog):
    cfg = with_tracklets(stage)
    assert "broken.mp4" in caplog.text
    tracklets = read_tracklets(cfg.DATASETS.UNLABELED_TRACKLETS, MaskShapes())
    assert sorted(tracklets) == ["a", "b"]
    frames = tracklets["a"].frames
    assert sorted(frames) == list(range(16))
    assert [len(frames[index]) for index in (0, 5, 8, 15)] == [3, 3, 2, 3]  # color 2 is away, and comes back
    assert len({tracklet for of_frame in frames.values() for tracklet, _ in of_frame}) == 3
    data = json.loads((mine_tracklets.Path(cfg.OUTPUT_DIR) / "tracklets.json").read_text())
    assert data["annotations"][0]["scores"][0] == pytest.approx(0.9)


def mine_in(args):
    """What each process runs."""
    args.stage.OUTPUT_DIR = args.folder
    with_tracklets(args.stage)


@pytest.mark.parametrize("processes", [2, 5])  # of four videos, one of them broken
def test_processes_mine_the_same_file(stage, tmp_path, monkeypatch, processes):
    write_scenes(tmp_path / "videos", ["c"], 8)
    whole = Path(with_tracklets(stage).DATASETS.UNLABELED_TRACKLETS).read_bytes()
    folder = tmp_path / "shared"
    folder.mkdir()
    launch_forked(monkeypatch, mine_in, processes, stage=stage, folder=str(folder))
    assert (folder / "tracklets.json").read_bytes() == whole


def test_mining_is_done_once_for_the_same_model_and_videos(stage, monkeypatch):
    with_tracklets(stage)
    calls = []
    monkeypatch.setattr(mine_tracklets, "mine", lambda *_: calls.append(1) or [])
    with_tracklets(stage)
    assert not calls
    stage.MODEL.VIDEO_EMBEDDING.TRACKLET.MIN_SCORE = 0.3
    with pytest.raises(ValueError, match="no tracklet was found"):
        with_tracklets(stage)
    assert calls


def test_mining_only_where_it_is_needed(stage):
    stage.MODEL.WEIGHTS = ""
    with pytest.raises(CheckpointError, match="UNLABELED_TRACKLETS"):
        with_tracklets(stage)
    stage.DATASETS.UNLABELED_TRACKLETS = "given.json"
    assert with_tracklets(stage) is stage
    stage.DATASETS.UNLABELED_TRACKLETS = ""
    stage.MODEL.VIDEO_EMBEDDING.OBJECTIVE = "correspondence"
    assert with_tracklets(stage) is stage


def test_mining_sees_the_image_head_alone(stage):
    cfg = mining_config(stage)
    assert cfg.MODEL.VIDEO_EMBEDDING.FUSION_WEIGHT == 0 and stage.MODEL.VIDEO_EMBEDDING.FUSION_WEIGHT == 1
    assert cfg.TRACKER_HEADS.EMBEDDING.NEW_OBJECT_COSINE == 0.7


def test_stage_b_leaves_the_image_stage_bit_identical(stage, tmp_path, caplog):
    trainer = ICTrackTrainer(with_tracklets(stage))
    trainer.resume_or_load(resume=False)
    assert "video_head" in caplog.text  # new, and said so
    trainer.train()
    before = load_weights_file(tmp_path / "image_stage.pth")["model"]
    after = load_weights_file(tmp_path / "output" / "model_final.pth")["model"]
    renamed = {name.replace("embedding_head.", "embedding_head.image_head."): x for name, x in before.items()}
    assert set(after) - set(renamed) == {name for name in after if "video_head" in name} != set()
    assert all(torch.equal(after[name], x) for name, x in renamed.items())
    lines = [json.loads(line) for line in (tmp_path / "output" / "metrics.json").read_text().splitlines()]
    figures = {key: value for line in lines for key, value in line.items() if key.startswith("health/")}
    assert set(figures) == {
        f"health/{name}" for name in ("mean_cosine", "mean_norm", "position_r2_x", "position_r2_y", "cell_retrieval")
    }
    assert 0 <= figures["health/cell_retrieval"] <= 1 and -1 <= figures["health/mean_cosine"] <= 1


def test_replayed_batches_pass_the_frozen_backbone_once(stage, monkeypatch):
    stage.DATALOADER.REPLAY.TIMES, stage.DATALOADER.REPLAY.NUM_BATCHES = 3, 2
    stage.MODEL.VIDEO_EMBEDDING.HEALTH_PERIOD = 0
    stage.SOLVER.MAX_ITER = 6
    calls = []

    def weights():
        calls.clear()
        seed_all_rng(0)
        trainer = ICTrackTrainer(with_tracklets(stage))
        trainer.resume_or_load(resume=False)
        trainer.model.detector.backbone.conv.register_forward_hook(lambda *_: calls.append(1))
        trainer.train()
        return trainer.model.embedding_head.state_dict()

    remembered, times = weights(), len(calls)
    monkeypatch.setattr("ictrack.engine.trainer.cache_frozen_features", lambda *_: None)
    computed = weights()
    assert len(calls) == 3 * times
    assert all(torch.equal(remembered[name], x) for name, x in computed.items())


@pytest.mark.parametrize("objective", ["tracklet", "correspondence"])
def test_adapt_end_to_end(tmp_path, objective):
    folder = write_scenes(tmp_path / "videos", ["a", "b"])
    cfg = color_config()
    cfg.MODEL.WEIGHTS = str(save_weights(color_config(), tmp_path / "image_stage.pth"))
    cfg.ADAPT.OBJECTIVE, cfg.ADAPT.ITERATIONS, cfg.ADAPT.CLIPS_PER_BATCH, cfg.ADAPT.NUM_FRAMES = objective, 3, 2, 3
    cfg.ADAPT.MEASURED_PAIRS = 4
    result = adapt(cfg, [str(folder)], tmp_path / "adapted")
    assert result.before["image"] == result.after["image"]
    assert result.before["video"] != result.after["video"]
    expected = {"mean_cosine", "mean_norm", "position_r2_x", "position_r2_y", "cell_retrieval"}
    expected |= {"instance_retrieval"} if objective == "tracklet" else set()
    assert all(set(figures) == expected for figures in result.after.values())
    assert "fused head, after" in str(result)

    adapted = load_config(str(result.config_file))
    assert adapted.MODEL.VIDEO_EMBEDDING.ENABLED and "ictrack_adapt" not in adapted.DATASETS.dump()
    tracker = VideoTracker.from_config(adapted)
    summary = track_video(tracker, str(folder / "a"))
    assert summary.frames == 16 and summary.tracks >= 3
    assert tracker.model.embedding_head.fusion_weight == 1


def train_on_video_and_compare_weights(cfg, folder):
    """What each of two processes runs: nothing is frozen, though the video trains the video head alone."""
    note_the_group_at_the_end(folder)
    register_configured_datasets(cfg)
    trainer = ICTrackTrainer(with_tracklets(cfg))
    trainer.resume_or_load(resume=False)
    trainer.train()
    first, second = comm.all_gather(trainer.checkpointer.model.state_dict())
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_two_processes_mine_and_learn_together(stage, tmp_path):
    stage.MODEL.FREEZE = []
    stage.DATASETS.REGISTER = [[NAME, "videos", str(tmp_path / "videos")]]
    (tmp_path / "ends").mkdir()
    launch_processes(train_on_video_and_compare_weights, 2, args=(stage, tmp_path / "ends"))
    assert [json.loads(file.read_text()) for file in (tmp_path / "ends").iterdir()] == [[False, []]] * 2
    tracklets = read_tracklets(tmp_path / "output" / "tracklets.json", MaskShapes())
    assert sorted(tracklets) == ["a", "b"]


def test_adapt_says_what_is_missing(tmp_path):
    with pytest.raises(CheckpointError, match="no weights"):
        adapt(color_config(), [str(tmp_path)], tmp_path / "adapted")


def test_the_polynomial_schedule():
    """(1 - i / N) ** 0.9 after a linear warm-up that ends on it."""
    cfg = color_config()
    solver = cfg.SOLVER
    solver.LR_SCHEDULER_NAME, solver.MAX_ITER, solver.WARMUP_ITERS, solver.WARMUP_FACTOR = "WarmupPolyLR", 10, 2, 0.5
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    scheduler = build_scheduler(cfg, optimizer)
    assert isinstance(scheduler, LRMultiplier)
    rates = []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[0] == pytest.approx(1.0)
    assert rates[2:] == pytest.approx([2 * (1 - i / 10) ** 0.9 for i in range(2, 10)])


def test_records_of_folders_are_found_as_they_are_mined(tmp_path):
    """The name under which tracklets are stored is that of the record."""
    (record,) = find_videos(str(write_scenes(tmp_path, ["walk.one"], 2)))
    assert record["video_name"] == "walk.one"
