"""Pairs and clips of unlabeled video: which frames, their mapping, colors, and what happens to bad files."""

import cv2
import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from hypothesis import given, settings
from hypothesis import strategies as st
from unlabeled_scene import HEIGHT, WIDTH, frame, write_file, write_folder

from ictrack import add_ictrack_config
from ictrack.data.bad_files import BadFilesError
from ictrack.data.datasets.unlabeled_videos import find_videos
from ictrack.data.video_dataset_mapper import VideoDatasetMapper, draw_frame_indices, lab_colors

PLAIN = {
    "SIZE": [HEIGHT, WIDTH],
    "ZOOM": [1.0, 1.0],
    "ROTATION": 0.0,
    "FLIP_PROB": 0.0,
    "COLOR_JITTER": 0.0,
    "HUE_JITTER": 0.0,
    "GREY_PROB": 0.0,
}


def mapper(num_videos=10, image_format="BGR", **options):
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.INPUT.FORMAT = image_format
    for key, value in {**PLAIN, **options}.items():
        cfg.INPUT.UNLABELED[key] = value
    return VideoDatasetMapper(cfg, num_videos=num_videos)


def index_of(image):
    """The index that a frame (3, H, W) shows."""
    return round((image[:, 4, 4].float().mean().item() - 29) / 8)  # yuv420p and back is a few levels off


@pytest.fixture
def records(tmp_path):
    write_folder(tmp_path / "folder", 20)
    write_file(tmp_path / "file.mp4", 20)
    file, folder = find_videos(str(tmp_path))
    return {"file": file, "folder": folder}


@settings(max_examples=200, deadline=None)
@given(
    length=st.integers(1, 40),
    num_frames=st.integers(2, 6),
    smallest=st.integers(1, 8),
    more=st.integers(0, 8),
    seed=st.integers(0, 99),
)
def test_frames_are_the_drawn_distances_apart(length, num_frames, smallest, more, seed):
    np.random.seed(seed)
    indices = draw_frame_indices(length, num_frames, smallest, smallest + more)
    gaps = np.diff(indices)
    assert len(indices) == num_frames and indices[0] >= 0 and indices[-1] < length
    assert (gaps >= (length >= num_frames)).all()
    if (smallest + more) * (num_frames - 1) < length:
        assert smallest <= gaps.min() and gaps.max() <= smallest + more


def test_all_distances_and_starts_occur():
    drawn = {tuple(draw_frame_indices(12, 2, 2, 8)) for _ in range(2000)}
    assert drawn == {(i, i + gap) for gap in range(2, 9) for i in range(12 - gap)}


