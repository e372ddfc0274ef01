"""Pipes, live streams, lists, and parts of videos."""

import argparse
import http.server
import io
import logging
import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from color_detector import scene

from ictrack.data import live_stream
from ictrack.data.frame_source import SourceOptions, check_source, open_source
from ictrack.data.frame_stream import VideoReadError
from ictrack.data.image_file import ImageFile
from ictrack.data.live_stream import LiveStream
from ictrack.data.raw_frames import PIXEL_FORMATS, RawFrameStream
from ictrack.data.selected_frames import SelectedFrames, position
from ictrack.data.video_io import is_camera, open_frames
from ictrack.data.video_list import list_videos
from ictrack.data.video_writer import VideoWriter

NUM_FRAMES = 20


def frame(index, height=64, width=96):
    return np.full((height, width, 3), 10 * index, np.uint8)


@pytest.fixture
def clip(tmp_path):
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for index in range(NUM_FRAMES):
            writer.write(frame(index))
    return str(tmp_path / "clip.mp4")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "walk").mkdir()
    for index in range(NUM_FRAMES):
        cv2.imwrite(str(tmp_path / "walk" / f"{index:05d}.png"), frame(index))
    return str(tmp_path / "walk")


def numbers(frames):
    """Index and original number, by its brightness, of each frame."""
    return [(index, round(float(image.mean()) / 10)) for index, image in frames]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"start": 5}, range(5, 20)),
        ({"end": 5}, range(5)),
        ({"start": 5, "end": 9}, range(5, 9)),
        ({"stride": 6}, range(0, 20, 6)),
        ({"start": 3, "end": 18, "stride": 5}, range(3, 18, 5)),
        ({"start": 0.5, "end": 1.25}, range(5, 13)),
        ({"start": 0.45, "stride": 4}, range(5, 20, 4)),
        ({"end": 100}, range(20)),
    ],
)
def test_parts_of_a_video(clip, folder, options, expected):
    for source in (clip, folder):
        frames = SelectedFrames(open_frames(source, 10.0), **options)
        assert numbers(frames) == list(enumerate(expected))
        assert frames.length == len(expected)
        assert frames.fps == 10 / options.get("stride", 1)
        assert [frames.frame_name(i)[:5] for i in range(len(expected))] == [f"{i:05d}" for i in expected]
        times = [frames.frame_time(i) for i in range(len(expected))]
        assert times == pytest.approx([(i - expected[0]) / 10 for i in expected])


def test_videos_beside_pictures_are_told(folder, caplog):
    assert list_videos(folder) is None and not caplog.messages
    (Path(folder) / "b.mp4").write_text("")
    assert list_videos(folder) is None
    assert "its pictures are read as one video, and its 1 video files, such as b.mp4, are not" in caplog.text


def test_frames_that_are_passed_over_are_not_read(folder, monkeypatch):
    read = []
    plain = ImageFile.read
    monkeypatch.setattr(ImageFile, "read", lambda self, page: read.append(page) or plain(self, page))
    assert len(list(SelectedFrames(open_frames(folder), start=4, end=9, stride=2))) == 3
    assert len(read) == 1 + 3 + 1  # the first for the size, and the one behind the end


def test_a_part_that_is_empty(clip):
    for options in ({"start": 20}, {"start": 9.0}, {"start": 5, "end": 5}):
        with pytest.raises(VideoReadError, match="clip: has no frame in the part that was asked for"):
            list(SelectedFrames(open_frames(clip), **options))


def test_an_unreadable_frame_of_a_part_leaves_a_gap(tmp_path, folder):
    (tmp_path / "walk" / "00007.png").write_text("no image")
    frames = SelectedFrames(open_frames(folder), start=5, end=10)
    assert numbers(frames) == [(0, 5), (1, 6), (3, 8), (4, 9)] and frames.num_bad_frames == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [("300", 300), ("0", 0), ("12.5s", 12.5), ("90s", 90.0), ("1:30", 90.0), ("0:05.25", 5.25), ("1:02:03", 3723.0)],
)
def test_positions(text, value):
    assert position(text) == value and type(position(text)) is type(value)


