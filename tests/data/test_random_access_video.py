"""Frames by index: exact in every container, decoded smaller, damaged files named."""

import logging

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from ictrack.data.frame_stream import VideoReadError
from ictrack.data.image_file import ImageReadError, read_reduced_image, shrink
from ictrack.data.random_access_video import FileVideo, ImageFolderVideo

HEIGHT, WIDTH, LENGTH = 48, 64, 40


def whole(position, size):
    return 1


def write_video(path, codec="libx264", pixels="yuv420p", **options):
    """Frames told apart by their grey level, with B-frames and short distances between keyframes where asked."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={key: str(value) for key, value in options.items()})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        for index in range(LENGTH):
            frame = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), 20 + 5 * index, np.uint8), format="bgr24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return str(path)


def read_in_order(path):
    with av.open(path) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "options"),
    [
        ("a.mp4", "libx264", "yuv420p", {"bf": 3, "g": 12}),
        ("open_gop.mp4", "libx264", "yuv420p", {"bf": 3, "g": 12, "x264-params": "open-gop=1"}),
        ("a.mov", "libx264", "yuv420p", {"bf": 2}),
        ("a.mkv", "libx264", "yuv420p", {"bf": 2, "g": 10}),
        ("timeless.avi", "libx264", "yuv420p", {"bf": 2, "g": 10}),
        ("a.avi", "mjpeg", "yuvj420p", {}),
        ("a.webm", "libvpx", "yuv420p", {"g": 10}),
    ],
)
def test_frames_are_those_of_reading_in_order(tmp_path, name, codec, pixels, options):
    path = write_video(tmp_path / name, codec, pixels, **options)
    expected = read_in_order(path)
    video = FileVideo(path, num_threads=1)
    assert (video.length, video.fps) == (LENGTH, 25)
    for first in (0, 1, 7, 11, 12, 13, 23, 31, LENGTH - 5, LENGTH - 1):
        indices = [first, min(first + 4, LENGTH - 1), min(first + 4, LENGTH - 1)]
        for index, frame in zip(indices, video.read(indices, whole)):
            assert np.array_equal(frame.image, expected[index]), f"frame {index}"


def test_video_frames_are_decoded_smaller(tmp_path):
    path = write_video(tmp_path / "a.mp4")
    (frame,) = FileVideo(path, 1).read([9], lambda position, size: 4 if size == (HEIGHT, WIDTH) else 1)
    assert (frame.image.shape, frame.height, frame.width, frame.reduction) == ((12, 16, 3), HEIGHT, WIDTH, 4)
    assert abs(frame.image.mean() - read_in_order(path)[9].mean()) < 3


def test_variable_frame_rate_is_counted_in_frames(tmp_path):
    path = str(tmp_path / "slow.mkv")
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "5"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), 10 * index, np.uint8), format="bgr24")
            frame.pts = index**2
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    expected = read_in_order(path)
    video = FileVideo(path, 1)
    assert video.length == 20
    for index in (3, 11, 19):
        assert np.array_equal(video.read([index], whole)[0].image, expected[index])


def test_truncated_video_has_the_frames_that_are_there(tmp_path, caplog):
    rng = np.random.default_rng(0)
    path = tmp_path / "cut.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "5"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for _ in range(LENGTH):
            noise = rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="bgr24")))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with caplog.at_level(logging.WARNING):
        video = FileVideo(str(path), 1)
    assert 5 < video.length < LENGTH and "cut.mp4" in caplog.text
    assert len(video.read([0, 3], whole)) == 2


@pytest.mark.parametrize("content", [b"", b"this is text\n" * 100, b"\x00\x00\x00\x18ftypisom"])
def test_a_file_that_is_no_video_is_named(tmp_path, content):
    path = tmp_path / "odd.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoReadError, match=r"odd\.mp4"):
        FileVideo(str(path), 1)
    with pytest.raises(VideoReadError, match=r"gone\.mp4"):
        FileVideo(str(tmp_path / "gone.mp4"), 1)


def test_a_damaged_frame_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "torn.mkv"
    write_video(path, g=40)
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : 2 * len(content) // 3] = bytes(len(content) // 3 + 1)
    path.write_bytes(content)
    video = FileVideo(str(path), 1)
    read = []
    for index in range(video.length):
        try:
            read.append(video.read([index], whole))
        except VideoReadError as error:
            assert "torn.mkv" in str(error)
    assert len(read) < LENGTH


def gradient(height, width):
    """Linear in x and y, so that means of blocks are known."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x + 10, y + 20, 60 + (x + y) // 2], axis=2).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("size", [(64, 96), (61, 91)])
@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_pixels_of_smaller_images_are_means_of_blocks(tmp_path, suffix, size, factor):
    image = gradient(*size)
    path = str(tmp_path / f"a{suffix}")
    cv2.imwrite(path, image, [cv2.IMWRITE_JPEG_QUALITY, 100])
    frame = read_reduced_image(path, lambda found: factor if found == size else 1)
    assert (frame.height, frame.width, frame.reduction) == (*size, factor)
    assert frame.image.shape[:2] == (-(-size[0] // factor), -(-size[1] // factor))
    rows, columns = size[0] // factor, size[1] // factor
    blocks = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor, 3).mean((1, 3))
    assert np.abs(frame.image[:rows, :columns] - blocks).max() <= 4  # JPEG


def test_shrink_fills_incomplete_blocks_by_their_edge():
    assert shrink(np.array([[[10], [20], [60]]], np.uint8), 2).tolist() == [[15, 60]]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("factor", [1, 4])
def test_exif_orientation_turns_the_image(tmp_path, orientation, factor):
    upright = np.zeros((37, 50, 3), np.uint8)
    upright[:12] = 255
    turns = {1: 0, 3: 2, 6: 1, 8: 3}[orientation]  # clockwise, for display
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.rot90(upright, turns)).save(tmp_path / "phone.jpg", exif=exif, quality=95)
    frame = read_reduced_image(str(tmp_path / "phone.jpg"), lambda size: factor)
    assert (frame.height, frame.width) == (37, 50)
    assert frame.image.shape[:2] == (-(-37 // factor), -(-50 // factor))
    assert np.abs(frame.image.astype(int) - shrink(upright, factor)).mean() < 4


def test_images_may_differ_in_size_and_kind(tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), np.full((10, 20), 50, np.uint8))  # grey
    cv2.imwrite(str(tmp_path / "1.png"), np.full((30, 20, 4), 60, np.uint8))  # with alpha
    video = ImageFolderVideo([str(tmp_path / "0.png"), str(tmp_path / "1.png")], fps=6)
    first, second = video.read([0, 1], lambda position, size: 1 + position)
    assert (first.image.shape, second.image.shape) == ((10, 20, 3), (15, 10, 3))
    assert (first.image == 50).all() and (second.image == 60).all()


@pytest.mark.parametrize("damage", ["text", "empty", "half", "missing", "header"])
def test_bad_images_are_named(tmp_path, damage):
    path = tmp_path / "bad.jpg"
    cv2.imwrite(str(path), np.random.randint(0, 255, (64, 64, 3), dtype=np.uint8))
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        parts = {"text": b"plain text", "empty": b"", "half": content[: len(content) // 2], "header": content[:20]}
        path.write_bytes(parts[damage])
    with pytest.raises(ImageReadError, match=r"bad\.jpg"):
        read_reduced_image(str(path), lambda size: 2)
    with pytest.raises(VideoReadError, match=r"bad\.jpg"):
        ImageFolderVideo([str(path)], fps=10).read([0], whole)
