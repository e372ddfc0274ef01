"""The memory measurement: a repeated video, tracked in a process of its own."""

from pathlib import Path

from color_detector import scene

from benchmarks.memory import RepeatedStream, peak_memory
from ictrack.data.video_writer import VideoWriter
from ictrack.engine.setup import load_config

CONFIG = Path(__file__).resolve().parents[3] / "configs" / "quickstart" / "solo_lite0.yaml"


def write_clip(path, num_frames=3):
    with VideoWriter(path, 12) as writer:
        for index in range(num_frames):
            writer.write(scene(5 * index))
    return path


def test_video_repeats_up_to_the_length(tmp_path):
    frames = RepeatedStream(write_clip(tmp_path / "clip.mp4"), 8)
    assert (frames.name, frames.height, frames.width, frames.fps, frames.length) == ("clip", 64, 96, 12, 8)
    read = list(frames)
    assert [index for index, _ in read] == list(range(8))
    for index in range(3, 8):
        assert (read[index][1] == read[index - 3][1]).all()
    assert (read[0][1] != read[1][1]).any()


def test_peak_memory_does_not_grow_with_the_video(tmp_path):
    overrides = ["MODEL.TIMM.WEIGHTS", "", "MODEL.DEVICE", "cpu", "INPUT.MIN_SIZE_TEST", "64"]
    # Weights of chance and no threshold on scores: every frame has as many tracked masks as the tracker takes.
    overrides += ["MODEL.SOLO.SCORE_THRESH_TEST", "0.0", "MODEL.SOLO.UPDATE_THRESH_TEST", "0.0"]
    overrides += ["MODEL.SOLO.MASK_THRESH_TEST", "0.005", "TRACKER_HEADS.MIN_SCORE", "0.0"]
    overrides += ["TRACKER_HEADS.NEW_TRACK_SCORE", "0.0"]
    cfg = load_config(str(CONFIG), overrides)
    clip = write_clip(tmp_path / "clip.mp4")
    short, long = (peak_memory(cfg, clip, length) for length in (10, 60))
    assert 100 * 2**20 < short < 8 * 2**30  # PyTorch alone is more than 100 MB
    assert long < 1.1 * short
