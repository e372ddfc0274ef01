"""A small pose detector with keypoint embeddings, through the trainer: it trains, saves, and its people are tracked."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from detectron2.data import MetadataCatalog

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.engine.mine_tracklets import mining_config
from ictrack.engine.setup import load_config
from ictrack.engine.trainer import ICTrackTrainer
from ictrack.engine.video_tracker import VideoTracker
from ictrack.structures.joints import POSETRACK_18

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "PoseTrack"
SMALL = [
    "MODEL.DEVICE", "cpu", "MODEL.WEIGHTS", "", "MODEL.HRNET.WEIGHTS", "", "MODEL.HRNET.WIDTH", "8",
    "MODEL.HRNET.NUM_MODULES", "[1,1,1,1]", "MODEL.HRNET.NUM_BLOCKS", "[1,1,1,1]", "MODEL.HRNET.STAGE1_WIDTH", "16",
    "MODEL.HRNET.FPN_CHANNELS", "32", "MODEL.POINT_SET_ANCHOR.NUM_CONVS", "1", "MODEL.POINT_SET_ANCHOR.CONV_DIM", "32",
    "MODEL.POINT_SET_ANCHOR.HEATMAP_CONV_DIM", "16", "MODEL.POINT_SET_ANCHOR.SCORE_THRESH_TEST", "0.0",
    "MODEL.EMBEDDING.CONV_DIM", "32", "MODEL.EMBEDDING.DIM", "16", "INPUT.CROP_SIZE", "[96,96]",
    "INPUT.MIN_SIZE_TEST", "96", "SOLVER.IMS_PER_BATCH", "2", "SOLVER.REFERENCE_WORLD_SIZE", "0",
    "DATALOADER.NUM_WORKERS", "0", "SOLVER.MAX_ITER", "2", "SOLVER.STEPS", "()", "TEST.EVAL_PERIOD", "0",
    "TEST.DETECTIONS_PER_IMAGE", "5", "TRACKER_HEADS.MIN_SCORE", "0.0", "TRACKER_HEADS.NEW_TRACK_SCORE", "0.0",
]  # fmt: skip


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Two images with two stick-less people each, as COCO keypoints and as MPII; the folder of both."""
    root = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    coco = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "person"}]}
    mpii = []
    for image_id in range(2):
        name = f"{image_id}.png"
        cv2.imwrite(str(root / name), rng.integers(0, 255, (90, 120, 3), dtype=np.uint8))
        coco["images"].append({"id": image_id, "file_name": name, "height": 90, "width": 120})
        for place in ((10, 10), (65, 15)):
            joints = (rng.uniform(0, 1, (17, 2)) * [40, 60] + place).round().astype(int)
            keypoints = np.c_[joints, rng.integers(1, 3, 17)].ravel().tolist()
            coco["annotations"].append(
                {"id": len(coco["annotations"]) + 1, "image_id": image_id, "category_id": 1, "iscrowd": 0, "area": 2400,
                 "bbox": [*place, 40, 60], "keypoints": keypoints, "num_keypoints": 17}
            )  # fmt: skip
            mpii.append({"image": name, "joints": joints[:16].tolist(), "joints_vis": [1] * 16})
    (root / "coco.json").write_text(json.dumps(coco))
    (root / "mpii.json").write_text(json.dumps(mpii))
    return root


def train(config, people, output, entry, *options):
    entries = repr([[entry[0], entry[1], str(people / entry[2]), str(people)]])
    data = ["DATASETS.REGISTER", entries, "DATASETS.TRAIN", f"('{entry[0]}',)", "DATASETS.TEST", "()"]
    repeat = ["DATASETS.TRAIN_REPEAT_FACTOR", "[]", "OUTPUT_DIR", str(output)]
    cfg = load_config(str(CONFIGS / config), [*SMALL, *data, *repeat, *options])
    register_configured_datasets(cfg)
    trainer = ICTrackTrainer(cfg)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.resume_or_load(resume=False)
    trainer.train()
    return cfg, trainer, before


def last_losses(output):
    (line,) = [json.loads(x) for x in (output / "metrics.json").read_text().splitlines() if "loss_heatmap" in x][-1:]
    losses = {key: value for key, value in line.items() if key.startswith("loss_")}
    assert all(math.isfinite(value) for value in losses.values())
    return losses


JOINT_AND_PERSON = {
    f"loss_embed_{who}_{term}" for who in ("joint", "person") for term in ("center", "contrast", "entropy")
}


