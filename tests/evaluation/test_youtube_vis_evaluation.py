"""The whole road of evaluation: loader, a model that sees single frames, tracker, evaluator."""

import json
import math

import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.evaluation import inference_on_dataset, print_csv_format, verify_results
from detectron2.structures import BitMasks, Instances
from detectron2.tracking import BaseTracker
from detectron2.utils import comm
from tiny_video_dataset import HEIGHT, LENGTHS, WIDTH, ground_truth, true_masks, write_dataset

from ictrack import add_ictrack_config
from ictrack.data import build_video_test_loader
from ictrack.data.datasets import register_youtube_vis
from ictrack.evaluation import YouTubeVISEvaluator
from ictrack.evaluation.submission import read_results

NAME = "tiny_evaluation"


class TrueDetector(torch.nn.Module):
    """Finds every object of a frame, in an order that changes, with the contiguous classes of ``classes``."""

    def __init__(self, classes=None):
        super().__init__()
        self.classes = classes or {4: 0, 9: 1}

    def forward(self, batch):
        return [{"instances": self.detect(frame)} for frame in batch]

    def detect(self, frame):
        truth = true_masks(frame["video_id"], frame["frame_index"])
        truth = truth[:: -1 if frame["frame_index"] % 2 else 1]
        masks = BitMasks(torch.from_numpy(np.stack([mask for _, _, mask in truth])))
        instances = Instances((frame["height"], frame["width"]))
        instances.pred_boxes = masks.get_bounding_boxes()
        instances.scores = torch.tensor([0.9 - 0.1 * number for _, number, _ in truth])
        instances.pred_classes = torch.tensor([self.classes[category] for category, _, _ in truth])
        instances.pred_masks = masks.tensor
        instances.number = torch.tensor([number for _, number, _ in truth])
        return instances


class OracleTracker(BaseTracker):
    """Identities from the detector's object numbers; counts how many were made, and swaps the dogs on demand."""

    made = 0
    swap_from = None

    def __init__(self, height, width):
        super().__init__()
        assert (height, width) == (HEIGHT, WIDTH)
        type(self).made += 1
        self.frame = 0

    def update(self, instances):
        swap = self.swap_from is not None and self.frame >= self.swap_from
        instances.ID = torch.tensor([{0: 1, 1: 0}.get(n, n) if swap else n for n in instances.number.tolist()])
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
    register_youtube_vis(NAME, *write_dataset(tmp_path, labeled=request.param))
    yield NAME
    DatasetCatalog.remove(NAME)
    MetadataCatalog.remove(NAME)


@pytest.fixture(autouse=True)
def fresh_oracle():
    OracleTracker.made, OracleTracker.swap_from = 0, None


def run(cfg, evaluator, model=None):
    return inference_on_dataset(model or TrueDetector(), build_video_test_loader(cfg, NAME), evaluator)


def test_perfect_tracks(cfg, dataset, tmp_path, caplog):
    results = run(cfg, YouTubeVISEvaluator(NAME, OracleTracker, str(tmp_path)))
    assert OracleTracker.made == len(LENGTHS)
    assert list(results) == [
        "segm_video",
        "association",
        "segm_video_class_agnostic",
        "association_class_agnostic",
    ]
    for task in ("segm_video", "segm_video_class_agnostic"):
        assert results[task]["AP"] == pytest.approx(100)
        assert math.isnan(results[task]["APl"])
    assert results["segm_video"]["AP-dog"] == pytest.approx(100)
    # Two dogs a video, one track allowed.
    assert results["segm_video"]["AR1"] == pytest.approx((100 + 50) / 2)
    for task in ("association", "association_class_agnostic"):
        assert (results[task]["IDF1"], results[task]["MOTA"], results[task]["IDSW"]) == (100, 100, 0)
    with open(tmp_path / NAME / "results.json") as file:
        assert len(json.load(file)) == 3 * len(LENGTHS)
    print_csv_format(results)
    cfg.TEST.EXPECTED_RESULTS = [["segm_video", "AP", 100.0, 0.1], ["association", "IDSW", 0, 0.1]]
    assert verify_results(cfg, results)


