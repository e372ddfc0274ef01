"""Thresholds of the tracker, tuned on labeled videos of both tasks, and what they are written as."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tiny_posetrack_dataset
import tiny_video_dataset
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.structures import BitMasks, Boxes, Instances
from official_layouts import picture

from ictrack.command.main import main
from ictrack.data.datasets.local_split import write_local_split
from ictrack.data.datasets.youtube_vis import register_all_youtube_vis
from ictrack.engine.setup import load_config
from ictrack.structures.categories import YTVIS_2019_CATEGORIES
from ictrack.structures.joints import POSETRACK_15, POSETRACK_18, joint_indices
from ictrack.structures.rle import encode_mask

NAME = "tiny_tuned"
FALSE_SCORE = 0.25


@META_ARCH_REGISTRY.register()
class FoolishVideoDetector(torch.nn.Module):
    """What is in the frames of the tiny data sets, and in each frame something that is not, of a lower score."""

    def __init__(self, cfg):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.frames = 0

    def forward(self, batch):
        self.frames += len(batch)
        return [{"instances": _poses(frame) if "_" in frame["video_name"] else _masks(frame)} for frame in batch]


def _embeddings(numbers, frame):
    """An object's own direction; of the false detection one that is near the first object's."""
    rows = torch.nn.functional.one_hot(torch.tensor(numbers), 5).float()
    return torch.cat([rows, torch.nn.functional.one_hot(torch.tensor([4 - frame % 2]), 5).float() + 0.4 * rows[:1]])


def _masks(frame):
    truth = tiny_video_dataset.true_masks(frame["video_id"], frame["frame_index"])
    false = tiny_video_dataset.rectangle(2, 40, 9, 6)
    masks = BitMasks(torch.from_numpy(np.stack([*(mask for _, _, mask in truth), false])))
    return Instances(
        (frame["height"], frame["width"]),
        pred_boxes=masks.get_bounding_boxes(),
        scores=torch.tensor([*(0.9 - 0.1 * number for _, number, _ in truth), FALSE_SCORE]),
        pred_classes=torch.tensor([*({4: 0, 9: 1}[category] for category, _, _ in truth), 0]),
        pred_masks=masks.tensor,
        embeddings=_embeddings([number for _, number, _ in truth], frame["frame_index"]),
    )


def _poses(frame):
    """The true people, whose noses are far off and of a low score, and somebody who is not there."""
    truth = tiny_posetrack_dataset.true_poses(frame["video_name"], frame["frame_index"])
    joints = np.stack([*(joints for _, joints in truth), truth[0][1] + [40.0, 25.0]])
    joints = joints[:, joint_indices(POSETRACK_18.names, POSETRACK_15.names)]
    scores = np.full((*joints.shape[:2], 1), 0.9)
    nose = POSETRACK_15.index("nose")
    joints[:, nose] += 35.0
    scores[:, nose] = 0.15
    return Instances(
        (frame["height"], frame["width"]),
        pred_boxes=Boxes(torch.from_numpy(np.concatenate([joints.min(axis=1), joints.max(axis=1)], axis=1))),
        scores=torch.tensor([*[0.9] * len(truth), FALSE_SCORE]),
        pred_classes=torch.zeros(len(joints), dtype=torch.int64),
        pred_keypoints=torch.from_numpy(np.concatenate([joints, scores], axis=2)),
        embeddings=_embeddings([person for person, _ in truth], frame["frame_index"]),
    )


@pytest.fixture
def tool(tmp_path):
    weights = tmp_path / "weights.pth"
    torch.save({"model": {"weight": torch.zeros(1)}}, weights)
    made = []

    def make(task, labeled=True, classes=None):
        writer = {"masks": tiny_video_dataset, "poses": tiny_posetrack_dataset}[task]
        form = {"masks": "youtube_vis", "poses": "posetrack"}[task]
        rows = [[NAME, form, *writer.write_dataset(tmp_path / "data", labeled)]]
        config = tmp_path / "config.yaml"
        config.write_text(json.dumps({
            "MODEL": {"META_ARCHITECTURE": "FoolishVideoDetector", "DEVICE": "cpu", "WEIGHTS": str(weights),
                      "CLASSES": {"masks": ["person", "dog"], "poses": ["person"]}[task]},
            "DATASETS": {"TRAIN": [], "TEST": [], "REGISTER": rows},
            "INPUT": {"MIN_SIZE_TEST": 0}, "DATALOADER": {"NUM_WORKERS": 0},
        }))  # fmt: skip
        made.append(NAME)

        def run(metric, *options, dataset=NAME, output="tuned.yaml"):
            arguments = ["--config-file", str(config), "--dataset", dataset, "--metric", metric]
            path = tmp_path / output
            status = main(["tune", *arguments, "--output", str(path), *options])
            return status, load_config(str(path)) if status == 0 else None

        return run

    yield make
    for name in made:
        if name in DatasetCatalog:
            DatasetCatalog.remove(name)
            MetadataCatalog.remove(name)


@pytest.mark.parametrize("metric", ["IDF1", "AP"])
def test_masks(tool, metric, capsys):
    """The false detection is left out, as it costs; the file is a whole configuration and a base of others."""
    status, cfg = tool("masks")(metric)
    assert status == 0
    heads = cfg.TRACKER_HEADS
    assert metric == "AP" or max(heads.MIN_SCORE, heads.NEW_TRACK_SCORE) > FALSE_SCORE
    assert cfg.MODEL.META_ARCHITECTURE == "FoolishVideoDetector" and cfg.MODEL.WEIGHTS
    before, after = map(float, re.search(rf"{metric} (\S+) -> (\S+) \(", capsys.readouterr().out).groups())
    assert after >= before and after > 99


def test_one_choice_for_ap_and_one_for_mota(tool, tmp_path):
    """The noses are wrong: AP ranks them last, whatever their score, MOTA counts every one that is given."""
    run = tool("poses")
    mota, ap = run("MOTA", output="mota.yaml")[1], run("AP", output="ap.yaml")[1]
    assert pytest.approx(0.2) == mota.TEST.MIN_JOINT_SCORE and ap.TEST.MIN_JOINT_SCORE == 0
    assert max(mota.TRACKER_HEADS.MIN_SCORE, mota.TRACKER_HEADS.NEW_TRACK_SCORE) > FALSE_SCORE
    (tmp_path / "mine.yaml").write_text("_BASE_: mota.yaml\nTEST:\n  DETECTIONS_PER_IMAGE: 7\n")
    mine = load_config(str(tmp_path / "mine.yaml"))
    assert mine.TEST.MIN_JOINT_SCORE == mota.TEST.MIN_JOINT_SCORE and mine.TEST.DETECTIONS_PER_IMAGE == 7


def test_the_spatial_tracker_has_its_own_key(tool):
    _, cfg = tool("masks")("IDF1", "TRACKER_HEADS.TRACKER_NAME", "SpatialTracker")
    assert cfg.TRACKER_HEADS.EMBEDDING.SCALE == load_config().TRACKER_HEADS.EMBEDDING.SCALE


@pytest.mark.parametrize(
    ("task", "metric", "options", "labeled", "message"),
    [
        ("masks", "MOTA", [], True, "can be tuned for AP, HOTA, IDF1, not for MOTA"),
        ("masks", "AP", [], False, "has no labels to tune on"),
        ("poses", "AP", [], False, "has no labels to tune on"),
        (
            "masks",
            "AP",
            ["TRACKER_HEADS.TRACKER_NAME", "BBoxIOUTracker"],
            True,
            "no thresholds to tune",
        ),
        ("masks", "AP", ["MODEL.WEIGHTS", ""], True, "no weights"),
    ],
)
def test_what_cannot_be_tuned_is_said_in_one_line(tool, capsys, task, metric, options, labeled, message):
    status, _ = tool(task, labeled)(metric, *options)
    said = capsys.readouterr().err.splitlines()[
        -1
    ]  # above it, what the log could not write to an earlier test's stream
    assert status == 1 and said.startswith("error: ") and message in said


def test_unknown_data_set(tool, capsys):
    assert tool("masks")("AP", dataset="nowhere")[0] == 1
    assert "nowhere is not a registered data set" in capsys.readouterr().err


def test_the_local_split_has_a_name(tmp_path):
    """Made by the tool, named in DATASETS, with the frames of the training set."""
    root = tmp_path / "ytvis_2019"
    rle = encode_mask(np.ones((64, 96), dtype=bool))
    videos = [
        {"id": i, "height": 64, "width": 96, "length": 1, "file_names": [f"{i:010x}/00000.jpg"]} for i in range(1, 41)
    ]
    tracks = [
        {"id": i, "video_id": i, "category_id": 1, "iscrowd": 0, "segmentations": [rle], "areas": [24]}
        for i in range(1, 41)
    ]
    categories = [{"id": i, "name": name} for i, name in enumerate(YTVIS_2019_CATEGORIES, 1)]
    root.mkdir()
    (root / "train.json").write_text(json.dumps({"videos": videos, "categories": categories, "annotations": tracks}))
    write_local_split(root / "train.json", root / "local.json", 0.1)
    for video in videos:
        picture(root / "train" / "JPEGImages" / video["file_names"][0], 0)
    name = "ytvis_2019_local"
    known = (DatasetCatalog.pop(name), MetadataCatalog.pop(name))
    try:
        register_all_youtube_vis(str(tmp_path))
        records = DatasetCatalog.get(name)
        assert 0 < len(records) < 10 and all(Path(record["file_names"][0]).is_file() for record in records)
        assert len(MetadataCatalog.get(name).thing_classes) == 19
    finally:
        DatasetCatalog.pop(name), MetadataCatalog.pop(name)
        DatasetCatalog.register(name, known[0])
        MetadataCatalog[name] = known[1]
