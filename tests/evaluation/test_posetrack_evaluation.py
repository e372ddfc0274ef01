"""The whole road of pose evaluation: loader, a model that sees single frames, tracker, submission, score."""

import json

import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.evaluation import inference_on_dataset, print_csv_format, verify_results
from detectron2.structures import Boxes, Instances
from detectron2.tracking import BaseTracker
from detectron2.utils import comm
from tiny_posetrack_dataset import HEIGHT, LENGTHS, WIDTH, true_poses, write_dataset

from ictrack import add_ictrack_config
from ictrack.data import build_video_test_loader
from ictrack.data.datasets import register_posetrack
from ictrack.evaluation import PoseTrackEvaluator
from ictrack.evaluation.submission import validate_posetrack
from ictrack.structures.joints import COCO_17, POSETRACK_15, POSETRACK_18, joint_indices

NAME = "tiny_pose_evaluation"


class TrueDetector(torch.nn.Module):
    """Finds every person of a frame, in an order that changes, with the joints of a set."""

    def __init__(self, joints=POSETRACK_15, classes=(0, 0), score=0.9):
        super().__init__()
        self.joints, self.classes, self.score = joints, classes, score

    def forward(self, batch):
        return [{"instances": self.detect(frame)} for frame in batch]

    def detect(self, frame):
        people = true_poses(frame["video_name"], frame["frame_index"])[:: -1 if frame["frame_index"] % 2 else 1]
        columns = joint_indices(POSETRACK_18.names, self.joints.names)
        joints = np.stack([joints for _, joints in people])
        # Joints that the ground truth does not have are where the nose is.
        joints = np.where(np.array(columns)[:, None] >= 0, joints[:, columns], joints[:, :1])
        keypoints = np.concatenate([joints, np.full((*joints.shape[:2], 1), self.score)], axis=2)
        instances = Instances((frame["height"], frame["width"]))
        instances.pred_boxes = Boxes(torch.from_numpy(np.concatenate([joints.min(axis=1), joints.max(axis=1)], axis=1)))
        instances.scores = torch.full((len(people),), 0.9)
        instances.pred_classes = torch.tensor([self.classes[person] for person, _ in people])
        instances.pred_keypoints = torch.from_numpy(keypoints).float()
        instances.number = torch.tensor([person for person, _ in people])
        return instances


class OracleTracker(BaseTracker):
    """Identities from the detector's numbers, offset so that they are not the ground truth's; swaps on demand."""

    swap_from = None

    def __init__(self, height, width):
        super().__init__()
        assert (height, width) == (HEIGHT, WIDTH)
        self.frame = 0

    def update(self, instances):
        numbers = instances.number if len(instances) else torch.zeros(0, dtype=torch.int64)
        swap = self.swap_from is not None and self.frame >= self.swap_from
        instances.ID = 40 + (1 - numbers if swap else numbers)
        self.frame += 1
        return instances


@pytest.fixture
def cfg():
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.INPUT.MIN_SIZE_TEST = 0
    cfg.DATALOADER.NUM_WORKERS = 0
    cfg.DATASETS.TRAIN = ()
    return cfg


@pytest.fixture(params=[True])
def dataset(request, tmp_path):
    folder, root = write_dataset(tmp_path / "data", labeled=request.param)
    register_posetrack(NAME, folder, root)
    yield folder
    DatasetCatalog.remove(NAME)
    MetadataCatalog.remove(NAME)


@pytest.fixture(autouse=True)
def fresh_oracle():
    OracleTracker.swap_from = None


def run(cfg, evaluator, model=None):
    return inference_on_dataset(model or TrueDetector(), build_video_test_loader(cfg, NAME), evaluator)


def evaluate(cfg, tmp_path, model=None, **options):
    return run(cfg, PoseTrackEvaluator(NAME, OracleTracker, str(tmp_path), **options), model)


def test_perfect_poses(cfg, dataset, tmp_path):
    results = evaluate(cfg, tmp_path)
    # The strict protocol counts the last frame, too, but finds nothing wrong with it.
    assert results["keypoints_video"]["AP"] == pytest.approx(100)
    assert results["keypoints_video"]["AP-neck"] == pytest.approx(100)
    tracking = results["keypoints_tracking"]
    assert [tracking[key] for key in ("MOTA", "MOTP", "HOTA", "IDF1", "IDSW")] == pytest.approx([100, 100, 100, 100, 0])
    print_csv_format(results)
    cfg.TEST.EXPECTED_RESULTS = [["keypoints_video", "AP", 100.0, 0.1], ["keypoints_tracking", "MOTA", 100.0, 0.1]]
    assert verify_results(cfg, results)


def test_the_folder_is_a_valid_submission(cfg, dataset, tmp_path):
    evaluate(cfg, tmp_path)
    assert sorted(path.name for path in (tmp_path / NAME).iterdir()) == sorted(f"{name}.json" for name in LENGTHS)
    assert list(validate_posetrack(dataset, tmp_path / NAME)) == []
    written = json.loads((tmp_path / NAME / "000001_mpii_test.json").read_text())
    assert len(written["images"]) == 3 and len(written["annotations"]) == 5
    assert len(written["categories"][0]["keypoints"]) == 17


def test_swapped_identities_cost_tracks_and_not_poses(cfg, dataset, tmp_path):
    OracleTracker.swap_from = 2
    results = evaluate(cfg, tmp_path)
    assert results["keypoints_video"]["AP"] == pytest.approx(100)
    # Two people in each of two sequences change once; frame 1 of each has one person.
    assert results["keypoints_tracking"]["IDSW"] == 4
    assert results["keypoints_tracking"]["IDF1"] < 100
    # Of 12 people 4 are switched; the official protocol does not see the last frames, where all 2 of the shorter
    # sequence are.
    assert results["keypoints_tracking_strict"]["MOTA"] == pytest.approx(100 * (1 - 4 / 12))
    assert results["keypoints_tracking"]["MOTA"] == pytest.approx(100 * (1 - 2 / 8))


