"""Characters, photos and clips of ``synthetic/assets/``, decoded once a process.

Colors are BGR. Characters hold premultiplied alpha, so that warping, halving and blurring them leaves no fringe.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import cv2
import numpy as np

from ictrack.data.video_io import open_frames

ASSET_ROOT = Path(__file__).parents[1] / "assets"
CATEGORIES = ("person", "animal", "vehicle", "food")
CATEGORY_WEIGHTS = (0.25, 0.4, 0.2, 0.15)

NUM_LEVELS = 3
GREY_SATURATION = 60.0


class SampleAssetError(ValueError):
    """Missing or unreadable asset; the message names the file."""


@dataclass(frozen=True)
class Character:
    """Cut-out character: a sheet of ``frames`` frames, ``columns`` a row, each of ``size`` (height, width)."""

    file: str
    name: str
    family: str
    category: str
    split: str
    frames: int
    columns: int
    size: tuple[int, int]

    @property
    def key(self) -> str:
        """Unique name."""
        return Path(self.file).stem


@dataclass(frozen=True)
class Background:
    """Photo, or clip with its shots as [first, last + 1) frame ranges."""

    file: str
    kind: str
    split: str
    shots: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Sprite:
    """Decoded character: its sheet at full, half and quarter size, uint8 BGRA with premultiplied alpha."""

    character: Character
    levels: Sequence[np.ndarray]

    def frame(self, index: int, level: int) -> np.ndarray:
        """View of frame ``index`` modulo the number of frames, at 1 / 2**level of its size."""
        row, column = divmod(index % self.character.frames, self.character.columns)
        height, width = (side >> level for side in self.character.size)
        return self.levels[level][row * height : (row + 1) * height, column * width : (column + 1) * width]


@lru_cache(maxsize=1)
def load_manifest() -> tuple[tuple[Character, ...], tuple[Background, ...]]:
    """All characters and backgrounds.

    Raises:
        SampleAssetError: If the manifest is missing or malformed.
    """
    path = ASSET_ROOT / "manifest.json"
    try:
        manifest = json.loads(path.read_text())
        characters = tuple(Character(**{**row, "size": tuple(row["size"])}) for row in manifest["characters"])
        backgrounds = tuple(
            Background(**{**row, "shots": tuple(tuple(shot) for shot in row.get("shots", ()))})
            for row in manifest["backgrounds"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SampleAssetError(f"{path}: {error}") from error
    return characters, backgrounds


def characters_of(split: str) -> tuple[Character, ...]:
    """Characters of a split, "train", "tune" or "val"."""
    return tuple(c for c in load_manifest()[0] if c.split == split)


def backgrounds_of(split: str) -> tuple[Background, ...]:
    """Photos and clips of a split, "train", "tune" or "val"."""
    return tuple(b for b in load_manifest()[1] if b.split == split)


def real_clips() -> tuple[Path, ...]:
    """Paths of real clips that are not used in training, to show tracks on."""
    return tuple(ASSET_ROOT / b.file for b in load_manifest()[1] if b.kind == "clip" and b.split != "train")


@lru_cache(maxsize=512)
def load_sprite(character: Character) -> Sprite:
    """Decoded character."""
    bgra = _read(character.file, cv2.IMREAD_UNCHANGED)
    if bgra.ndim != 3 or bgra.shape[2] != 4:
        raise SampleAssetError(f"{ASSET_ROOT / character.file}: no alpha channel")
    alpha = bgra[..., 3:].astype(np.uint16)
    premultiplied = np.concatenate([((bgra[..., :3] * alpha + 127) // 255).astype(np.uint8), bgra[..., 3:]], axis=2)
    return Sprite(character, _halvings(premultiplied))


def recolor(sprite: Sprite, hue: float, tint: Sequence[float]) -> Sprite:
    """Look-alike in another color: the hue is turned, or a character with little color is tinted.

    Args:
        sprite: Character.
        hue: Rotation of the hue in degrees.
        tint: Factors of blue, green and red, at most 1, for characters of a mean saturation below GREY_SATURATION.
    """
    sheet = sprite.levels[0]
    # Premultiplied alpha changes only the value, not hue and saturation.
    hsv = cv2.cvtColor(sheet[..., :3], cv2.COLOR_BGR2HSV)
    opaque = sheet[..., 3] > 128
    if hsv[..., 1][opaque].mean() < GREY_SATURATION:
        bgr: np.ndarray = (sheet[..., :3] * np.asarray(tint, np.float32)).astype(np.uint8)
    else:
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + round(hue / 2)) % 180
        bgr = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    return Sprite(sprite.character, _halvings(np.dstack([bgr, sheet[..., 3]])))


@lru_cache(maxsize=32)
def load_photo(file: str) -> Sequence[np.ndarray]:
    """Photo at full, half and quarter size, uint8 BGR."""
    return _halvings(_read(file, cv2.IMREAD_COLOR))


@cache
def load_clip(file: str) -> Sequence[np.ndarray]:
    """All frames of a clip, uint8 BGR."""
    with open_frames(ASSET_ROOT / file) as frames:
        return [frame for _, frame in frames]


def _halvings(image: np.ndarray) -> list[np.ndarray]:
    levels = [image]
    for _ in range(NUM_LEVELS - 1):
        height, width = levels[-1].shape[:2]
        levels.append(cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA))
    return levels


def _read(file: str, flags: int) -> np.ndarray:
    image = cv2.imread(str(ASSET_ROOT / file), flags)
    if image is None:
        raise SampleAssetError(f"{ASSET_ROOT / file}: missing or not a readable image")
    return image