@pytest.mark.parametrize("text", ["-3", "1.5", "1:75", "s", "now", "1:2:3:4", ""])
def test_what_is_no_position(text):
    with pytest.raises(argparse.ArgumentTypeError, match="neither a frame's number"):
        position(text)


class Pipe(io.BytesIO):
    """File that gives its content in small parts, as a pipe does."""

    def read(self, size=-1):
        return super().read(min(size, 1000))


@pytest.mark.parametrize("name", PIXEL_FORMATS)
def test_raw_frames_are_those_of_ffmpeg(name):
    rng = np.random.default_rng(0)
    smooth = [cv2.resize(rng.integers(0, 255, (4, 6, 3), dtype=np.uint8), (96, 64)) for _ in range(3)]
    raw, expected = b"", []
    for image in smooth:
        of_format = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=name)
        raw += of_format.to_ndarray().tobytes()
        expected.append(of_format.reformat(format="bgr24").to_ndarray())
    frames = RawFrameStream(Pipe(raw), (96, 64), pixel_format=name, fps=5)
    assert (frames.name, frames.height, frames.width, frames.fps, frames.is_live) == ("stdin", 64, 96, 5, True)
    found = list(frames)
    assert [index for index, _ in found] == [0, 1, 2]
    for (_, image), reference in zip(found, expected):
        assert np.abs(image.astype(int) - reference).mean() < 3
        image[0] = 0  # may be written to


def test_raw_frames_that_are_cut_off(caplog):
    data = frame(3).tobytes()
    with caplog.at_level(logging.WARNING):
        assert len(list(RawFrameStream(Pipe(2 * data + data[:500]), (96, 64)))) == 2
    assert "stdin: ends in the middle of frame 2, which is left out" in caplog.text
    with pytest.raises(VideoReadError, match="stdin: holds 500 bytes, less than one frame of 96x64 in bgr24"):
        RawFrameStream(Pipe(data[:500]), (96, 64))
    with pytest.raises(VideoReadError, match="frames in nv12 have even sides, not 95x64"):
        RawFrameStream(Pipe(data), (95, 64), pixel_format="nv12")


def test_standard_input(monkeypatch):
    class Input:
        buffer = Pipe(frame(1).tobytes() + frame(2).tobytes())

        def isatty(self):
            return False

    monkeypatch.setattr("sys.stdin", Input())
    assert numbers(open_source("-", SourceOptions(size=(96, 64), start=1))) == [(0, 2)]
    with pytest.raises(VideoReadError, match="give --size"):
        open_source("-", SourceOptions())
    Input.isatty = lambda self: True
    with pytest.raises(VideoReadError, match="is a terminal"):
        open_source("-", SourceOptions(size=(96, 64)))


def mpegts(first, count):
    """A live stream's bytes: MPEG-TS states no length."""
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as container:
        stream = container.add_stream("mpeg2video", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 96, 64, "yuv420p", 2_000_000
        for index in range(first, first + count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame(index), format="bgr24")))
        container.mux(stream.encode(None))
    return file.getvalue()


class Camera(http.server.BaseHTTPRequestHandler):
    """Server whose connections break off, and are refused now and then."""

    parts: list = []

    def do_GET(self):
        part = self.parts.pop(0) if self.parts else None
        if part is None:
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def camera(monkeypatch):
    monkeypatch.setattr(live_stream, "_FIRST_WAIT", 0.05)
    monkeypatch.setattr(live_stream, "_LAST_WAIT", 0.2)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/live"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_live_stream_that_breaks_off_is_opened_again(camera, caplog):
    Camera.parts = [mpegts(0, 5), None, mpegts(5, 5), mpegts(10, 5)]
    with caplog.at_level(logging.WARNING):
        frames = open_source(camera, SourceOptions(reconnect_seconds=1.0))
        assert isinstance(frames, LiveStream) and frames.is_live
        found = numbers(frames)
    assert found == [(index, index) for index in range(15)]
    times = [frames.frame_time(index) for index in range(15)]
    assert all(later - earlier >= 0.099 for earlier, later in zip(times, times[1:]))
    assert "broke off after 5 frames" in caplog.text and "ended after 15 frames" in caplog.text