def test_swapped_identities_cost_tracks_and_not_detections(cfg, dataset, tmp_path):
    OracleTracker.swap_from = 2
    results = run(cfg, YouTubeVISEvaluator(NAME, OracleTracker, str(tmp_path)))
    # Each video has frames from the third on: both dogs change identity once.
    assert results["association"]["IDSW"] == 2 * len(LENGTHS)
    assert results["association"]["MOTA"] < 100
    assert results["association"]["MOTP"] == pytest.approx(100)
    assert results["segm_video"]["AP-dog"] < 50
    assert results["segm_video"]["AP-person"] == pytest.approx(100)


def test_a_configured_tracker(cfg, dataset, tmp_path):
    cfg.MODEL.CLASSES = ["person", "dog"]
    cfg.TRACKER_HEADS.TRACKER_NAME = "SpatialTracker"
    results = run(cfg, YouTubeVISEvaluator(NAME, cfg, str(tmp_path)))
    # The objects move slowly and are far apart: mask overlap is enough, but for the person's gaps.
    assert results["segm_video"]["AP-dog"] == pytest.approx(100)
    assert results["association_class_agnostic"]["IDSW"] == 0


def test_a_second_evaluation_starts_afresh(cfg, dataset, tmp_path):
    evaluator = YouTubeVISEvaluator(NAME, OracleTracker, str(tmp_path))
    assert str(run(cfg, evaluator)) == str(run(cfg, evaluator))
    assert OracleTracker.made == 2 * len(LENGTHS)


@pytest.mark.parametrize("dataset", [False], indirect=True)
def test_without_annotations_results_are_only_written(cfg, dataset, tmp_path):
    assert run(cfg, YouTubeVISEvaluator(NAME, OracleTracker, str(tmp_path))) == {}
    results = read_results(tmp_path / NAME / "results.json", ground_truth())
    assert {result["category_id"] for result in results} == {4, 9}
    assert [result["video_id"] for result in results[::3]] == list(LENGTHS)


def test_class_map_drops_and_counts(cfg, dataset, tmp_path, caplog):
    model = TrueDetector(classes={4: 50, 9: 7})
    results = run(cfg, YouTubeVISEvaluator(NAME, OracleTracker, str(tmp_path), class_map={7: 1, 3: 0}), model)
    assert results["segm_video"]["AP-dog"] == pytest.approx(100)
    assert results["segm_video"]["AP-person"] == 0
    num_persons = sum(len(true_masks(video, frame)) == 3 for video, n in LENGTHS.items() for frame in range(n))
    assert f"Dropped {num_persons} detections" in caplog.text
    assert f"{{50: {num_persons}}}" in caplog.text


def test_training_classes_are_mapped_by_name(cfg, dataset, tmp_path):
    cfg.DATASETS.TRAIN = ("coco_2017_train",)
    cfg.TRACKER_HEADS.TRACKER_NAME = "SpatialTracker"
    coco = MetadataCatalog.get("coco_2017_train").thing_classes
    model = TrueDetector(classes={4: coco.index("person"), 9: coco.index("dog")})
    results = run(cfg, YouTubeVISEvaluator(NAME, cfg, str(tmp_path)), model)
    assert results["segm_video"]["AP-dog"] == pytest.approx(100)
    cfg.DATASETS.TRAIN = ("tiny_other",)
    MetadataCatalog.get("tiny_other").thing_classes = ["teapot"]
    with pytest.raises(ValueError, match=r"none of the detector's classes \(teapot\) is one of tiny_evaluation"):
        YouTubeVISEvaluator(NAME, cfg, str(tmp_path))
    MetadataCatalog.remove("tiny_other")


def test_classes_of_the_detector_without_a_training_set(cfg, dataset, tmp_path, caplog):
    cfg.TRACKER_HEADS.TRACKER_NAME = "SpatialTracker"
    with pytest.raises(ValueError, match=r"MODEL\.CLASSES is empty and DATASETS\.TRAIN does not tell"):
        YouTubeVISEvaluator(NAME, cfg, str(tmp_path))
    cfg.MODEL.CLASSES = ["dog", "teapot", "person"]
    results = run(cfg, YouTubeVISEvaluator(NAME, cfg, str(tmp_path)), TrueDetector(classes={4: 1, 9: 0}))
    assert results["segm_video"]["AP-dog"] == pytest.approx(100) and results["segm_video"]["AP-person"] == 0
    assert "'teapot': " in caplog.text  # dropped, by name
    with pytest.raises(ValueError, match=r"a class 3, but MODEL\.CLASSES .* names 3 classes"):
        run(cfg, YouTubeVISEvaluator(NAME, cfg, str(tmp_path)), TrueDetector(classes={4: 3, 9: 0}))


