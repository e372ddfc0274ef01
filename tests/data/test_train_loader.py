"""Batches of labeled images and unlabeled video: composition, reproducibility, bad files."""

import itertools
import json
import logging

import cv2
import numpy as np
import pytest
import torch
from detectron2.config import CfgNode, get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import register_coco_instances
from unlabeled_scene import HEIGHT, WIDTH, write_file, write_folder

from ictrack import add_ictrack_config
from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.data.train_loader import build_train_loader

LABELED, UNLABELED = "train_loader_test_images", "train_loader_test_videos"


@pytest.fixture
def datasets(tmp_path):
    """Six labeled images and five videos."""
    images = [{"id": i, "file_name": f"{i}.png", "height": HEIGHT, "width": WIDTH} for i in range(6)]
    annotations = [
        {"id": i + 1, "image_id": i, "category_id": 1, "bbox": [4, 4, 20, 20], "area": 400, "iscrowd": 0}
        | {"segmentation": [[4, 4, 24, 4, 24, 24, 4, 24]]}
        for i in range(6)
    ]
    (tmp_path / "images").mkdir()
    for image in images:
        picture = np.random.randint(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "images" / image["file_name"]), picture)
    categories = [{"id": 1, "name": "thing"}]
    (tmp_path / "coco.json").write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    register_coco_instances(LABELED, {}, str(tmp_path / "coco.json"), str(tmp_path / "images"))
    for i in range(4):
        write_folder(tmp_path / "videos" / f"walk{i}", 12)
    write_file(tmp_path / "videos" / "run.mp4", 12)
    register_configured_datasets(load_config(overrides=unlabeled_option(tmp_path / "videos")))
    yield tmp_path
    for name in (LABELED, UNLABELED):
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def load_config(overrides) -> CfgNode:
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.merge_from_list(overrides)
    return cfg


def unlabeled_option(folder):
    return ["DATASETS.REGISTER", str([[UNLABELED, "videos", str(folder)]])]


def make_cfg(*overrides, train=(LABELED,), unlabeled=(UNLABELED,), batch=4):
    options = ["SOLVER.IMS_PER_BATCH", batch, "DATASETS.TRAIN", train, "DATASETS.UNLABELED", unlabeled]
    options += ["DATALOADER.NUM_WORKERS", 0, "INPUT.UNLABELED.SIZE", [HEIGHT, WIDTH], "SEED", 5]
    options += ["INPUT.MIN_SIZE_TRAIN", (40, 48), "INPUT.COLOR_JITTER", 0.3, *overrides]
    return load_config(overrides=[str(option) for option in options])


def batches(cfg, count):
    return list(itertools.islice(build_train_loader(cfg), count))


def kinds(batch):
    return ["pair" if "reference_image" in sample else "image" for sample in batch]


def assert_same(first, second):
    """Equal samples, whatever they hold."""
    assert first.keys() == second.keys()
    for key, value in first.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, second[key]), key
        elif key == "instances":
            assert torch.equal(value.gt_masks.tensor, second[key].gt_masks.tensor)
        else:
            assert value == second[key], key


@pytest.mark.parametrize(
    ("ratio", "pairs"), [(1.0, [4] * 4), (0.5, [2] * 4), (0.25, [1] * 4), (0.125, [0, 1, 0, 1]), (0.3, [1, 1, 1, 1, 2])]
)
def test_any_ratio(datasets, ratio, pairs):
    cfg = make_cfg("INPUT.UNLABELED.PER_LABELED_IMAGE", ratio)
    found = [kinds(batch) for batch in batches(cfg, len(pairs))]
    assert found == [["image"] * 4 + ["pair"] * count for count in pairs]


def test_views_of_labeled_images_share_a_batch_with_pairs(datasets):
    (batch,) = batches(make_cfg("INPUT.NUM_VIEWS", 2, "INPUT.UNLABELED.PER_LABELED_IMAGE", 0.5), 1)
    assert kinds(batch) == ["image"] * 4 + ["pair"] * 2
    assert batch[0]["file_name"] == batch[1]["file_name"] != batch[2]["file_name"]


def test_unlabeled_video_alone(datasets):
    (batch,) = batches(make_cfg(train=(), batch=3), 1)
    assert kinds(batch) == ["pair"] * 3
    (batch,) = batches(make_cfg("INPUT.UNLABELED.NUM_FRAMES", 4, train=(), batch=2), 1)
    assert [sample["clip"].shape[0] for sample in batch] == [4, 4]


def test_labeled_images_alone(datasets):
    assert kinds(batches(make_cfg(unlabeled=()), 1)[0]) == ["image"] * 4


