"""One reader of pictures: what frames, random access and training see of a file is the same, whatever the file is."""

import io
import logging
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ictrack.data.frame_stream import VideoReadError
from ictrack.data.image_file import ImageFile, ImageReadError, list_pages, read_image, read_reduced_image
from ictrack.data.video_io import open_frames
from ictrack.structures.open_image import open_image

HEIGHT, WIDTH = 24, 32


def grey():
    """Levels from 0 to 253 of mean 87."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return ((x / (WIDTH - 1)) ** 2 * 253).astype(np.uint8) | (y & 1).astype(np.uint8)


def colors():
    level = grey()
    return np.dstack([level, level[::-1], 255 - level])  # RGB


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16(channels, values):
    """A PNG of 16 bits a sample; Pillow writes none with colors."""
    rows = np.concatenate(
        [np.zeros((len(values), 1), np.uint8), values.astype(">u2").reshape(len(values), -1).view("u1")], 1
    )
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows.tobytes())) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def tiff(values, bits=16, sample_format=1, big_endian=False):
    """An uncompressed TIFF of (H, W) or (H, W, 3) values in their own type."""
    order = ">" if big_endian else "<"
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    samples = 1 if values.ndim == 2 else values.shape[2]
    height, width = values.shape[:2]
    tags = [
        (256, 3, width), (257, 3, height), (258, 3, bits), (259, 3, 1), (262, 3, 1 if samples == 1 else 2), (273, 4, 8),
        (277, 3, samples), (278, 3, height), (279, 4, len(data)), (339, 3, sample_format),
    ]  # fmt: skip
    entries, extra, extra_at = b"", b"", 8 + len(data) + 2 + 12 * len(tags) + 4
    for tag, kind, value in tags:
        if tag in (258, 339) and samples == 3:
            entries += struct.pack(order + "HHII", tag, kind, 3, extra_at + len(extra))
            extra += struct.pack(order + "3H", *[value] * 3)
        elif kind == 3:
            entries += struct.pack(order + "HHIHH", tag, kind, 1, value, 0)
        else:
            entries += struct.pack(order + "HHII", tag, kind, 1, value)
    head = (b"MM\0*" if big_endian else b"II*\0") + struct.pack(order + "I", 8 + len(data))
    return head + data + struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", 0) + extra


def encoded(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def palette_with_alpha():
    image = Image.fromarray(grey()).convert("P")
    image.putpalette([level for level in range(256) for _ in range(3)])
    return encoded(image, "PNG", transparency=bytes(range(256)))


WIDE = grey().astype(np.uint16) * 257
FILES = {
    "grey16.png": (png16(1, WIDE), grey()),
    "grey16_alpha.png": (png16(2, np.dstack([WIDE, WIDE[::-1]])), grey()),
    "rgb16.png": (png16(3, colors().astype(np.uint16) * 257), colors()),
    "rgba16.png": (png16(4, np.dstack([colors(), grey()]).astype(np.uint16) * 257), colors()),
    "grey16.tif": (tiff(WIDE), grey()),
    "grey16_big_endian.tiff": (tiff(WIDE, big_endian=True), grey()),
    "rgb16.tif": (tiff(colors().astype(np.uint16) * 257), colors()),
    "grey16.ppm": (b"P5 %d %d 65535\n" % (WIDTH, HEIGHT) + WIDE.astype(">u2").tobytes(), grey()),
    "one_bit.png": (encoded(Image.fromarray(grey() > 99), "PNG"), (grey() > 99).astype(np.uint8) * 255),
    "one_bit.tif": (encoded(Image.fromarray(grey() > 99), "TIFF", compression="group4"), (grey() > 99) * np.uint8(255)),
    "palette.png": (palette_with_alpha(), grey()),
    "grey_alpha.png": (encoded(Image.fromarray(np.dstack([grey(), grey()]), "LA"), "PNG"), grey()),
    "rgba.webp": (
        encoded(Image.fromarray(np.dstack([colors(), grey() | 1])), "WEBP", lossless=True, exact=True),
        colors(),
    ),
    "cmyk.tif": (
        encoded(Image.fromarray(255 - np.dstack([colors(), grey() * 0 + 255])[..., :4], "CMYK"), "TIFF"),
        colors(),
    ),
}


def everywhere(path):
    """RGB of the file by each reader; they must agree."""
    _, frame = next(iter(open_frames(path)))
    reduced = read_reduced_image(str(path), lambda size: 1)
    assert reduced.image.shape[:2] == (reduced.height, reduced.width)
    assert np.array_equal(frame, reduced.image) and np.array_equal(frame, read_image(path))
    assert np.array_equal(frame[..., ::-1], read_image(path, format="RGB"))
    return frame[..., ::-1]


@pytest.mark.parametrize("name", FILES)
def test_pixels_of_every_kind_are_the_same_to_all_readers(tmp_path, name):
    data, expected = FILES[name]
    (tmp_path / name).write_bytes(data)
    expected = np.dstack([expected] * 3) if expected.ndim == 2 else expected
    assert np.array_equal(everywhere(tmp_path / name), expected)


def test_cmyk_jpeg(tmp_path):
    Image.fromarray(np.full((16, 16, 3), (200, 100, 50), np.uint8)).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert np.abs(everywhere(tmp_path / "a.jpg")[8, 8].astype(int) - (200, 100, 50)).max() <= 4


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (tiff(grey() / np.float32(255), 32, 3), "floating-point"),
        (tiff(colors() / np.float32(255), 32, 3), "x.tif"),
        (tiff(grey().astype(np.int32), 32, 2), "32 bits"),
        (tiff(grey().astype(np.int16), 16, 2), "with a sign"),
        (b"", "not of a known format"),
        (tiff(WIDE)[:900], "x.tif: "),
        (encoded(Image.fromarray(colors()), "PNG")[:-60], "truncated"),
        (encoded(Image.fromarray(colors()), "BMP")[:300], "truncated"),
        (encoded(Image.fromarray(colors()), "WEBP")[:100], "x.tif: "),
        (png16(1, WIDE)[:16] + struct.pack(">II", 2**16, 2**16) + png16(1, WIDE)[24:], "x.tif: "),
    ],
)
def test_what_cannot_be_shown_is_refused_by_all_readers_alike(tmp_path, data, reason):
    path = tmp_path / "x.tif"
    path.write_bytes(data)
    messages = []
    for error, read in [
        (VideoReadError, open_frames),
        (ImageReadError, read_image),
        (ImageReadError, lambda path: read_reduced_image(str(path), lambda size: 2)),
    ]:
        with pytest.raises(error, match=reason) as caught:
            read(path)
        messages.append(str(caught.value))
    assert len(set(messages)) == 1 and str(path) in messages[0] and "0x" not in messages[0] and "\n" not in messages[0]


def test_a_gif_of_a_few_bytes_is_no_huge_picture(tmp_path):
    """Pillow leaves pixels blank whose codes are missing."""
    path = tmp_path / "a.gif"
    Image.new("L", (2000, 2000), 7).save(path)  # as small as a picture of this size can be
    assert (read_image(path) == 7).all()
    Image.new("L", (3, 2)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[:6] + struct.pack("<HH", 20000, 5000) + data[10:])
    with pytest.raises(ImageReadError, match=rf"a\.gif: .*{len(data)} bytes cannot be 20000 x 5000 pixels"):
        read_image(path)
    with path.open("rb") as file, pytest.raises(OSError, match="cannot be 20000 x 5000"):
        open_image(file)


def test_a_missing_file_and_a_folder_are_named_once(tmp_path):
    (tmp_path / "folder.png").mkdir()
    for name in ("gone.png", "folder.png"):
        with pytest.raises(ImageReadError) as caught:
            read_image(tmp_path / name)
        assert str(caught.value).count(name) == 1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
def test_damage_anywhere_is_an_error_of_ours_or_none(tmp_path, format, seed):
    whole = encoded(Image.fromarray(colors()), format)
    rng = np.random.default_rng(seed)
    for _ in range(25):
        data = bytearray(whole)
        for at in rng.integers(0, min(len(data), 200), 4):
            data[at] = rng.integers(256)
        (tmp_path / "x.png").write_bytes(data)
        try:
            image = read_image(tmp_path / "x.png")
        except ImageReadError as error:
            assert "x.png" in str(error)
        else:
            assert image.dtype == np.uint8 and image.shape[2] == 3


@pytest.mark.parametrize("kind", ["zTXt", "iTXt", "iCCP", "checksum", "after"])
def test_texts_of_a_png_do_not_matter(tmp_path, kind):
    whole = encoded(Image.fromarray(colors()), "PNG")
    long = zlib.compress(b"x" * 3_000_000)
    text = {
        "zTXt": chunk(b"zTXt", b"Description\0\0" + long),
        "iTXt": chunk(b"iTXt", b"parameters\0\1\0\0\0" + long),
        "iCCP": chunk(b"iCCP", b"profile\0\0" + long),
        "checksum": chunk(b"tEXt", b"Comment\0good")[:-1] + b"\0",
        "after": chunk(b"zTXt", b"Description\0\0" + long),
    }[kind]
    at = len(whole) - 12 if kind == "after" else 33  # before the end, or behind the header
    (tmp_path / "long.png").write_bytes(whole[:at] + text + whole[at:])
    assert np.array_equal(everywhere(tmp_path / "long.png"), colors())


@pytest.mark.parametrize("trailer", ["mp4", "second", "zeros", "markers"])
@pytest.mark.parametrize("factor", [1, 4])
def test_a_jpeg_ends_at_its_end_marker(tmp_path, trailer, factor):
    whole = encoded(Image.fromarray(np.kron(colors(), np.ones((8, 8, 1), np.uint8))), "JPEG", quality=95)
    (tmp_path / "whole.jpg").write_bytes(whole)
    expected = read_reduced_image(str(tmp_path / "whole.jpg"), lambda size: factor).image
    more = {
        "mp4": b"\0\0\0\x18ftypmp42" + bytes(4000) + b"\xff\xda" * 9,
        "second": whole[: len(whole) // 2],
        "zeros": bytes(400_000),
        "markers": b"\xff\xda\xff\xd8\xff\xe1",
    }[trailer]
    (tmp_path / "motion.jpg").write_bytes(whole + more)
    assert np.array_equal(read_reduced_image(str(tmp_path / "motion.jpg"), lambda size: factor).image, expected)
    assert everywhere(tmp_path / "motion.jpg").shape == (HEIGHT * 8, WIDTH * 8, 3)
    # A preview inside the header has an end marker of its own, which is not that of the picture.
    exif = b"Exif\0\0" + whole[:200] + b"\xff\xd9"
    cut = whole[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + whole[2 : len(whole) * 2 // 3]
    (tmp_path / "cut.jpg").write_bytes(cut)
    with pytest.raises(ImageReadError, match=r"cut\.jpg.*truncated"):
        read_reduced_image(str(tmp_path / "cut.jpg"), lambda size: factor)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, format, orientation):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = 255
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"phone.{format.lower()}"
    path = path.with_suffix(".jpg") if format == "JPEG" else path
    Image.fromarray(np.ascontiguousarray(stored)).save(path, format, exif=exif)
    assert np.abs(everywhere(path).astype(int) - upright).mean() < 4


def test_damaged_exif_leaves_the_picture(tmp_path):
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\x03\0"
    Image.fromarray(colors()).save(tmp_path / "a.jpg", exif=exif)
    assert everywhere(tmp_path / "a.jpg").shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 5), (100, 5)])
@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_jpegs_smaller_than_a_block_are_reduced(tmp_path, size, factor):
    Image.new("RGB", size[::-1], (90, 90, 90)).save(tmp_path / "a.jpg")
    frame = read_reduced_image(str(tmp_path / "a.jpg"), lambda _: factor)
    assert frame.image.shape == (-(-size[0] // factor), -(-size[1] // factor), 3)
    assert (frame.height, frame.width, frame.reduction) == (*size, factor)


def numbered(index):
    image = np.full((HEIGHT, WIDTH, 3), 20 + 20 * index, np.uint8)
    image[:, index] = 255
    return Image.fromarray(image)


def save_pages(path, count=6, **options):
    numbered(0).save(path, save_all=True, append_images=[numbered(index) for index in range(1, count)], **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("stack.tif", {}),
        ("stack.tiff", {"compression": "tiff_lzw"}),
        ("anim.webp", {"lossless": True, "duration": 40}),
        ("anim.png", {"duration": 40}),
        ("with_poster.png", {"duration": 40, "default_image": True}),
    ],
)
def test_all_pictures_of_a_file_are_frames(tmp_path, name, options):
    path = tmp_path / name
    save_pages(path, **options)
    first = 1 if "default_image" in options else 0
    with open_frames(path) as frames:
        assert frames.length == 6 - first
        read = list(frames)
    assert [index for index, _ in read] == list(range(6 - first))
    for index, frame in read:
        assert np.array_equal(frame, np.asarray(numbered(index + first)))
    with ImageFile(path) as file:  # in any order
        for page in (3, 0, 4, 4, 1):
            assert np.array_equal(file.read(page), read[page][1])


def test_stacks_and_single_pictures_of_a_folder_are_one_video(tmp_path, caplog):
    save_pages(tmp_path / "0.tif", 3)
    numbered(3).save(tmp_path / "1.tif")
    save_pages(tmp_path / "2.png", 2)
    pictures = list_pages([str(tmp_path / name) for name in ("0.tif", "1.tif", "2.png")])
    assert [picture.page for picture in pictures] == [0, 1, 2, 0, 0, 1]
    assert [picture.name for picture in pictures][2:4] == ["0_00002.tif", "1.tif"]
    assert [int(frame[0, -1, 0]) for _, frame in open_frames(tmp_path)] == [20, 40, 60, 80, 20, 40]
    with caplog.at_level(logging.WARNING):
        (tmp_path / "0.tif").write_bytes((tmp_path / "0.tif").read_bytes()[:-200])
        frames = open_frames(tmp_path)
        read = [int(frame[0, -1, 0]) for _, frame in frames]
    assert read[:2] == [20, 40] and read[-3:] == [80, 20, 40] and "0.tif" in caplog.text


def test_copies_in_a_tiff_and_maps_in_a_jpeg_are_no_frames(tmp_path):
    small = numbered(0).resize((8, 6))
    copies = encoded(numbered(0), "TIFF", save_all=True, append_images=[small], tiffinfo={254: 1})
    copy, whole = (struct.pack("<HHII", 254, 4, 1, kind) for kind in (1, 0))
    (tmp_path / "pyramid.tif").write_bytes(copies.replace(copy, whole, 1))
    with Image.open(tmp_path / "pyramid.tif") as image:
        assert image.n_frames == 2 and image.size == (32, 24) and image.tag_v2[254] == 0
    assert len(list(open_frames(tmp_path / "pyramid.tif"))) == 1
    numbered(0).save(tmp_path / "ultra_hdr.jpg", "MPO", save_all=True, append_images=[small])
    assert len(list(open_frames(tmp_path / "ultra_hdr.jpg"))) == 1
    assert read_reduced_image(str(tmp_path / "ultra_hdr.jpg"), lambda size: 2).image.shape == (12, 16, 3)
