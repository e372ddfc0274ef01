"""The memory measurement: a repeated video, tracked in a process of its own."""

from pathlib import Path

from color_detector import scene

from ictrack.data.video_io import VideoWriter
from ictrack.engine.setup import load_config
from ictrack.engine.tracking_memory import RepeatedStream, peak_memory

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "quickstart" / "solo_lite0.yaml"


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


def test_peak_memory_is_that_of_a_whole_tracker(tmp_path):
    cfg = load_config(str(CONFIG), ["MODEL.TIMM.WEIGHTS", "", "MODEL.DEVICE", "cpu"])
    peak = peak_memory(cfg, write_clip(tmp_path / "clip.mp4"), 4)
    assert 100 * 2**20 < peak < 8 * 2**30  # PyTorch alone is more than 100 MB
