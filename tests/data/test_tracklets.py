"""Tracklets of unlabeled video: reading their file, warping their masks, and their way into samples and loaders."""

import json

import numpy as np
import pytest
import torch
from color_detector import scene
from color_model import color_config, write_scenes
from detectron2.data import DatasetCatalog
from detectron2.structures import Boxes, Instances

from ictrack.data.datasets.unlabeled_videos import find_videos, register_unlabeled_videos
from ictrack.data.tracklet_shapes import MaskShapes
from ictrack.data.tracklets import VideoTracklets, read_tracklets
from ictrack.data.train_loader import build_train_loader
from ictrack.data.video_dataset_mapper import VideoDatasetMapper
from ictrack.data.view_pairs import ViewPairMapper, draw_pairs
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.rle import encode_mask

HEIGHT, WIDTH = 64, 96


def red(index):
    """Mask of color 0 of the scene."""
    return (np.abs(scene(index).astype(int) - [30, 30, 220]).max(2) < 60).astype(np.uint8)


def content(names=("a",), num_frames=16, size=(HEIGHT, WIDTH)):
    """The true tracklet of color 0 in each video, but for its first frame."""
    videos, annotations = [], []
    for i, name in enumerate(names, start=1):
        files = [f"{name}/{t:05d}.jpg" for t in range(num_frames)]
        videos.append({"id": i, "height": size[0], "width": size[1], "length": num_frames, "file_names": files})
        masks = [None, *(encode_mask(red(t)) for t in range(1, num_frames))]
        annotations.append({"id": 10 + i, "video_id": i, "category_id": 1, "segmentations": masks})
    return {"videos": videos, "categories": [{"id": 1, "name": "object"}], "annotations": annotations}


@pytest.fixture
def tracklets_file(tmp_path):
    path = tmp_path / "tracklets.json"
    path.write_text(json.dumps(content()))
    return path


def test_a_file_is_read(tracklets_file):
    (video,) = read_tracklets(tracklets_file, MaskShapes()).values()
    assert video.size == (HEIGHT, WIDTH) and sorted(video.frames) == list(range(1, 16))
    seen = video.instances(3, np.eye(2, 3), (HEIGHT, WIDTH), (HEIGHT, WIDTH))
    assert seen.gt_ids.tolist() == [11] and seen.gt_classes.tolist() == [0]
    assert np.array_equal(seen.gt_masks.tensor[0].numpy(), red(3) > 0)
    assert seen.gt_boxes.tensor.tolist() == [[17, 8, 31, 22]]
    assert len(video.instances(0, np.eye(2, 3), (HEIGHT, WIDTH), (HEIGHT, WIDTH))) == 0


def test_masks_of_another_size_are_scaled():
    mask = np.zeros((4, 6), np.uint8)
    mask[1:3, 2:4] = 1
    video = VideoTracklets(MaskShapes(), (4, 6), {0: [(7, encode_mask(mask))]})
    seen = video.instances(0, np.eye(2, 3), (8, 12), (8, 12))
    assert seen.gt_masks.tensor[0].nonzero().amin(0).tolist() == [2, 4]
    assert seen.gt_masks.tensor.sum() == 16


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: d["videos"].append({**d["videos"][0], "id": 2}), r"videos\[1\].*a second video is called a"),
        (
            lambda d: d["annotations"][0]["segmentations"].__setitem__(2, encode_mask(np.ones((2, 2), np.uint8))),
            r"annotations\[0\]\.segmentations\[2\]\.size",
        ),
        (lambda d: d["annotations"][0].update(video_id=9), r"annotations\[0\]\.video_id"),
    ],
)
def test_damaged_files_are_named(tracklets_file, damage, message):
    data = content()
    damage(data)
    tracklets_file.write_text(json.dumps(data))
    with pytest.raises(AnnotationError, match=f"{tracklets_file.name}.*{message}"):
        read_tracklets(tracklets_file, MaskShapes())