def test_a_class_without_a_map_is_an_error(cfg, dataset, tmp_path):
    with pytest.raises(ValueError, match=r"frame 1 of video 7: class 5 of the model .* give a class_map"):
        run(cfg, YouTubeVISEvaluator(NAME, OracleTracker, str(tmp_path)), TrueDetector(classes={4: 5, 9: 1}))


def frame(video_id, index):
    return {
        "video_id": video_id,
        "frame_index": index,
        "video_length": LENGTHS[video_id],
        "height": HEIGHT,
        "width": WIDTH,
    }


def feed(evaluator, *frames, change=lambda instances: None):
    for one in frames:
        instances = TrueDetector().detect(one)
        change(instances)
        evaluator.process([one], [{"instances": instances}])


def test_frames_out_of_order_are_an_error(dataset, tmp_path):
    evaluator = YouTubeVISEvaluator(NAME, OracleTracker, str(tmp_path))
    for frames in ([(7, 1)], [(7, 0), (7, 2)], [(7, 0), (2, 1)]):
        evaluator.reset()
        with pytest.raises(ValueError, match="out of order"):
            feed(evaluator, *(frame(*f) for f in frames))
    evaluator.reset()
    with pytest.raises(ValueError, match="video 7 has 3 frames, 2 came"):
        feed(evaluator, frame(7, 0), frame(7, 1), frame(2, 0))
    evaluator.reset()
    feed(evaluator, frame(7, 0))
    with pytest.raises(ValueError, match="video 7 has 3 frames, 1 came"):
        evaluator.evaluate()


def test_detections_without_masks_of_the_frame_are_an_error(dataset, tmp_path):
    evaluator = YouTubeVISEvaluator(NAME, OracleTracker, str(tmp_path))
    evaluator.reset()
    with pytest.raises(ValueError, match="frame 0 of video 7: detections have no pred_masks"):
        feed(evaluator, frame(7, 0), change=lambda instances: instances.remove("pred_masks"))
    evaluator.reset()

    def shrink(instances):
        instances.pred_masks = instances.pred_masks[:, ::2]

    with pytest.raises(ValueError, match=r"`pred_masks` has the shape \(2, 24, 64\) in an image of \(48, 64\)"):
        feed(evaluator, frame(7, 0), change=shrink)


def test_a_crash_leaves_the_finished_videos(dataset, tmp_path):
    evaluator = YouTubeVISEvaluator(NAME, OracleTracker, str(tmp_path))
    evaluator.reset()
    feed(evaluator, *(frame(7, i) for i in range(3)), frame(2, 0))
    assert len(read_results(tmp_path / NAME / "results.json", ground_truth())) == 3


@pytest.mark.parametrize("processes", [2, 5])  # unequal shares, and empty ones
def test_processes_share_the_videos_and_give_the_same_file(cfg, dataset, tmp_path, processes):
    single = run(cfg, YouTubeVISEvaluator(NAME, OracleTracker, str(tmp_path / "one")))
    torch.multiprocessing.start_processes(
        _worker, (processes, str(tmp_path / "store"), cfg, str(tmp_path / "two")), nprocs=processes, start_method="fork"
    )
    assert (tmp_path / "two" / NAME / "results.json").read_bytes() == (
        tmp_path / "one" / NAME / "results.json"
    ).read_bytes()
    assert [path.name for path in (tmp_path / "two" / NAME).iterdir()] == ["results.json"]
    assert (tmp_path / "two" / "scores0").read_text() == json.dumps(single)
    assert {(tmp_path / "two" / f"scores{rank}").read_text() for rank in range(1, processes)} == {"{}"}


def _worker(rank, world_size, store, cfg, output_dir):
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world_size)
    assert comm.get_world_size() == world_size
    scores = run(cfg, YouTubeVISEvaluator(NAME, OracleTracker, output_dir))
    with open(f"{output_dir}/scores{rank}", "w") as file:
        json.dump(scores, file)
    torch.distributed.destroy_process_group()