@pytest.mark.parametrize(
    ("options", "sources"),
    [
        ((), {}),
        ((), {"unlabeled": ()}),
        (("INPUT.UNLABELED.PER_LABELED_IMAGE", 0.375, "DATALOADER.NUM_WORKERS", 2), {}),
        (("DATALOADER.REPLAY.TIMES", 2, "DATALOADER.REPLAY.NUM_BATCHES", 2), {"train": ()}),
    ],
)
def test_a_loader_begins_anywhere(datasets, options, sources):
    cfg = make_cfg(*options, **sources)
    everything = batches(cfg, 7)
    for first in (1, 3, 5):
        loader = build_train_loader(cfg)
        loader.start_at(first)
        for batch, expected in zip(itertools.islice(loader, 2), everything[first:]):
            assert len(batch) == len(expected)
            for pair in zip(batch, expected):
                assert_same(*pair)


def test_the_number_of_workers_does_not_change_the_stream(datasets):
    """With a bad file in each data set, which makes both draw others."""
    (datasets / "images" / "3.png").write_text("plain text")
    (datasets / "videos" / "walk1" / "00004.png").write_text("plain text")
    options = ("DATALOADER.MAX_BAD_SHARE", 0.5)
    alone = batches(make_cfg(*options), 6)
    together = batches(make_cfg(*options, "DATALOADER.NUM_WORKERS", 2), 6)
    for first, second in zip(alone, together):
        assert len(first) == len(second)
        for pair in zip(first, second):
            assert_same(*pair)


def test_seeds_and_samples_differ(datasets):
    first, again, other = (batches(make_cfg("SEED", seed), 3) for seed in (5, 5, 6))
    for pair in zip(itertools.chain(*first), itertools.chain(*again)):
        assert_same(*pair)
    draws = [[sample["frame_indices"] for batch in run for sample in batch[4:]] for run in (first, other)]
    assert draws[0] != draws[1]
    assert len({str(sample["image_to_source"]) for batch in first for sample in batch[4:]}) == 12


def test_the_global_random_state_is_left_alone(datasets):
    np.random.seed(3)
    expected = np.random.uniform(size=4)
    loader = build_train_loader(make_cfg())
    np.random.seed(3)
    list(itertools.islice(loader, 2))
    assert np.array_equal(np.random.uniform(size=4), expected)


def test_evaluation_videos_are_left_out(datasets):
    names = ["walk0", "walk1", "run"]
    cfg = make_cfg("DATASETS.UNLABELED_EXCLUDE", names, train=())
    seen = {sample["video_name"] for batch in batches(cfg, 5) for sample in batch}
    assert seen == {"walk2", "walk3"}
    cfg = make_cfg("DATASETS.UNLABELED_EXCLUDE", [*names, "walk2", "walk3"], train=())
    with pytest.raises(ValueError, match="UNLABELED_EXCLUDE leaves none of 5"):
        build_train_loader(cfg)


@pytest.fixture
def log_file(tmp_path):
    """Of all processes, as a training has one."""
    handler = logging.FileHandler(tmp_path / "log.txt")
    logging.getLogger("ictrack").addHandler(handler)
    yield tmp_path / "log.txt"
    logging.getLogger("ictrack").removeHandler(handler)
    handler.close()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_folder_of_junk_is_survived(tmp_path, log_file, workers):
    """A truncated mp4, an empty folder, a text file named .jpg and a one-frame video: named, and training goes on."""
    whole = write_file(tmp_path / "junk" / "cut.mp4", 12)
    whole.write_bytes(whole.read_bytes()[:300])
    (tmp_path / "junk" / "empty").mkdir()
    (tmp_path / "junk" / "text").mkdir()
    (tmp_path / "junk" / "text" / "letter.jpg").write_text("Dear reader\n")
    write_folder(tmp_path / "junk" / "still", 1)
    register_configured_datasets(load_config(overrides=unlabeled_option(tmp_path / "junk")))
    try:
        cfg = make_cfg("DATALOADER.NUM_WORKERS", workers, train=(), batch=3)
        for batch in batches(cfg, 4):
            assert [sample["video_name"] for sample in batch] == ["still"] * 3
    finally:
        DatasetCatalog.remove(UNLABELED)
        MetadataCatalog.remove(UNLABELED)
    log = log_file.read_text()
    for name in ("cut.mp4", "empty", "letter.jpg", "still"):
        assert name in log


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("INPUT.UNLABELED.PER_LABELED_IMAGE", 0.0), "PER_LABELED_IMAGE"),
        (("INPUT.NUM_VIEWS", 3), "NUM_VIEWS"),
    ],
)
def test_batches_that_cannot_be_are_refused(datasets, options, message):
    with pytest.raises(ValueError, match=message):
        build_train_loader(make_cfg(*options))