def test_short_videos_give_what_they_have():
    assert {tuple(draw_frame_indices(4, 2, 5, 8)) for _ in range(20)} == {(0, 3)}
    assert {tuple(draw_frame_indices(4, 4, 5, 8)) for _ in range(20)} == {(0, 1, 2, 3)}
    assert {tuple(draw_frame_indices(1, 3, 2, 8)) for _ in range(20)} == {(0, 0, 0)}


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_pair_without_augmentation(records, kind):
    sample = mapper()(records[kind])
    first, second = sample["frame_indices"]
    assert 2 <= second - first <= 8
    assert (index_of(sample["image"]), index_of(sample["reference_image"])) == (first, second)
    assert (sample["video_name"], sample["height"], sample["width"]) == (kind, HEIGHT, WIDTH)
    expected = records["file"]["video_file"] if kind == "file" else records["folder"]["file_names"][first]
    assert sample["file_name"] == expected
    for prefix in ("", "reference_"):
        assert sample[f"{prefix}image"].dtype == torch.uint8
        assert sample[f"{prefix}image"].shape == (3, HEIGHT, WIDTH)
        assert sample[f"{prefix}colors"].shape == (3, HEIGHT // 8, WIDTH // 8)
        assert sample[f"{prefix}colors"].dtype == torch.float32
        assert sample[f"{prefix}valid"].shape == (HEIGHT // 8, WIDTH // 8) and sample[f"{prefix}valid"].all()
        assert sample[f"{prefix}image_to_source"].tolist() == [[1, 0, 0], [0, 1, 0]]


def test_clips_have_as_many_frames_as_asked(records):
    sample = mapper(NUM_FRAMES=4, INTERVAL=[2, 4])(records["folder"])
    assert "image" not in sample
    assert sample["clip"].shape == (4, 3, HEIGHT, WIDTH)
    assert sample["clip_colors"].shape == (4, 3, HEIGHT // 8, WIDTH // 8)
    assert sample["clip_valid"].shape == (4, HEIGHT // 8, WIDTH // 8)
    assert sample["clip_to_source"].shape == (4, 2, 3)
    assert [index_of(image) for image in sample["clip"]] == sample["frame_indices"]
    assert all(2 <= gap <= 4 for gap in np.diff(sample["frame_indices"]))


def test_seconds_are_counted_by_the_frame_rate(records):
    """The file has 25 frames a second, the folder says 5; of neither is there more than .4 seconds between frames."""
    map_video = mapper(INTERVAL=[0.2, 0.4], INTERVAL_UNIT="seconds", FOLDER_FPS=5.0)
    for kind, gaps in (("file", set(range(5, 11))), ("folder", {1, 2})):
        assert {int(np.diff(map_video(records[kind])["frame_indices"])[0]) for _ in range(25)} <= gaps
    folder = dict(records["folder"], fps=10)
    assert {int(np.diff(map_video(folder)["frame_indices"])[0]) for _ in range(25)} <= {2, 3, 4}


def test_channel_order_follows_the_config(records):
    bgr = mapper()(records["folder"])["image"][:, 4, -4].tolist()
    rgb = mapper(image_format="RGB")(records["folder"])["image"][:, 4, -4].tolist()
    assert (bgr, rgb) == ([0, 0, 200], [200, 0, 0])


def test_windows_are_shared_or_each_frames_own(records):
    options = {"ZOOM": [1.2, 2.0], "ROTATION": 10.0, "FLIP_PROB": 0.5}
    same, own = mapper(**options), mapper(**options, SAME_WINDOW=False)
    mirrored = set()
    for _ in range(10):
        sample = same(records["folder"])
        assert torch.equal(sample["image_to_source"], sample["reference_image_to_source"])
        sample = own(records["folder"])
        first, second = sample["image_to_source"], sample["reference_image_to_source"]
        assert not torch.equal(first, second)
        # Left and right are the same in both frames: nothing in the world is mirrored from one frame to the next.
        assert (torch.linalg.det(first[:, :2]) < 0) == (torch.linalg.det(second[:, :2]) < 0)
        mirrored.add(bool(torch.linalg.det(first[:, :2]) < 0))
    assert mirrored == {False, True}


def test_the_mapping_leads_to_the_source(records):
    """Where the image is red, the mapping leads to the red half of the source."""
    sample = mapper(ZOOM=[1.0, 1.5], ROTATION=15.0, FLIP_PROB=1.0)(records["folder"])
    y, x = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    source = torch.einsum("ij,jhw->ihw", sample["image_to_source"], torch.stack([x, y, torch.ones_like(x)]))
    inside = (source[0] > 1) & (source[0] < WIDTH - 1) & (source[1] > 1) & (source[1] < HEIGHT - 1)
    red = (sample["image"][2] > 150) & (sample["image"][0] < 50)
    assert red[inside & (source[0] > WIDTH / 2 + 1)].all()
    assert not red[inside & (source[0] < WIDTH / 2 - 1)].any()


def test_cells_beyond_the_edge_are_invalid(records):
    sample = mapper(ZOOM=[0.5, 0.5])(records["folder"])
    assert 0.2 < sample["valid"].float().mean() < 0.35
    padded = torch.nn.functional.interpolate(sample["valid"][None, None].float(), scale_factor=8)[0, 0] == 0
    assert (sample["image"][:, padded] == 128).float().mean() > 0.8


def test_frames_are_jittered_apart_and_colors_are_not(records):
    plain, jittered = mapper(), mapper(COLOR_JITTER=0.5, HUE_JITTER=0.1, INTERVAL=[1, 1])
    one_frame = dict(records["folder"], file_names=records["folder"]["file_names"][:1])
    sample, expected = jittered(one_frame), plain(one_frame)
    assert not torch.equal(sample["image"], sample["reference_image"])
    for prefix in ("", "reference_"):
        assert torch.equal(sample[f"{prefix}colors"], expected["colors"])


def test_color_is_dropped_from_some_frames_but_not_from_the_target(records):
    map_video = mapper(GREY_PROB=0.5)
    grey = []
    for _ in range(30):
        sample = map_video(records["folder"])
        for prefix in ("", "reference_"):
            image = sample[f"{prefix}image"]
            grey.append(bool((image[0] == image[2]).all()))
            assert sample[f"{prefix}colors"][1:].abs().max() > 0.5
    assert 10 < sum(grey) < 50
    pairs = set(zip(grey[::2], grey[1::2]))
    assert len(pairs) == 4  # independently


def test_lab_colors_by_hand():
    """White is L 100 without color, red is Lab (53.24, 80.09, 67.20); black and white make a middle grey."""
    white = lab_colors(np.full((8, 8, 3), 255, np.uint8), 8)[0, 0]
    assert white.tolist() == pytest.approx([(255 - 128) / 128, 0, 0], abs=2e-3)
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 2] = 255
    assert lab_colors(red, 8)[0, 0].tolist() == pytest.approx([(135.8 - 128) / 128, 80.09 / 128, 67.2 / 128], abs=4e-3)
    chess = np.indices((8, 8)).sum(0) % 2 * 255
    grey = lab_colors(np.repeat(chess[..., None], 3, 2).astype(np.uint8), 4)
    assert grey.shape == (2, 2, 3)
    assert grey[0, 0].tolist() == pytest.approx([(136.9 - 128) / 128, 0, 0], abs=1e-2)


def test_one_frame_gives_two_views_of_it(tmp_path, caplog):
    write_folder(tmp_path / "still", 1)
    (record,) = find_videos(str(tmp_path))
    map_video = mapper(COLOR_JITTER=0.5, ZOOM=[1.0, 2.0], SAME_WINDOW=False)
    samples = [map_video(record) for _ in range(3)]
    assert all(sample["frame_indices"] == [0, 0] for sample in samples)
    assert not torch.equal(samples[0]["image"], samples[0]["reference_image"])
    assert caplog.text.count("still: has only 1 frame") == 1


def test_bad_videos_are_named_counted_then_fatal(tmp_path, caplog):
    for name in ("a", "b", "c"):
        write_folder(tmp_path / name, 2)
        (tmp_path / name / "00001.png").write_text("plain text")
    a, b, c = find_videos(str(tmp_path))
    map_video = mapper(num_videos=3)
    assert map_video(a) is None and map_video(a) is None
    assert caplog.text.count("a/00001.png") == 1
    assert map_video(b) is None
    with pytest.raises(BadFilesError, match=r"c/00001\.png.*3 unlabeled videos.*MAX_BAD_VIDEO_SHARE"):
        map_video(c)


def test_frames_of_different_sizes(tmp_path):
    (tmp_path / "odd").mkdir()
    cv2.imwrite(str(tmp_path / "odd" / "0.png"), frame(0))
    cv2.imwrite(str(tmp_path / "odd" / "1.png"), cv2.resize(frame(1), None, fx=2, fy=2))
    sample = mapper()(find_videos(str(tmp_path))[0])
    assert sample["image"].shape == sample["reference_image"].shape == (3, HEIGHT, WIDTH)
    assert sample["reference_image_to_source"].tolist() == [[2, 0, 0], [0, 2, 0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"NUM_FRAMES": 1}, "NUM_FRAMES"),
        ({"INTERVAL": [8, 2]}, "INTERVAL"),
        ({"INTERVAL": [0.5, 2]}, "whole numbers"),
        ({"INTERVAL": [2]}, "INTERVAL"),
        ({"INTERVAL_UNIT": "minutes"}, "INTERVAL_UNIT"),
        ({"ZOOM": [0, 1]}, "ZOOM"),
        ({"SIZE": [50, 80]}, "COLOR_STRIDE"),
        ({"MAX_ENLARGEMENT": 0.5}, "MAX_ENLARGEMENT"),
        ({"image_format": "L"}, "INPUT.FORMAT"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        mapper(**options)
