"""``train_net.py --eval-only`` on video data sets: it prints tables, and TEST.EXPECTED_RESULTS is held against them."""

import argparse

import numpy as np
import pytest
import tiny_posetrack_dataset
import tiny_video_dataset
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.structures import BitMasks, Boxes, Instances

from ictrack.engine.setup import train_or_evaluate
from ictrack.structures.joints import POSETRACK_15, POSETRACK_18, joint_indices

NAME = "tiny_eval_only"


@META_ARCH_REGISTRY.register()
class TrueVideoDetector(torch.nn.Module):
    """Finds what is in the frames of the tiny data sets."""

    def __init__(self, cfg):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))  # something for a checkpoint

    def forward(self, batch):
        return [{"instances": _poses(frame) if "_" in frame["video_name"] else _masks(frame)} for frame in batch]


def _masks(frame):
    truth = tiny_video_dataset.true_masks(frame["video_id"], frame["frame_index"])
    masks = BitMasks(torch.from_numpy(np.stack([mask for _, _, mask in truth])))
    instances = Instances((frame["height"], frame["width"]))
    instances.pred_boxes = masks.get_bounding_boxes()
    instances.scores = torch.tensor([0.9 - 0.1 * number for _, number, _ in truth])
    instances.pred_classes = torch.tensor([{4: 0, 9: 1}[category] for category, _, _ in truth])
    instances.pred_masks = masks.tensor
    return instances


def _poses(frame):
    truth = tiny_posetrack_dataset.true_poses(frame["video_name"], frame["frame_index"])
    joints = np.stack([joints for _, joints in truth])[:, joint_indices(POSETRACK_18.names, POSETRACK_15.names)]
    instances = Instances((frame["height"], frame["width"]))
    instances.pred_boxes = Boxes(torch.from_numpy(np.concatenate([joints.min(axis=1), joints.max(axis=1)], axis=1)))
    instances.scores = torch.full((len(truth),), 0.9)
    instances.pred_classes = torch.zeros(len(truth), dtype=torch.int64)
    instances.pred_keypoints = torch.from_numpy(np.concatenate([joints, np.full((*joints.shape[:2], 1), 0.9)], axis=2))
    return instances


@pytest.fixture(params=["youtube_vis", "posetrack"])
def options(request, tmp_path):
    write = {"youtube_vis": tiny_video_dataset, "posetrack": tiny_posetrack_dataset}[request.param]
    entry = [[NAME, request.param, *write.write_dataset(tmp_path / "data")]]
    classes = "['person', 'dog']" if request.param == "youtube_vis" else "['person']"
    yield [
        "MODEL.META_ARCHITECTURE", "TrueVideoDetector", "MODEL.DEVICE", "cpu", "DATASETS.TRAIN", "()",
        "MODEL.CLASSES", classes,
        "DATASETS.TEST", f"('{NAME}',)", "DATASETS.REGISTER", repr(entry), "INPUT.MIN_SIZE_TEST", "0",
        "DATALOADER.NUM_WORKERS", "0", "TRACKER_HEADS.TRACKER_NAME", "SpatialTracker", "MODEL.WEIGHTS", "",
        "OUTPUT_DIR", str(tmp_path / "out"),
    ]  # fmt: skip
    DatasetCatalog.remove(NAME)
    MetadataCatalog.remove(NAME)


def run(options, *extra):
    args = argparse.Namespace(config_file="", opts=[*options, *extra], eval_only=True, resume=False)
    return train_or_evaluate(args)


def test_tables_and_expected_results(options, tmp_path):
    task = "keypoints_video" if any("'posetrack'" in option for option in options) else "segm_video"
    results = run(options, "TEST.EXPECTED_RESULTS", f"[['{task}', 'AP', 100.0, 0.1]]")
    assert results[task]["AP"] == pytest.approx(100)
    text = (tmp_path / "out" / "log.txt").read_text()
    # The table's rows, and what Detectron2 prints of all that an evaluator returns.
    assert "\nHOTA " in text and "\nIDF1 " in text and "copypaste" in text
    with pytest.raises(SystemExit):
        run(options, "TEST.EXPECTED_RESULTS", f"[['{task}', 'AP', 50.0, 1.0]]")
