"""Stage B beside a pose detector: poses are mined from unlabeled video, and the video head learns from them."""

import json
import math

import pytest
import torch
from color_model import save_weights, write_scenes
from detectron2.data import DatasetCatalog, MetadataCatalog
from tiny_pose_model import pose_config

from ictrack.checkpoint.weights_file import load_weights_file
from ictrack.data.datasets.unlabeled_videos import register_unlabeled_videos
from ictrack.data.tracklet_shapes import tracklet_shapes
from ictrack.data.tracklets import read_tracklets
from ictrack.engine import mine_tracklets
from ictrack.engine.adaptation import adapt
from ictrack.engine.mine_tracklets import with_tracklets
from ictrack.engine.trainer import ICTrackTrainer
from ictrack.engine.video_tracker import VideoTracker

NAME = "pose_video_stage_test_videos"


@pytest.fixture
def stage(tmp_path):
    """An untrained detector, which finds two people of little score in each frame."""
    folder = write_scenes(tmp_path / "videos", ["a", "b"], 6)
    register_unlabeled_videos(NAME, str(folder))
    cfg = pose_config(OBJECTIVE="tracklet", HEALTH_PERIOD=2, HEALTH_VIDEOS=2)
    cfg.MODEL.EMBEDDING.KEYPOINT.MIN_JOINT_SCORE = 0.0
    cfg.MODEL.EMBEDDING.NORMALIZE = True
    tracklet = cfg.MODEL.VIDEO_EMBEDDING.TRACKLET
    tracklet.MIN_SCORE, tracklet.NEW_OBJECT_COSINE, tracklet.MIN_LENGTH = 0.0, -1.0, 2
    cfg.MODEL.WEIGHTS = str(save_weights(pose_config(ENABLED=False), tmp_path / "image_stage.pth"))
    cfg.OUTPUT_DIR = str(tmp_path / "output")
    cfg.DATASETS.TRAIN, cfg.DATASETS.TEST, cfg.DATASETS.UNLABELED = (), (), (NAME,)
    cfg.INPUT.MIN_SIZE_TEST, cfg.TEST.DETECTIONS_PER_IMAGE = 0, 2
    cfg.INPUT.UNLABELED.NUM_FRAMES, cfg.INPUT.UNLABELED.SIZE, cfg.SEED = 3, [64, 96], 1
    cfg.DATALOADER.NUM_WORKERS = 0
    cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.MAX_ITER, cfg.SOLVER.REFERENCE_WORLD_SIZE = 2, 2, 0
    (tmp_path / "output").mkdir()
    yield cfg
    for catalog in (DatasetCatalog, MetadataCatalog):
        catalog.remove(NAME)


def test_mined_tracklets_are_the_detected_poses(stage, tmp_path, monkeypatch):
    cfg = with_tracklets(stage)
    tracklets = read_tracklets(cfg.DATASETS.UNLABELED_TRACKLETS, tracklet_shapes(cfg))
    assert sorted(tracklets) == ["a", "b"] and tracklets["a"].size == (64, 96)
    assert [len(tracklets["a"].frames[index]) for index in range(6)] == [2] * 6
    frames = VideoTracker.from_config(mine_tracklets.mining_config(cfg)).run(str(tmp_path / "videos" / "a"))
    for index, (_, found) in enumerate(frames):
        mined = dict(tracklets["a"].frames[index])
        in_order = torch.tensor([mined[key].tolist() for key in sorted(mined)])
        expected = found.pred_keypoints[found.ID.argsort()].double()
        torch.testing.assert_close(in_order.double(), expected, atol=6e-4, rtol=0)

    monkeypatch.setattr(mine_tracklets, "mine", lambda *_: pytest.fail("mined twice"))
    with_tracklets(stage)


@pytest.mark.parametrize("objective", ["tracklet", "instance_walk"])
def test_the_video_head_learns_from_them(stage, tmp_path, objective):
    stage.MODEL.VIDEO_EMBEDDING.OBJECTIVE = objective
    trainer = ICTrackTrainer(with_tracklets(stage))
    trainer.resume_or_load(resume=False)
    start = {name: x.clone() for name, x in trainer.model.state_dict().items()}
    trainer.train()
    lines = [json.loads(line) for line in (tmp_path / "output" / "metrics.json").read_text().splitlines()]
    losses = [line["total_loss"] for line in lines if "total_loss" in line]  # there is but one
    assert losses and all(math.isfinite(loss) and loss > 0 for loss in losses)
    after = load_weights_file(tmp_path / "output" / "model_final.pth")["model"]
    changed = {name for name, x in start.items() if not torch.equal(after[name], x)}
    assert changed and all(name.startswith("embedding_head.video_head.") for name in changed)


def test_adapt_measures_people(stage, tmp_path):
    stage.MODEL.VIDEO_EMBEDDING.ENABLED = False
    stage.ADAPT.OBJECTIVE = "tracklet"
    stage.ADAPT.ITERATIONS, stage.ADAPT.CLIPS_PER_BATCH, stage.ADAPT.NUM_FRAMES, stage.ADAPT.MEASURED_PAIRS = 2, 2, 3, 2
    result = adapt(stage, [str(tmp_path / "videos")], tmp_path / "adapted")
    assert result.before["image"] == result.after["image"] and result.before["video"] != result.after["video"]
    assert all(0 <= figures["instance_retrieval"] <= 1 for figures in result.after.values())


def test_the_video_head_learns_beside_scalar_tags(stage, tmp_path):
    """Mined by the distance of tags, learnt from, and tracked by tags and vectors together."""
    tags = pose_config(ENABLED=False)
    for cfg in (tags, stage):
        cfg.MODEL.EMBEDDING.KEYPOINT.OBJECTIVE, cfg.MODEL.EMBEDDING.KEYPOINT.SIMILARITY = "scalar_tags", "joints"
    stage.MODEL.WEIGHTS = str(save_weights(tags, tmp_path / "image_stage.pth"))
    stage.MODEL.VIDEO_EMBEDDING.HEAD_OPTIONS = ["KEYPOINT.OBJECTIVE", "instance_contrastive"]
    stage.TRACKER_HEADS.EMBEDDING.SIMILARITY = "distance_and_cosine"
    trainer = ICTrackTrainer(with_tracklets(stage))
    trainer.resume_or_load(resume=False)
    trainer.train()
    stage.MODEL.WEIGHTS = str(tmp_path / "output" / "model_final.pth")
    stage.TRACKER_HEADS.MIN_SCORE = stage.TRACKER_HEADS.NEW_TRACK_SCORE = 0.0
    frames = [found for _, found in VideoTracker.from_config(stage).run(str(tmp_path / "videos" / "a"))]
    assert len(frames) == 6 and all(len(found.ID) == 2 for found in frames)