def test_first_stage_trains_and_tracks(people, tmp_path):
    cfg, trainer, before = train(
        "stage1_coco_hrnet_w48.yaml", people, tmp_path, ("p_coco", "coco_keypoints", "coco.json")
    )
    assert type(trainer._trainer.optimizer) is torch.optim.Adam
    losses = last_losses(tmp_path)
    assert set(losses) >= JOINT_AND_PERSON | {"loss_class_stage0", "loss_keypoint_stage1", "loss_offset"}
    after = trainer.model.state_dict()
    for name in ("embedding_head.map.encoder.0.weight", "backbone.reduction.weight"):
        assert not torch.equal(before[name], after[name]), name

    cfg.defrost()
    cfg.MODEL.WEIGHTS = str(tmp_path / "model_final.pth")
    tracker = VideoTracker.from_config(cfg)
    (tmp_path / "frames").mkdir()
    for t in range(3):
        cv2.imwrite(str(tmp_path / "frames" / f"{t}.png"), cv2.imread(str(people / "0.png")))
    ids = []
    for _, tracked in tracker.run(tmp_path / "frames"):
        assert tracked.pred_keypoints.shape[1:] == (17, 3) and tracked.embeddings.shape[1:] == (16,)
        assert tracked.embeddings.isfinite().all()
        ids.append(tracked.ID.tolist())
    assert ids[0] and len(set(ids[0])) == len(ids[0])
    assert tracker.joints is not None and tracker.joints.name == "COCO"


def test_second_stage_trains_in_the_joints_of_posetrack(people, tmp_path):
    entry = ("p_mpii", "mpii", "mpii.json")
    _, trainer, _ = train("stage2_mpii.yaml", people, tmp_path, entry, "MODEL.EMBEDDING.KEYPOINT.SIMILARITY", "joints")
    assert set(last_losses(tmp_path)) >= JOINT_AND_PERSON
    assert tuple(MetadataCatalog.get("p_mpii").keypoint_names) == POSETRACK_18.names
    model = trainer.model.eval()
    with torch.no_grad():
        (output,) = model([{"image": torch.zeros(3, 96, 128, dtype=torch.uint8)}])
    embeddings = output["instances"].embeddings
    ears = [POSETRACK_18.index("left_ear"), POSETRACK_18.index("right_ear")]
    assert embeddings.shape[1:] == (17, 16) and not embeddings[:, ears].any()


def test_associative_embedding_trains(people, tmp_path):
    options = ("MODEL.EMBEDDING.KEYPOINT.OBJECTIVE", "scalar_tags")
    entry = ("p_tags", "coco_keypoints", "coco.json")
    _, trainer, _ = train("stage1_coco_hrnet_w48.yaml", people, tmp_path, entry, *options)
    losses = last_losses(tmp_path)
    assert set(losses) >= {"loss_embed_pull", "loss_embed_push"} and not JOINT_AND_PERSON & set(losses)
    SafeCheckpointer(trainer.model).load(str(tmp_path / "model_final.pth"))


def test_joints_that_nobody_labels_do_not_train_their_heatmaps(people):
    cfg = load_config(str(CONFIGS / "stage2_mpii.yaml"), SMALL)
    torch.manual_seed(0)
    model = ICTrackTrainer.build_model(cfg).train()
    heatmaps = torch.full((1, 17, 8, 8), 0.3, requires_grad=True)
    offsets = torch.zeros(1, 17, 2, 8, 8)
    annotated = torch.ones(1, 17, dtype=torch.bool)
    annotated[0, [0, 3, 4]] = False
    losses = model.losses.heatmap(heatmaps, offsets, [torch.zeros(0, 17, 3)], annotated)
    losses["heatmap"].backward()
    trained = heatmaps.grad.abs().sum(dim=(0, 2, 3)) > 0
    assert trained.tolist() == annotated[0].tolist()


@pytest.mark.parametrize(
    "stage", ["stage2_mpii.yaml", "stage3_posetrack_video.yaml", "stage3_posetrack_correspondence.yaml"]
)
def test_sigmas_of_the_configurations_are_those_of_their_joints(stage):
    cfg = load_config(str(CONFIGS / stage))
    assert list(cfg.TEST.KEYPOINT_OKS_SIGMAS) == list(POSETRACK_18.sigmas)
    assert cfg.MODEL.POINT_SET_ANCHOR.JOINT_SET == "PoseTrack18"


def test_the_stages_of_the_baseline_are_the_papers_with_tags():
    """A file of the baseline differs from the stage that it is the baseline of in tags and tracker alone; the third
    mines tracklets by the distance of tags."""
    similarities = []
    for stage in ("stage1_coco_hrnet_w48", "stage2_mpii", "stage3_posetrack_video"):
        ours, baseline = (load_config(str(CONFIGS / f"{stage}{suffix}.yaml")) for suffix in ("", "_ae"))
        assert baseline.MODEL.EMBEDDING.KEYPOINT.OBJECTIVE == "scalar_tags"
        similarities.append(baseline.TRACKER_HEADS.EMBEDDING.SIMILARITY)
        for group in ("SOLVER", "INPUT", "DATASETS"):
            assert baseline[group] == ours[group]
    assert similarities == ["distance", "distance", "distance_and_cosine"]
    mining = mining_config(baseline).TRACKER_HEADS.EMBEDDING
    assert mining.SIMILARITY == "distance" and mining.NEW_OBJECT_COSINE < 0
