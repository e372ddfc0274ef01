"""Contact pictures show each identity in its own color, over its whole life."""

import errno
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from color_detector import COLORS, scene
from detectron2.structures import Boxes, Instances

from ictrack.structures.command_line import OutputError
from ictrack.visualization.crop_gallery import NUM_CROPS, CropGallery


def tracked(index, ids=(0, 1), scores=None):
    places = {0: (8 + 3 * index, 8), 1: (68 - 3 * index, 26)}
    boxes = [[places[i][0], places[i][1], places[i][0] + 14, places[i][1] + 14] for i in ids]
    instances = Instances((64, 96))
    instances.pred_boxes = Boxes(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4))
    instances.scores = torch.tensor(scores or [0.5] * len(ids))
    instances.pred_classes = torch.tensor([0] * len(ids), dtype=torch.int64)
    instances.ID = torch.tensor(ids, dtype=torch.int64)
    return instances


def pictures(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix == ".jpg")


def test_a_picture_for_each_identity(tmp_path):
    with CropGallery(tmp_path / "gallery", ["red thing"]) as gallery:
        for index in range(3):
            gallery.add(scene(index), tracked(index))
    assert pictures(tmp_path / "gallery") == ["00000_red-thing.jpg", "00001_red-thing.jpg"]
    for track_id in (0, 1):
        picture = cv2.imread(str(tmp_path / "gallery" / f"{track_id:05d}_red-thing.jpg")).astype(int)
        near = (np.abs(picture - COLORS[track_id]).max(axis=2) < 40).mean()
        assert near > 0.5, "its own color fills the crops"
        assert picture.shape == (160 + 2 * 6, 3 * 166 + 6, 3)


def test_the_best_of_each_period_is_kept(tmp_path):
    """Of 32 frames there are 8 periods of 4; the third of each has the highest score, and a brightness of its own."""
    with CropGallery(tmp_path) as gallery:
        for index in range(32):
            frame = np.full((64, 96, 3), 8 * index, np.uint8)
            gallery.add(frame, tracked(0, (0,), [0.9 if index % 4 == 2 else 0.1 + 0.001 * index]))
            assert len(list(tmp_path.rglob("*.jpg"))) <= NUM_CROPS
    picture = cv2.imread(str(tmp_path / "00000_class-0.jpg"))
    shown = [picture[6 + 166 * row + 80, 6 + 166 * column + 80, 0] for row in range(2) for column in range(4)]
    assert shown == pytest.approx([8 * index for index in range(2, 32, 4)], abs=3)


def test_boxes_off_the_frame_are_passed_over(tmp_path):
    instances = tracked(0)
    instances.pred_boxes.tensor[1] += 1000
    with CropGallery(tmp_path) as gallery:
        gallery.add(scene(0), instances)
        gallery.add(scene(1), Instances((64, 96), ID=torch.zeros(0, dtype=torch.int64)))
    assert pictures(tmp_path) == ["00000_class-0.jpg"]


def test_pictures_of_an_earlier_run_are_replaced_and_others_stay(tmp_path):
    (tmp_path / "00007_mine.jpg").write_text("")
    for ids, expected in (((0, 1), ["00000_class-0.jpg", "00001_class-0.jpg"]), ((1,), ["00001_class-0.jpg"])):
        with CropGallery(tmp_path) as gallery:
            gallery.add(scene(0), tracked(0, ids))
        assert pictures(tmp_path) == [*expected, "00007_mine.jpg"]
    (tmp_path / ".pictures").write_text("../outside_a.jpg\n00007_mine.jpg/../../outside_a.jpg")
    (tmp_path.parent / "outside_a.jpg").write_text("")
    with CropGallery(tmp_path) as gallery:
        gallery.add(scene(0), tracked(0, (1,)))
    assert (tmp_path.parent / "outside_a.jpg").exists()


def test_a_run_that_fails_leaves_nothing(tmp_path):
    stale = tmp_path / ".crops.999999999.part"  # of one that was killed
    stale.mkdir()
    (stale / "0_0.jpg").write_text("")
    with pytest.raises(RuntimeError), CropGallery(tmp_path) as gallery:
        assert not stale.exists()
        gallery.add(scene(0), tracked(0))
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_with_the_folder(tmp_path, monkeypatch):
    def write(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with CropGallery(tmp_path) as gallery, monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write)
        with pytest.raises(OSError, match="No space left") as raised:
            gallery.add(scene(0), tracked(0))
        assert raised.value.filename == str(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        CropGallery(tmp_path / "file")
