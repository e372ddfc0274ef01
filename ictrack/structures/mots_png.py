"""MOTS as pictures: ``<sequence>/<frame>.png``, 16-bit, whose pixels hold class * 1000 + number of the object.

The second form of MOTSChallenge's and KITTI MOTS's ground truth (vision.rwth-aachen.de/page/mots): 0 is background,
10000 a region in which nothing was annotated, and the pixel's value the identity that the text files have.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .atomic_file import replacing_path
from .hidden_files import is_hidden
from .json_files import AnnotationError, require
from .mots_text import MOTSObject
from .rle import encode_mask

SUFFIX = ".png"
OBJECTS_PER_CLASS = 1000


def png_sequences(path: str | Path) -> dict[str, list[Path]]:
    """Pictures, in the order of frames, by sequence of a folder of folders, or of one sequence's; {} if there are none.

    Raises AnnotationError if a picture's name is not the number of a frame.
    """
    path = Path(path)
    if not path.is_dir():
        return {}
    alone = _pictures(path)
    if alone:
        return {path.resolve().name: alone}
    folders = [child for child in sorted(path.iterdir()) if child.is_dir() and not is_hidden(child.name)]
    return {folder.name: pictures for folder in folders if (pictures := _pictures(folder))}


def read_png(path: Path) -> np.ndarray:
    """Whole numbers (H, W) of a picture of one channel, those of the palette if it has one.

    Raises AnnotationError if it is no such picture.
    """
    from PIL import Image, UnidentifiedImageError  # only pictures need Pillow

    try:
        with Image.open(path, formats=("PNG",)) as image:
            values = np.array(image)
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError, OSError) as error:
        raise AnnotationError(f"{path}: cannot be read: {error}") from None
    usable = values.ndim == 2 and np.issubdtype(values.dtype, np.integer)
    require(usable, str(path), "must be a picture of one channel with whole numbers")
    return values


def read_png_masks(path: Path) -> Iterator[MOTSObject]:
    """Masks of a picture, by ascending identity. Raises AnnotationError as :func:`read_png`."""
    values = read_png(path)
    for value in np.unique(values).tolist():
        if value:
            rle = encode_mask(values == value)
            yield MOTSObject(int(path.stem), value, value // OBJECTS_PER_CLASS, rle)


def write_png_masks(path: str | Path, values: np.ndarray) -> None:
    """Write a picture of 16-bit values (H, W), which appears when it is complete."""
    from PIL import Image

    with replacing_path(path) as part:
        Image.fromarray(values.astype(np.uint16)).save(part, format="PNG")


def _pictures(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.suffix == SUFFIX and not is_hidden(path.name)]
    for path in found:
        require(path.stem.isdigit(), str(path), "the name must be the number of a frame")
    return sorted(found, key=lambda path: int(path.stem))
