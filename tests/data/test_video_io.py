"""Frame streams and the mp4 writer, on files made in the tests."""

import logging
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from color_detector import scene

from ictrack.data.frame_stream import VideoReadError
from ictrack.data.random_access_video import FileVideo
from ictrack.data.video_io import open_frames
from ictrack.data.video_writer import VideoWriteError, VideoWriter

HEIGHT, WIDTH = 48, 64


def numbered_frame(index, height=HEIGHT, width=WIDTH):
    """A grey level that tells the frame's index, above a dark band at the bottom that tells which way is up."""
    frame = np.full((height, width, 3), 40 + 10 * index, np.uint8)
    frame[-height // 4 :] = 0
    return frame


def index_of(frame):
    return round((int(frame[4, 4, 0]) - 38) / 10)  # yuv420p and back is up to 5 levels off


def write_video(path, num_frames=20, height=HEIGHT, width=WIDTH, fps=25):
    with VideoWriter(path, fps) as writer:
        for index in range(num_frames):
            writer.write(numbered_frame(index, height, width))
    return str(path)


def write_images(folder, names):
    folder.mkdir()
    for index, name in enumerate(names):
        cv2.imwrite(str(folder / name), numbered_frame(index))
    return str(folder)


def test_written_video_is_read_back_frame_by_frame(tmp_path):
    with open_frames(write_video(tmp_path / "clip.mp4")) as frames:
        assert (frames.name, frames.height, frames.width, frames.fps, frames.length) == ("clip", HEIGHT, WIDTH, 25, 20)
        seen = [(index, index_of(frame), frame.shape, frame.dtype) for index, frame in frames]
    assert seen == [(i, i, (HEIGHT, WIDTH, 3), np.uint8) for i in range(20)]
    assert frames.num_bad_frames == 0


def test_color_order_is_bgr(tmp_path):
    blue = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    blue[..., 0] = 255
    with VideoWriter(tmp_path / "blue.mp4", 10) as writer:
        writer.write(blue)
    cv2.imwrite(str(tmp_path / "blue.png"), blue)
    for name in ("blue.mp4", "blue.png"):
        _, frame = next(iter(open_frames(tmp_path / name)))
        assert frame[..., 0].mean() > 240 and frame[..., 1:].max() < 20, name


def test_written_video_suits_browsers(tmp_path):
    path = write_video(tmp_path / "odd.mp4", 3, height=47, width=63, fps=30000 / 1001)
    with av.open(path) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (64, 48)
        assert float(stream.average_rate) == pytest.approx(30000 / 1001)
    content = (tmp_path / "odd.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "the index must come first to play while loading"


def test_writer_leaves_a_valid_file_when_stopped_early(tmp_path):
    path = tmp_path / "stopped.mp4"
    with pytest.raises(KeyboardInterrupt), VideoWriter(path, 25) as writer:
        for index in range(7):
            writer.write(numbered_frame(index))
        raise KeyboardInterrupt
    assert [index for index, _ in open_frames(path)] == list(range(7))
    assert [file.name for file in tmp_path.iterdir()] == ["stopped.mp4"]


def test_writer_without_frames_makes_no_file(tmp_path):
    with VideoWriter(tmp_path / "none.mp4", 25):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [(64, 96), (130, 330)])
def test_equal_frames_give_equal_files(tmp_path, size):
    frames = [scene(index, *size) for index in range(12)]
    contents = set()
    for repetition in range(25):
        _unused = np.random.default_rng(repetition).integers(0, 255, 20_000 * (repetition % 7 + 1), np.uint8)
        with VideoWriter(tmp_path / "video.mp4", 12) as writer:
            for frame in frames:
                writer.write(frame)
        contents.add((tmp_path / "video.mp4").read_bytes())
    assert len(contents) == 1


def test_writer_refuses_other_sizes_and_types(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 25) as writer:
        writer.write(numbered_frame(0))
        with pytest.raises(ValueError, match=r"a\.mp4.*\(50, 64\).*\(48, 64\)"):
            writer.write(numbered_frame(1, height=50))
        with pytest.raises(ValueError, match="uint8"):
            writer.write(numbered_frame(1).astype(float))


def test_folder_and_glob_in_natural_order(tmp_path):
    folder = write_images(tmp_path / "walk", ["1.png", "2.png", "10.png"])
    (tmp_path / "walk" / "notes.txt").write_text("not a frame")
    for source in (folder, f"{folder}/*.png"):
        frames = open_frames(source)
        assert (frames.name, frames.length, frames.fps) == ("walk", 3, 10.0)
        assert [(index, index_of(frame)) for index, frame in frames] == [(0, 0), (1, 1), (2, 2)]
    assert open_frames(folder, fps=6).fps == 6


def test_files_of_operating_systems_are_no_frames(tmp_path, caplog):
    folder = write_images(tmp_path / "walk", ["0.jpg", "1.jpg"])
    for name in ("._0.jpg", ".hidden.png", ".DS_Store", "Thumbs.db"):
        (tmp_path / "walk" / name).write_bytes(b"\0\5\x16\7Mac OS X")
    for source in (folder, f"{folder}/*"):
        frames = open_frames(source)
        assert frames.length == 2 and len(list(frames)) == 2 and not frames.num_bad_frames
    assert not caplog.messages


def test_single_image(tmp_path):
    write_images(tmp_path / "one", ["a.jpg"])
    assert len(list(open_frames(tmp_path / "one" / "a.jpg"))) == 1


def test_unreadable_image_is_skipped_counted_and_named(tmp_path, caplog):
    folder = write_images(tmp_path / "walk", ["0.jpg", "1.jpg", "2.jpg", "3.jpg"])
    (tmp_path / "walk" / "0.jpg").write_text("this is text")
    whole = (tmp_path / "walk" / "2.jpg").read_bytes()
    (tmp_path / "walk" / "2.jpg").write_bytes(whole[: len(whole) // 2])
    frames = open_frames(folder)
    with caplog.at_level(logging.WARNING):
        assert [(index, index_of(frame)) for index, frame in frames] == [(1, 1), (3, 3)]
    assert frames.num_bad_frames == 2
    assert "0.jpg" in caplog.messages[0] and "2.jpg" in caplog.messages[1] and "frame 2" in caplog.messages[1]


def test_image_of_another_size_is_an_error(tmp_path):
    folder = write_images(tmp_path / "walk", ["0.png", "1.png"])
    cv2.imwrite(f"{folder}/2.png", numbered_frame(2, height=50))
    with pytest.raises(VideoReadError, match=r"2\.png: 64x50 pixels.*64x48"):
        list(open_frames(folder))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("missing.mp4", "missing.mp4: no such file"),
        ("empty", "empty: the folder has no images"),
        ("*.png", "no file matches"),
        ("text.jpg", "text.jpg: not a readable image"),
        ("text.mp4", "text.mp4: cannot be opened as a video"),
        ("texts", "nor is any of the other 1 images"),
        ("nothing.mp4", "nothing.mp4: cannot be opened as a video"),
    ],
)
def test_bad_sources_are_named(tmp_path, source, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    for name in ("text.jpg", "text.mp4", "texts/a.jpg", "texts/b.jpg"):
        (tmp_path / name).write_text("plain text\n" * 100)
    (tmp_path / "nothing.mp4").write_bytes(b"")
    with pytest.raises(VideoReadError, match=message):
        open_frames(tmp_path / source)


def test_truncated_video_keeps_what_can_be_decoded(tmp_path, caplog):
    path = tmp_path / "cut.mp4"
    rng = np.random.default_rng(0)
    with VideoWriter(path, 25) as writer:  # noise, so that the bytes spread over all frames
        for _ in range(40):
            writer.write(rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    frames = open_frames(path)
    with caplog.at_level(logging.WARNING):
        indices = [index for index, _ in frames]
    assert 5 < len(indices) < 35
    assert frames.num_bad_frames == 40 - len(indices)
    assert f"cut.mp4: {len(indices)} of 40 frames" in caplog.text and "at frame" in caplog.text


def test_video_whose_index_is_cut_off_is_an_error(tmp_path):
    content = Path(write_video(tmp_path / "clip.mp4")).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[:100])
    with pytest.raises(VideoReadError, match=r"cut\.mp4"):
        open_frames(tmp_path / "cut.mp4")


def test_audio_only_file_is_an_error(tmp_path):
    path = str(tmp_path / "sound.wav")
    with av.open(path, "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(VideoReadError, match="no video stream"):
        open_frames(path)


@pytest.mark.parametrize("clockwise", [90, 180, 270])
def test_rotation_metadata_turns_the_frames(tmp_path, clockwise):
    path = tmp_path / "phone.mp4"
    upright = numbered_frame(3)
    with VideoWriter(path, 25) as writer:
        writer.write(np.rot90(upright, clockwise // 90))  # as a sensor that is turned the other way sees it
    # The 3x3 matrix of the track header (ISO 14496-12, 8.3.2) in 16.16 fixed point: rotate clockwise for display.
    content = bytearray(path.read_bytes())
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[clockwise]
    offset = content.index(b"tkhd") + 4 + 40
    struct.pack_into(">5i", content, offset, cos << 16, sin << 16, 0, -sin << 16, cos << 16)
    path.write_bytes(content)
    frames = open_frames(path)
    _, frame = next(iter(frames))
    assert (frames.height, frames.width) == frame.shape[:2] == (HEIGHT, WIDTH)
    assert np.abs(frame.astype(int) - upright).mean() < 4


def test_camera_is_read_until_it_ends(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.mp4", num_frames=5)
    opened, video_capture = [], cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: opened.append(index) or video_capture(path))
    with open_frames("2", fps=None) as frames:
        assert (frames.name, frames.length, frames.fps) == ("camera2", None, 25)
        assert [index_of(frame) for _, frame in frames] == list(range(5))
    assert opened == [2]


def test_camera_that_is_not_there():
    with pytest.raises(VideoReadError, match="camera 97"):
        open_frames(97)


FAULTS = Path(__file__).parent / "odd_videos"


@pytest.mark.parametrize(
    ("name", "count", "size"), [("editlist.mp4", 15, (96, 128)), ("coverfirst.mp4", 30, (96, 128))]
)
def test_what_a_file_says_of_itself_is_no_promise(name, count, size, caplog):
    with open_frames(FAULTS / name) as frames:
        assert len(list(frames)) == frames.length == count and (frames.height, frames.width) == size
    assert frames.num_bad_frames == 0 and not caplog.messages
    video = FileVideo(str(FAULTS / name), 1)
    assert video.length == count and not caplog.messages


def test_names_with_colons_are_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("12:30:05.mp4", "http:x.mp4"):
        write_video(name, 3)
        assert len(list(open_frames(name))) == 3 and FileVideo(name, 1).length == 3


def test_pixels_that_are_not_square_stay_so(tmp_path):
    frames = open_frames(FAULTS / "sar.mp4")
    assert frames.pixel_aspect == Fraction(16, 11)
    with VideoWriter(tmp_path / "a.mp4", 25, pixel_aspect=frames.pixel_aspect) as writer:
        writer.write(numbered_frame(0))
    assert open_frames(tmp_path / "a.mp4").pixel_aspect == Fraction(16, 11)


def test_frames_keep_their_times(tmp_path):
    frames = open_frames(FAULTS / "vfr.mkv")
    with VideoWriter(tmp_path / "a.mp4", frames.fps) as writer:
        for index, frame in frames:
            writer.write(frame, frames.frame_time(index))
    assert frames.frame_time(10) == pytest.approx(6.0, abs=0.01)
    with av.open(str(tmp_path / "a.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
        assert times == pytest.approx([i / 10 for i in range(10)] + [6 + i / 10 for i in range(10)], abs=0.01)
        assert container.duration / 1e6 == pytest.approx(7, abs=0.06)
    assert open_frames(FAULTS / "vfr.mkv", fps=5).frame_time(10) == 2


@pytest.mark.parametrize(("height", "matrix"), [(720, 1), (48, 6)])
def test_colors_say_how_they_are_coded(tmp_path, height, matrix):
    frame = np.repeat(np.repeat(np.array([[[200, 30, 40], [40, 190, 30]]], np.uint8), 64, 1), height, 0)
    with VideoWriter(tmp_path / "a.mp4", 10) as writer:
        writer.write(frame)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert next(container.decode(video=0)).colorspace == matrix
    _, read = next(iter(open_frames(tmp_path / "a.mp4")))
    assert np.abs(read[height // 2, [16, 100]].astype(int) - frame[0, [16, 100]]).max() < 8


def test_globs_of_videos_and_names_with_brackets(tmp_path):
    folder = write_images(tmp_path / "run[1]", ["0.png", "1.png"])
    assert open_frames(f"{folder}/*.png").length == 2
    write_video(tmp_path / "clip1.mp4", 3)
    assert open_frames(tmp_path / "clip*.mp4").length == 3
    write_video(tmp_path / "clip2.mp4", 3)
    with pytest.raises(VideoReadError, match="2 files that are no images"):
        open_frames(tmp_path / "clip*.mp4")


def test_streams_and_cameras_by_their_names(monkeypatch):
    with pytest.raises(VideoReadError, match=r"rtsp://127\.0\.0\.1:1/x: cannot be opened as a video"):
        open_frames("rtsp://127.0.0.1:1/x")
    with pytest.raises(VideoReadError, match="camera 97"):
        open_frames("/dev/video97")


def test_frames_too_large_for_h264_are_refused(tmp_path):
    with pytest.raises(VideoWriteError, match="20000x2"), VideoWriter(tmp_path / "a.mp4", 10) as writer:
        writer.write(np.zeros((2, 20000, 3), np.uint8))
    assert not list(tmp_path.iterdir())
