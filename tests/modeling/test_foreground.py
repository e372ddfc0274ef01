"""Instances of a plain background, by a threshold or a background that is learnt."""

import numpy as np
import pytest
import torch

from ictrack.command.main import main
from ictrack.data.video_writer import VideoWriter
from ictrack.engine.setup import load_config
from ictrack.modeling.build import build_model
from ictrack.structures.track_formats import format_of

CONFIG = "configs/own_data/plain_background.yaml"


def build(*overrides):
    return build_model(load_config(CONFIG, ["MODEL.DEVICE", "cpu", *overrides])).eval()


def scene(positions, value=40, background=200, size=(60, 90)):
    """Disks of radius 6 at (x, y) on a plain background."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = np.full((*size, 3), background, np.uint8)
    for x, y in positions:
        image[(columns - x) ** 2 + (rows - y) ** 2 <= 36] = value
    return image


def detect(model, image, **record):
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    return model([{"image": tensor, "height": image.shape[0], "width": image.shape[1], **record}])[0]["instances"]


@pytest.mark.parametrize("method, value, background", [("dark", 40, 200), ("bright", 220, 30)])
def test_regions_beyond_the_threshold(method, value, background):
    image = scene([(20, 20), (60, 30)], value, background)
    image[50:53, 5:9] = value  # a speck
    found = detect(build("MODEL.FOREGROUND.METHOD", method, "MODEL.FOREGROUND.MIN_AREA", 50), image)
    assert len(found) == 2 and found.pred_masks.any(dim=0).sum() == (image[..., 0] == value).sum() - 12
    assert sorted(found.pred_boxes.tensor.tolist()) == [[14, 14, 27, 27], [54, 24, 67, 37]]
    assert found.scores.tolist() == [1, 1] and found.pred_classes.tolist() == [0, 0]


def test_the_threshold_itself_is_background():
    image = np.full((20, 20, 3), 130, np.uint8)
    model = build("MODEL.FOREGROUND.THRESHOLD", 130)
    assert len(detect(model, image)) == 0 and len(detect(model, image - 1)) == 1


def test_largest_area_and_opening():
    image = scene([(20, 20), (60, 30)])
    image[29:31, 20:60] = 40  # a bridge between both
    image[20:30, 19:21] = 40
    assert len(detect(build(), image)) == 1
    assert len(detect(build("MODEL.FOREGROUND.OPENING", 5), image)) == 2
    assert len(detect(build("MODEL.FOREGROUND.MAX_AREA", 150), image)) == 0


def test_output_of_another_size():
    found = build()([{"image": torch.from_numpy(scene([(20, 20)])).permute(2, 0, 1), "height": 120, "width": 180}])
    (instances,) = (x["instances"] for x in found)
    assert instances.pred_masks.shape == (1, 120, 180)
    assert instances.pred_boxes.tensor.tolist() == [[28, 28, 54, 54]]


def test_a_learnt_background_begins_anew_with_each_video():
    model = build("MODEL.FOREGROUND.METHOD", "background", "MODEL.FOREGROUND.THRESHOLD", 16)
    for _ in range(2):
        for index in range(20):
            detect(model, scene([]), frame_index=index)
        assert len(detect(model, scene([(30, 30)]), frame_index=20)) == 1


def test_nothing_in_the_picture():
    found = detect(build(), np.full((20, 30, 3), 255, np.uint8))
    assert len(found) == 0 and found.pred_masks.shape == (0, 20, 30)


def test_unknown_methods_are_refused():
    with pytest.raises(ValueError, match=r"MODEL\.FOREGROUND\.METHOD is 'light'"):
        build("MODEL.FOREGROUND.METHOD", "light")


def test_a_video_is_tracked_without_weights(tmp_path):
    with VideoWriter(tmp_path / "in.mp4", 25) as writer:
        for index in range(10):
            writer.write(scene([(15 + 4 * index, 20), (70 - 4 * index, 40)]))
    arguments = ["--config-file", CONFIG, "--input", str(tmp_path / "in.mp4"), "--device", "cpu"]
    assert main(["track", *arguments, "--save-tracks", str(tmp_path / "out.csv")]) == 0
    (video,) = format_of(tmp_path / "out.csv").read(tmp_path / "out.csv")
    frames = list(video.frames)
    assert len(frames) == 10 and all(sorted(frame.ids.tolist()) == [0, 1] for frame in frames)