def test_samples_hold_the_masks_of_what_they_show(tmp_path, tracklets_file):
    """Under zoom, rotation and mirroring, a mask is where the image is red."""
    cfg = color_config()
    inp = cfg.INPUT.UNLABELED
    inp.ZOOM, inp.ROTATION, inp.COLOR_JITTER, inp.HUE_JITTER, inp.GREY_PROB = [1.0, 1.4], 15.0, 0.0, 0.0, 0.0
    inp.NUM_FRAMES, inp.SAME_WINDOW, inp.MAX_ENLARGEMENT = 3, False, 1.0
    records = find_videos(str(write_scenes(tmp_path / "videos", ["a"])))
    mapper = VideoDatasetMapper(cfg, num_videos=1, tracklets=read_tracklets(tracklets_file, MaskShapes()))
    seen = 0
    for _ in range(10):
        sample = mapper(records[0])
        for image, instances in zip(sample["clip"], sample["tracklets"]):
            shown = (image.float() - torch.tensor([30.0, 30, 220])[:, None, None]).abs().amax(0) < 70
            if len(instances):
                mask = instances.gt_masks.tensor[0]
                assert (mask & shown).sum() >= 0.9 * (mask | shown).sum()
                seen += 1
    assert seen > 20


def test_a_part_of_a_video(tmp_path):
    (record,) = find_videos(str(write_scenes(tmp_path, ["a"])))
    mapper = VideoDatasetMapper(color_config(), num_videos=1)
    assert {mapper({**record, "part": (0.75, 1.0)})["frame_indices"][0] for _ in range(20)} <= {12, 13}
    assert max(max(mapper({**record, "part": (0.0, 0.75)})["frame_indices"]) for _ in range(30)) == 11


def test_view_pairs_are_of_one_frame_and_reproducible(tmp_path):
    records = find_videos(str(write_scenes(tmp_path, ["a", "b", "c"])))
    pairs = [draw_pairs(ViewPairMapper(color_config(), num_videos=3), records, 5, seed=1) for _ in range(2)]
    for first, second in zip(*pairs):
        assert first["frame_indices"][0] == first["frame_indices"][1]
        assert not torch.equal(first["image_to_source"], first["reference_image_to_source"])
        assert torch.equal(first["image"], second["image"])
    assert {x["video_name"] for x in pairs[0][:3]} == {"a", "b", "c"}


def test_the_loader_draws_videos_with_tracklets(tmp_path, tracklets_file):
    name = "tracklets_test_videos"
    register_unlabeled_videos(name, str(write_scenes(tmp_path / "videos", ["a", "b"])))
    try:
        cfg = color_config()
        cfg.DATASETS.TRAIN, cfg.DATASETS.UNLABELED, cfg.SEED = (), (name,), 1
        cfg.DATASETS.UNLABELED_TRACKLETS = str(tracklets_file)
        cfg.SOLVER.IMS_PER_BATCH = 4
        batch = next(iter(build_train_loader(cfg)))
        assert [x["video_name"] for x in batch] == ["a"] * 4
        assert all(len(x["tracklets"]) == 2 for x in batch)
        tracklets_file.write_text(json.dumps(content(names=["z"])))
        with pytest.raises(ValueError, match="holds no tracklet"):
            build_train_loader(cfg)
    finally:
        DatasetCatalog.remove(name)


def test_boxes_of_a_detector_without_masks_are_rectangles():
    found = Instances((20, 30), pred_boxes=Boxes(torch.tensor([[2.0, 3.0, 10.0, 9.0]])))
    (rle,) = MaskShapes().encode(found)
    expected = np.zeros((20, 30), bool)
    expected[3:9, 2:10] = True
    assert rle == encode_mask(expected)
    assert MaskShapes().encode(Instances((20, 30), pred_boxes=Boxes(torch.zeros(0, 4)))) == []


def test_boxes_may_lie_in_memory_in_any_order():
    boxes = torch.tensor([[2.0, 3.0, 10.0, 9.0], [0.0, 1.0, 5.0, 6.0]])
    rows, columns = (Instances((20, 30), pred_boxes=Boxes(x)) for x in (boxes, boxes.T.contiguous().T))
    assert MaskShapes().encode(columns) == MaskShapes().encode(rows)