def test_joints_of_coco_are_converted(cfg, dataset, tmp_path):
    results = evaluate(cfg, tmp_path, TrueDetector(COCO_17))
    assert results["keypoints_video"]["AP-left_knee"] == pytest.approx(100)
    # The neck is the middle of the shoulders, which the made-up pose does not have there.
    assert results["keypoints_video"]["AP-neck"] < 100


def test_joints_and_class_by_the_training_set(cfg, dataset, tmp_path):
    cfg.DATASETS.TRAIN = ("tiny_pose_training",)
    cfg.TRACKER_HEADS.TRACKER_NAME = "SpatialTracker"
    metadata = MetadataCatalog.get("tiny_pose_training")
    metadata.set(thing_classes=["dog", "person"], keypoint_names=list(POSETRACK_18.names))
    try:
        model = TrueDetector(POSETRACK_18, classes=(1, 0))  # the second person is a dog
        results = run(cfg, PoseTrackEvaluator(NAME, cfg, str(tmp_path)), model)
        assert results["keypoints_tracking"]["IDSW"] == 0
        written = json.loads((tmp_path / NAME / "000001_mpii_test.json").read_text())
        assert len(written["annotations"]) == 3
        cfg.MODEL.CLASSES = ["dog", "cat"]
        with pytest.raises(ValueError, match=r"classes \(dog, cat\) have no person; see MODEL\.CLASSES"):
            PoseTrackEvaluator(NAME, cfg, str(tmp_path))
        cfg.MODEL.CLASSES = ["person", "dog"]
        run(cfg, PoseTrackEvaluator(NAME, cfg, str(tmp_path)), TrueDetector(POSETRACK_18, classes=(1, 0)))
        written = json.loads((tmp_path / NAME / "000001_mpii_test.json").read_text())
        assert len(written["annotations"]) == 2  # the second person, who is away in one frame
        metadata.keypoint_names.append("tail")
        with pytest.raises(ValueError, match="tiny_pose_training: its joints are those of no known data set"):
            PoseTrackEvaluator(NAME, cfg, str(tmp_path))
    finally:
        MetadataCatalog.remove("tiny_pose_training")


def test_joints_below_the_threshold_are_left_out(cfg, dataset, tmp_path):
    results = evaluate(cfg, tmp_path, TrueDetector(score=0.3), min_joint_score=0.4)
    assert results["keypoints_video"]["AP"] == 0
    for path in (tmp_path / NAME).iterdir():
        assert json.loads(path.read_text())["annotations"] == []


@pytest.mark.parametrize("dataset", [False], indirect=True)
def test_without_annotations_results_are_only_written(cfg, dataset, tmp_path):
    assert evaluate(cfg, tmp_path) == {}
    assert len(list((tmp_path / NAME).iterdir())) == len(LENGTHS)


def test_files_of_an_earlier_evaluation_are_gone(cfg, dataset, tmp_path):
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "000009_mpii_test.json").write_text("{}")
    evaluator = PoseTrackEvaluator(NAME, OracleTracker, str(tmp_path))
    assert str(run(cfg, evaluator)) == str(run(cfg, evaluator))
    assert len(list((tmp_path / NAME).iterdir())) == len(LENGTHS)


def feed(evaluator, frame_index, change=lambda instances: None):
    frame = {"video_id": 0, "video_name": "000001_mpii_test", "frame_index": frame_index, "video_length": 3,
             "height": HEIGHT, "width": WIDTH}  # fmt: skip
    instances = TrueDetector().detect(frame)
    change(instances)
    evaluator.process([frame], [{"instances": instances}])


def test_what_cannot_be_evaluated_is_an_error(dataset, tmp_path):
    evaluator = PoseTrackEvaluator(NAME, OracleTracker, str(tmp_path))
    evaluator.reset()
    with pytest.raises(ValueError, match="frame 0 of video 0: detections have no pred_keypoints"):
        feed(evaluator, 0, lambda instances: instances.remove("pred_keypoints"))

    def cut(instances):
        instances.pred_keypoints = instances.pred_keypoints[:, :11]

    evaluator.reset()
    with pytest.raises(ValueError, match="pred_keypoints: poses have 11 joints: say which"):
        feed(evaluator, 0, cut)
    evaluator.reset()
    feed(evaluator, 0)
    with pytest.raises(ValueError, match="out of order"):
        feed(evaluator, 2)


@pytest.mark.parametrize("processes", [2, 5])  # unequal shares, and empty ones
def test_processes_share_the_sequences_and_give_the_same_folder(cfg, dataset, tmp_path, processes):
    single = evaluate(cfg, tmp_path / "one")
    torch.multiprocessing.start_processes(
        _worker, (processes, str(tmp_path / "store"), cfg, str(tmp_path / "two")), nprocs=processes, start_method="fork"
    )
    for path in (tmp_path / "one" / NAME).iterdir():
        assert path.read_bytes() == (tmp_path / "two" / NAME / path.name).read_bytes()
    assert (tmp_path / "two" / "scores0").read_text() == json.dumps(single)
    assert {(tmp_path / "two" / f"scores{rank}").read_text() for rank in range(1, processes)} == {"{}"}


def _worker(rank, world_size, store, cfg, output_dir):
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world_size)
    assert comm.get_world_size() == world_size
    scores = evaluate(cfg, output_dir)
    with open(f"{output_dir}/scores{rank}", "w") as file:
        json.dump(scores, file)
    torch.distributed.destroy_process_group()