def test_without_reconnection_a_live_stream_ends(camera):
    Camera.parts = [mpegts(0, 5), mpegts(5, 5)]
    assert len(list(open_source(camera, SourceOptions(reconnect_seconds=0.0)))) == 5
    with pytest.raises(VideoReadError, match="cannot be opened as a video"):
        Camera.parts = []
        open_source(camera, SourceOptions())


def test_waiting_for_a_live_stream_can_be_stopped(camera):
    Camera.parts = [mpegts(0, 5)]
    frames = open_source(camera, SourceOptions(reconnect_seconds=60.0))
    thread = threading.Thread(target=lambda: list(frames))
    thread.start()
    frames.stop()
    thread.join(timeout=5)
    assert not thread.is_alive()


def test_lists_of_videos(tmp_path, clip, folder):
    other = tmp_path / "b 10.mp4"
    with VideoWriter(other, 10) as writer:
        writer.write(scene(0))
    (tmp_path / "list.txt").write_text("# mine\n\nclip.mp4\nwalk\nrtsp://camera/1\n0\n")
    videos = list_videos(str(tmp_path / "list.txt"))
    assert videos == [clip, folder, "rtsp://camera/1", "0"]
    assert list_videos(str(tmp_path)) == [str(other), clip]
    assert list_videos(str(tmp_path / "*.mp4")) == [str(other), clip]
    for single in (clip, folder, str(tmp_path / "clip*"), str(tmp_path / "walk" / "*.png"), "0", "rtsp://a/b?c", "-"):
        assert list_videos(single) is None, single
    (tmp_path / "empty.txt").write_text("\n# nothing\n")
    with pytest.raises(VideoReadError, match=r"empty\.txt: names no video"):
        list_videos(str(tmp_path / "empty.txt"))
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(VideoReadError, match=r"binary\.txt: is no text file"):
        list_videos(str(tmp_path / "binary.txt"))


def test_a_text_that_is_no_list_of_videos(tmp_path):
    path = tmp_path / "README.txt"
    path.write_text("Two clips.\n\nMade in 2024.\n")
    with pytest.raises(VideoReadError, match=r"README\.txt: line 1: 'Two clips\.' is no video, .* no list of videos"):
        list_videos(str(path))
    # A video that is missing is no reason to leave the others out.
    path.write_text("absent.mp4\n# Two clips.\nframes/*.png\nabsent/0001.jpg\n")
    assert list_videos(str(path)) == [
        str(tmp_path / name) for name in ("absent.mp4", "frames/*.png", "absent/0001.jpg")
    ]
    path.write_text("absent.mp4\nabsent\n")
    with pytest.raises(VideoReadError, match=r"README\.txt: line 2: 'absent' is no video"):
        list_videos(str(path))


def test_sources_are_checked_without_opening_cameras_and_streams(tmp_path, monkeypatch):
    for source in ("0", "/dev/video0", "rtsp://camera/1", "-"):
        check_source(source)
    (tmp_path / "broken.mp4").write_bytes(b"broken")
    for source in ("absent.mp4", str(tmp_path / "broken.mp4"), str(tmp_path)):
        with pytest.raises(VideoReadError, match=source):
            check_source(source)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0").mkdir()
    assert is_camera("1") and is_camera("/dev/video1") and not is_camera("clip1") and not is_camera("0")
