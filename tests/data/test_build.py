from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog
from tiny_video_dataset import HEIGHT, LENGTHS, WIDTH, write_dataset

from ictrack import add_ictrack_config
from ictrack.data import FrameReadError, VideoInferenceSampler, build_video_test_loader
from ictrack.data.datasets import register_youtube_vis

NAME = "tiny_test_build"


@pytest.fixture
def images(tmp_path):
    json_file, images = write_dataset(tmp_path)
    register_youtube_vis(NAME, json_file, images)
    yield Path(images)
    DatasetCatalog.remove(NAME)
    MetadataCatalog.remove(NAME)


def make_cfg(**inputs):
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.DATALOADER.NUM_WORKERS = 0
    cfg.INPUT.MIN_SIZE_TEST = 0
    for key, value in inputs.items():
        setattr(cfg.INPUT, key, value)
    return cfg


@pytest.mark.parametrize("workers", [0, 2])
def test_every_frame_comes_once_and_in_order(images, workers):
    cfg = make_cfg()
    cfg.DATALOADER.NUM_WORKERS = workers
    loader = build_video_test_loader(cfg, NAME)
    assert len(loader) == sum(LENGTHS.values())
    seen = []
    for (frame,) in loader:
        seen.append((frame["video_id"], frame["frame_index"]))
        position = list(LENGTHS).index(frame["video_id"])
        assert frame["image"].shape == (3, HEIGHT, WIDTH)
        assert frame["image"].dtype == torch.uint8
        assert frame["image"].unique().tolist() == [40 * position + frame["frame_index"]]
        assert (frame["height"], frame["width"]) == (HEIGHT, WIDTH)
        assert frame["video_length"] == LENGTHS[frame["video_id"]]
        assert frame["video_name"] == f"clip{frame['video_id']}"
        assert frame["file_name"] == str(images / frame["video_name"] / f"{frame['frame_index']:05d}.png")
    assert seen == [(video, frame) for video, length in LENGTHS.items() for frame in range(length)]


@pytest.mark.parametrize(
    ("short", "longest", "shape"), [(96, 1000, (96, 128)), (96, 100, (75, 100)), (24, 1000, (24, 32))]
)
def test_frames_are_resized_for_the_test(images, short, longest, shape):
    (frame,) = next(iter(build_video_test_loader(make_cfg(MIN_SIZE_TEST=short, MAX_SIZE_TEST=longest), NAME)))
    assert frame["image"].shape == (3, *shape)
    assert (frame["height"], frame["width"]) == (HEIGHT, WIDTH)


@pytest.mark.parametrize(("damage", "workers"), [("cut", 0), ("missing", 0), ("size", 0), ("cut", 1)])
def test_a_lost_frame_is_an_error_that_names_the_file(images, damage, workers):
    path = images / "clip2" / "00003.png"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:60])
    elif damage == "missing":
        path.unlink()
    else:
        cv2.imwrite(str(path), np.zeros((5, 5, 3), dtype=np.uint8))
    cfg = make_cfg()
    cfg.DATALOADER.NUM_WORKERS = workers
    with pytest.raises(FrameReadError, match=r"clip2.00003\.png: cannot read frame 3 of video 2"):
        list(build_video_test_loader(cfg, NAME))


def test_whole_videos_are_shared_out_evenly():
    rng = np.random.default_rng(0)
    for world_size in (1, 2, 3, 7):
        lengths = rng.integers(1, 40, size=20).tolist()
        starts = np.cumsum([0, *lengths])
        shares = [list(VideoInferenceSampler(lengths, rank, world_size)) for rank in range(world_size)]
        assert sorted(i for share in shares for i in share) == list(range(sum(lengths)))
        for share in shares:
            assert share == sorted(share)
            videos = np.searchsorted(starts, share, side="right") - 1
            assert len(share) == sum(lengths[video] for video in set(videos.tolist()))
        assert max(map(len, shares)) - min(map(len, shares)) <= max(lengths)


def test_more_processes_than_videos():
    assert [len(VideoInferenceSampler([4, 2], rank, 3)) for rank in range(3)] == [4, 2, 0]
