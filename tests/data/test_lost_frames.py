"""Damaged video files: the frames that can be decoded keep their index and time."""

import logging

import av
import numpy as np
import pytest

from ictrack.data.video_io import open_frames

NUM_FRAMES, GROUP = 24, 8
FPS = 25


def write(path, codec, **options):
    """Frames of noise, whose brightness is eight times their number."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            codec, rate=FPS, options={"g": str(GROUP), "bf": "0", "sc_threshold": "0", **options}
        )
        stream.width, stream.height, stream.bit_rate = 128, 96, 10**7
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for index in range(NUM_FRAMES):
            image = np.clip(rng.integers(-30, 30, (96, 128, 3)) + 32 + 8 * index, 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        container.mux(stream.encode())
    return path


def damage(path, number):
    """Write zeros over the packet of a frame."""
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][number]
        content[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(content)


def read(path):
    """The stream, and (index, number by the brightness, time) of its frames."""
    frames = open_frames(path)
    return frames, [(index, round((image.mean() - 32) / 8), frames.frame_time(index)) for index, image in frames]


@pytest.mark.parametrize(
    ("file", "codec", "options", "number", "lost"),
    [
        ("a.mp4", "libx264", {}, 8, range(8, 15)),
        ("a.mp4", "libx264", {}, 0, range(8)),
        ("a.mp4", "libx264", {}, 22, range(22, 23)),
        ("a.mp4", "libx264", {"bf": "2"}, 10, None),
        ("a.webm", "libvpx", {}, 9, range(9, 16)),
        ("a.avi", "mjpeg", {}, 5, range(5, 6)),
    ],
)
def test_frames_after_a_damaged_one_keep_their_index(tmp_path, caplog, file, codec, options, number, lost):
    path = write(tmp_path / file, codec, **options)
    damage(path, number)
    with caplog.at_level(logging.WARNING):
        frames, found = read(path)
    assert [time for _, _, time in found] == pytest.approx([index / FPS for index, _, _ in found], abs=2e-3)
    assert frames.num_bad_frames == NUM_FRAMES - len(found) > 0
    if lost is not None:  # else the decoder makes up pictures in place of the one that others are made of
        assert [index for index, _, _ in found] == [number for _, number, _ in found]
        # At a lost keyframe, H.264's decoder may give the last frame of the group.
        missing = set(range(NUM_FRAMES)) - {index for index, _, _ in found}
        assert missing - {lost[-1] + 1} == set(lost)
    assert f"{file}: {len(found)} of {NUM_FRAMES} frames could be decoded" in caplog.text


@pytest.mark.parametrize(("file", "codec"), [("a.mp4", "libx264"), ("a.webm", "libvpx"), ("a.mkv", "mpeg4")])
def test_whole_files_lose_nothing(tmp_path, caplog, file, codec):
    frames, found = read(write(tmp_path / file, codec, bf="2"))
    assert [number for _, number, _ in found] == list(range(NUM_FRAMES))
    assert frames.num_bad_frames == 0 and not caplog.messages


def test_a_truncated_matroska_file_is_told_by_its_duration(tmp_path, caplog):
    path = write(tmp_path / "cut.mkv", "libx264")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    _, found = read(path)
    assert 4 < len(found) < 20 and [index for index, _, _ in found] == list(range(len(found)))
    assert "cut.mkv: ends after 0." in caplog.text and "of 1.0 seconds; the file is truncated" in caplog.text
