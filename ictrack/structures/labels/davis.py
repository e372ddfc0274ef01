"""DAVIS and YouTube-VOS: ``<video>/<frame>.png`` whose pixels hold the number of an object, with a palette.

0 is the background, 255 a region that does not count. Identities count from 1 in the files and from 0 here. There is
one class, "object".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pycocotools import mask as mask_util

from ..atomic_file import new_folder, replacing_path
from ..frame_tracks import VideoInfo
from ..json_files import require
from ..mots_png import png_sequences, read_png
from ..rle import encode_mask
from ..track_formats.rows import FrameFacts, LabeledVideo, Row
from .frames import listed_frames, picture_name
from .label_set import LabelSet

_CLASS = "object"
_VOID = 255


def read(path: Path) -> list[LabeledVideo]:
    """Videos of a folder of folders of pictures, or of one folder of them."""
    require(path.is_dir(), str(path), "no such folder")
    sequences = png_sequences(path)
    require(bool(sequences), str(path), "holds no PNG files")
    return [_video(path, name, pictures) for name, pictures in sequences.items()]


def _video(path: Path, name: str, pictures: list[Path]) -> LabeledVideo:
    video = LabeledVideo(str(path), VideoInfo(name, 0, 0, 0.0, (), ()), {_CLASS: _CLASS})
    is_binary = True
    for picture in pictures:
        values = read_png(picture)
        require(int(values.max(initial=0)) <= _VOID, str(picture), "holds values above 255: pictures of MOTS?")
        height, width = values.shape
        video.info = VideoInfo(name, video.info.height or height, video.info.width or width, 0.0, (), ())
        good = (height, width) == (video.info.height, video.info.width)
        require(good, str(picture), f"is {width} x {height}, the first is {video.info.width} x {video.info.height}")
        index = int(picture.stem)
        video.frames[index] = FrameFacts(f"{picture.stem}.jpg")
        for value in np.unique(values[values > 0]).tolist():
            row = Row(_CLASS, track_id=value - 1, rle=encode_mask(values == value), where=str(picture))
            is_binary &= value == _VOID
            video.add(index, row)
    for row in video:
        if row.track_id == _VOID - 1 and is_binary:  # DAVIS 2016: white on black is the one object
            row.track_id = 0
        elif row.track_id == _VOID - 1:
            row.track_id, row.is_crowd = None, True
    return video


def write(path: Path, labels: LabelSet) -> None:
    with new_folder(path) as part:
        for video in labels.videos:
            for index in listed_frames(video):
                picture = np.zeros((video.info.height, video.info.width), dtype=np.uint8)
                for row in video.rows.get(index, ()):
                    value = _VOID if row.is_crowd else (row.track_id or 0) + 1
                    picture[mask_util.decode(row.rle).astype(bool)] = value
                _write(part / video.info.name / f"{_stem(video, index)}.png", picture)


def _stem(video: LabeledVideo, index: int) -> str:
    stem = Path(picture_name(video, index)).stem
    return stem if stem.isdigit() and int(stem) == index else f"{index:05d}"


def _write(path: Path, values: np.ndarray) -> None:
    from PIL import Image

    image = Image.fromarray(values, mode="P")
    image.putpalette(palette().ravel().tolist())
    with replacing_path(path) as part:
        image.save(part, format="PNG")


def palette() -> np.ndarray:
    """Colors (256, 3) of PASCAL VOC, which DAVIS uses: the bits of the number are dealt to red, green and blue in turn,
    the highest bit of a color first."""
    numbers = np.arange(256)
    colors = np.zeros((256, 3), dtype=np.uint8)
    for place in range(8):
        for channel in range(3):
            colors[:, channel] |= (((numbers >> (3 * place + channel)) & 1) << (7 - place)).astype(np.uint8)
    return colors
