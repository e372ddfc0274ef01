"""Looks of people: textures of skin, hair, face and clothes in one atlas.

Textures go once round a part: the middle column is in front, columns to the right are on the person's left, and the top
row is the start of the part. Colors are BGR. Cloth is cut from photos of a split, or has hues of the split.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from synthetic.characters.assets import backgrounds_of, load_photo

# Part -> x, y, width, height of its texture.
TILES = {
    "head": (0, 0, 128, 64), "chest": (0, 64, 128, 64), "belly": (0, 128, 128, 32), "skirt": (0, 160, 128, 64),
    "left_sleeve": (128, 0, 64, 32), "right_sleeve": (192, 0, 64, 32),
    "left_forearm": (128, 32, 64, 32), "right_forearm": (192, 32, 64, 32),
    "left_thigh": (128, 64, 64, 32), "right_thigh": (192, 64, 64, 32),
    "left_shin": (128, 96, 64, 32), "right_shin": (192, 96, 64, 32),
    "bag": (128, 128, 64, 32), "hair": (192, 128, 64, 32), "hat": (128, 160, 64, 32), "shoe": (192, 160, 64, 32),
    "skin": (128, 192, 64, 32),
}  # fmt: skip
_ATLAS_SHAPE = (224, 256, 3)
# Margin of a tile, where the look-up mixes neighboring pixels.
_MARGIN = 1

# Number of sectors of the hue circle; their splits repeat.
_HUE_SECTORS = 15
_SECTOR_SPLITS = ("train", "train", "val", "train", "tune")
_SKINS = ((198, 222, 250), (165, 195, 236), (130, 168, 215), (96, 133, 186), (66, 96, 148), (46, 66, 104))
_HAIRS = ((28, 26, 26), (34, 44, 62), (40, 60, 96), (94, 160, 214), (50, 84, 170), (170, 170, 174), (36, 40, 46))
_MIN_HAIR_CONTRAST = 75.0
_CUTS = ("short", "long", "bun", "ponytail", "cap")
_CUT_WEIGHTS = (0.4, 0.21, 0.09, 0.12, 0.18)
_PATTERNS = ("photo", "plain", "stripes", "hoops", "checks", "dots")
_PATTERN_WEIGHTS = (0.36, 0.2, 0.1, 0.14, 0.1, 0.1)
_SLEEVES = ("long", "short", "none")
_TROUSERS = ("long", "shorts")

Color = np.ndarray


@dataclass(frozen=True)
class Outfit:
    """Look of a person. Cloth images are (96, 128, 3) uint8, wrapped once round the body.

    Attributes:
        split: Split of photos and hues of the clothes, "train", "tune" or "val".
        shirt, trousers: Cloth.
        shoe, hat, bag: Colors.
        sleeves, legs: Lengths of shirt and trousers.
        front: Front of the shirt: "zip", "print", "buttons" or "plain".
        back: Back of the shirt: "number" or "plain".
        number: Number on the back.
        trim: Color of prints, numbers and collars.
        skirt, backpack: Whether there is one.
        bag_side, watch_side: "left", "right" or "" for none.
        skin, hair_color: Colors.
        hair: Haircut, or "cap".
        beard, glasses: Whether there are any.
    """

    split: str
    shirt: np.ndarray
    trousers: np.ndarray
    shoe: Color
    hat: Color
    bag: Color
    sleeves: str
    legs: str
    front: str
    back: str
    number: int
    trim: Color
    skirt: bool
    backpack: bool
    bag_side: str
    watch_side: str
    skin: Color
    hair_color: Color
    hair: str
    beard: bool
    glasses: bool


@dataclass(frozen=True)
class Atlas:
    """Textures of a person: image (H, W, 3) uint8, and part -> (x, y, width, height) in it."""

    image: np.ndarray
    tiles: dict[str, tuple[int, int, int, int]]


def draw_outfit(rng: np.random.Generator, split: str) -> Outfit:
    """Random look of a split."""
    skin = np.array(_SKINS[rng.integers(len(_SKINS))]) * rng.uniform(0.93, 1.05)
    # Hair must differ from the face.
    hairs = [hair for hair in _HAIRS if np.linalg.norm(np.array(hair) - skin) > _MIN_HAIR_CONTRAST]
    hair_color = np.array(hairs[rng.integers(len(hairs))]) * rng.uniform(0.85, 1.1)
    shirt_color, trim = split_color(rng, split), split_color(rng, split)
    cut = _CUTS[rng.choice(len(_CUTS), p=_CUT_WEIGHTS)]
    carries = rng.random()
    return Outfit(
        split=split,
        shirt=cloth(rng, split, shirt_color),
        trousers=_trousers(rng, split),
        shoe=split_color(rng, split) if rng.random() < 0.5 else np.full(3, rng.uniform(25, 235)),
        hat=split_color(rng, split),
        bag=split_color(rng, split) * 0.85,
        sleeves=_SLEEVES[rng.choice(3, p=(0.4, 0.48, 0.12))],
        legs=_TROUSERS[rng.choice(2, p=(0.68, 0.32))],
        front=str(rng.choice(["zip", "print", "buttons", "plain"], p=[0.3, 0.35, 0.2, 0.15])),
        back="number" if rng.random() < 0.4 else "plain",
        number=int(rng.integers(1, 100)),
        trim=trim,
        skirt=bool(cut in ("long", "bun", "ponytail") and rng.random() < 0.4),
        backpack=bool(carries < 0.2),
        bag_side=("left" if rng.random() < 0.5 else "right") if carries > 0.78 else "",
        watch_side=("left" if rng.random() < 0.6 else "right") if rng.random() < 0.5 else "",
        skin=skin,
        hair_color=hair_color,
        hair=cut,
        beard=bool(cut in ("short", "cap") and rng.random() < 0.3),
        glasses=bool(rng.random() < 0.2),
    )


def look_alike(rng: np.random.Generator, outfit: Outfit) -> Outfit:
    """Look of another person in the same clothes, with all hues turned by the same angle."""
    turn = int(rng.integers(1, _HUE_SECTORS // len(_SECTOR_SPLITS))) * len(_SECTOR_SPLITS) * 360 // _HUE_SECTORS
    return replace(
        _other_head(rng, outfit), shirt=_turn_hue(outfit.shirt, turn), trim=_turn_hue(outfit.trim, turn),
        trousers=_trousers(rng, outfit.split),
    )  # fmt: skip


def team_mate(rng: np.random.Generator, outfit: Outfit) -> Outfit:
    """Look of another person in the same shirt and trousers, with another number."""
    return replace(_other_head(rng, outfit), back="number", number=int(rng.integers(1, 100)))


def _other_head(rng: np.random.Generator, outfit: Outfit) -> Outfit:
    """Outfit on another person, with other shoes and bags."""
    other = draw_outfit(rng, outfit.split)
    return replace(
        other, shirt=outfit.shirt, trousers=outfit.trousers, sleeves=outfit.sleeves, legs=outfit.legs,
        front=outfit.front, back=outfit.back, number=outfit.number, trim=outfit.trim, skirt=outfit.skirt,
    )  # fmt: skip


def split_color(rng: np.random.Generator, split: str) -> Color:
    """(3,) random color with a hue of the split."""
    sectors = [s for s in range(_HUE_SECTORS) if _SECTOR_SPLITS[s % len(_SECTOR_SPLITS)] == split]
    hue = (sectors[rng.integers(len(sectors))] + rng.uniform(0.1, 0.9)) * 180 / _HUE_SECTORS
    saturation, value = rng.uniform(90, 235), rng.uniform(90, 240)
    return cv2.cvtColor(np.array([[[hue, saturation, value]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0].astype(float)


def cloth(rng: np.random.Generator, split: str, color: Color) -> np.ndarray:
    """(96, 128, 3) uint8 cloth: a piece of a photo of the split, or a pattern in one or two of its colors."""
    height, width = 96, 128
    pattern = _PATTERNS[rng.choice(len(_PATTERNS), p=_PATTERN_WEIGHTS)]
    if pattern == "photo":
        photos = [b.file for b in backgrounds_of(split) if b.kind == "photo"]
        photo = load_photo(photos[rng.integers(len(photos))])[0]
        side = int(rng.integers(60, min(220, min(photo.shape[:2]) - 1)))
        y, x = (int(rng.integers(0, length - side)) for length in photo.shape[:2])
        patch = cv2.resize(photo[y : y + side, x : x + side], (width // 2, height), interpolation=cv2.INTER_AREA)
        # Mirrored at the middle, so that there is no seam at the back.
        return np.ascontiguousarray(np.hstack([patch[:, ::-1], patch]))
    second = split_color(rng, split) if rng.random() < 0.5 else np.full(3, rng.choice([30.0, 235.0]))
    rows, columns = np.mgrid[0:height, 0:width]
    period = int(rng.choice([8, 16, 32]))
    mixed = {
        "plain": np.zeros((height, width), bool),
        "stripes": columns % period < period // 2,
        "hoops": rows % period < period // 2,
        "checks": (columns % period < period // 2) ^ (rows % period < period // 2),
        "dots": ((columns % 16 - 8) ** 2 + (rows % 16 - 8) ** 2) < rng.uniform(8, 30),
    }[pattern]
    image = np.where(mixed[..., None], second, color)
    folds = cv2.resize(rng.normal(0, 1, (height // 12, width // 12)), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(image * (1 + 0.07 * folds[..., None]), 0, 255).astype(np.uint8)


def _trousers(rng: np.random.Generator, split: str) -> np.ndarray:
    if rng.random() < 0.25:
        return cloth(rng, split, split_color(rng, split))
    color = split_color(rng, split) * rng.uniform(0.35, 0.9) if rng.random() < 0.7 else np.full(3, rng.uniform(25, 90))
    grain = 1 + 0.06 * rng.standard_normal((96, 128, 1), dtype=np.float32)
    return np.clip(color.astype(np.float32) * grain, 0, 255).astype(np.uint8)


def _turn_hue(image: np.ndarray, degrees: float) -> np.ndarray:
    """Image (H, W, 3) uint8 or color (3,) with all hues turned; grays are tinted."""
    hsv = cv2.cvtColor(np.atleast_3d(image.reshape(-1, 1, 3) if image.ndim == 1 else image).astype(np.uint8),
                       cv2.COLOR_BGR2HSV)  # fmt: skip
    hsv[..., 0] = (hsv[..., 0].astype(np.int16) + round(degrees / 2)) % 180
    if image.ndim == 3 and hsv[..., 1].mean() < 60:
        hsv[..., 1] = np.maximum(hsv[..., 1], 110)
    turned = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    return turned[0, 0].astype(float) if image.ndim == 1 else turned


def make_atlas(outfit: Outfit) -> Atlas:
    """Textures of a look."""
    image = np.zeros(_ATLAS_SHAPE, np.uint8)

    def tile(name: str) -> np.ndarray:
        x, y, width, height = TILES[name]
        return image[y : y + height, x : x + width]

    def fill(name: str, texture: np.ndarray) -> None:
        view = tile(name)
        view[:] = cv2.resize(texture, view.shape[1::-1], interpolation=cv2.INTER_AREA) if texture.ndim == 3 else texture

    shirt = _dressed_shirt(outfit)
    fill("chest", shirt[:64])
    fill("belly", shirt[64:])
    tile("belly")[18:] = cv2.resize(outfit.trousers, (128, 14), interpolation=cv2.INTER_AREA)
    tile("belly")[16:19] = (outfit.trim * 0.4).astype(np.uint8)  # belt
    fill("skirt", outfit.trousers)
    skin = np.clip(outfit.skin, 0, 255).astype(np.uint8)
    for side in ("left", "right"):
        for part, covered in (("sleeve", outfit.sleeves != "none"), ("forearm", outfit.sleeves == "long")):
            fill(f"{side}_{part}", outfit.shirt[:48] if covered else skin)
        if outfit.sleeves == "short":
            tile(f"{side}_sleeve")[22:] = skin
        for part, covered in (("thigh", not outfit.skirt), ("shin", not outfit.skirt and outfit.legs == "long")):
            fill(f"{side}_{part}", outfit.trousers[:48] if covered else skin)
        if outfit.watch_side == side:
            tile(f"{side}_forearm")[24:29] = np.clip(outfit.trim, 0, 255).astype(np.uint8)
    fill("skin", skin)
    for name, color in (("shoe", outfit.shoe), ("hat", outfit.hat), ("bag", outfit.bag), ("hair", outfit.hair_color)):
        fill(name, np.clip(color, 0, 255).astype(np.uint8))
    tile("shoe")[22:] = np.clip(outfit.shoe * 0.5 + 110, 0, 255).astype(np.uint8)  # toe cap
    tile("bag")[12:15] = np.clip(outfit.bag * 0.5, 0, 255).astype(np.uint8)
    tile("head")[:] = _head(outfit, skin)
    margin = _MARGIN
    tiles = {n: (x + margin, y + margin, w - 1 - 2 * margin, h - 1 - 2 * margin) for n, (x, y, w, h) in TILES.items()}
    return Atlas(image, tiles)


def _dressed_shirt(outfit: Outfit) -> np.ndarray:
    """Shirt with its front (middle columns) and back (outer columns)."""
    shirt = outfit.shirt.copy()
    middle = shirt.shape[1] // 2
    trim = tuple(float(v) for v in np.clip(outfit.trim, 0, 255))
    if outfit.front == "zip":
        shirt[:, middle - 9 : middle + 9] = np.clip(outfit.trim, 0, 255).astype(np.uint8)
        shirt[:, middle - 1 : middle + 1] = 30
    elif outfit.front == "print":
        cv2.circle(shirt, (middle, 30), 13, trim, -1, cv2.LINE_AA)
        cv2.circle(shirt, (middle, 30), 6, (240, 240, 240), -1, cv2.LINE_AA)
    elif outfit.front == "buttons":
        shirt[:, middle - 1 : middle + 1] = (shirt[:, middle - 1 : middle + 1] * 0.5).astype(np.uint8)
        for row in range(12, 92, 14):
            cv2.circle(shirt, (middle + 4, row), 2, (245, 245, 245), -1, cv2.LINE_AA)
    # An open collar shows the skin.
    neckline = np.array([[middle - 12, 0], [middle + 12, 0], [middle, 17]])
    cv2.fillConvexPoly(shirt, neckline, tuple(float(v) for v in np.clip(outfit.skin, 0, 255)), cv2.LINE_AA)
    if outfit.back == "number":
        shirt = np.roll(shirt, middle, axis=1)
        text = str(outfit.number)
        cv2.putText(shirt, text, (middle - 9 * len(text), 48), cv2.FONT_HERSHEY_DUPLEX, 0.95, trim, 4, cv2.LINE_AA)
        shirt = np.roll(shirt, -middle, axis=1)
    for side, strap in (("left", 1), ("right", -1)):
        if outfit.bag_side == side:  # worn across the chest
            bag = tuple(float(v) for v in np.clip(outfit.bag * 0.7, 0, 255))
            cv2.line(shirt, (middle - 18 * strap, 0), (middle + 30 * strap, 95), bag, 5, cv2.LINE_AA)
            cv2.line(shirt, (middle - 24 * strap, 0), (middle - strap * 62, 95), bag, 5, cv2.LINE_AA)
    if outfit.backpack:
        for x in (middle - 17, middle + 17):
            cv2.line(shirt, (x, 0), (x, 62), tuple(float(v) for v in np.clip(outfit.bag, 0, 255)), 6)
    return shirt


def _head(outfit: Outfit, skin: np.ndarray) -> np.ndarray:
    """(64, 128, 3) texture: longitude from the back by right ear, face and left ear to the back; latitude downward."""
    head = np.empty((64, 128, 3), np.uint8)
    head[:] = skin
    middle = 64
    dark = tuple(float(v) for v in np.clip(outfit.skin * 0.72, 0, 255))
    hair = tuple(float(v) for v in np.clip(outfit.hair_color, 0, 255))
    cv2.ellipse(head, (middle, 48), (11, 3), 0, 0, 360, (70, 60, 165), -1, cv2.LINE_AA)  # mouth
    cv2.ellipse(head, (middle, 41), (5, 2), 0, 0, 360, dark, -1, cv2.LINE_AA)  # below the nose
    if outfit.beard:
        cv2.ellipse(head, (middle, 54), (26, 9), 0, 0, 360, hair, -1, cv2.LINE_AA)
        cv2.ellipse(head, (middle, 49), (8, 2), 0, 0, 360, (80, 70, 160), -1, cv2.LINE_AA)
    for x in (middle - 9, middle + 9):
        cv2.ellipse(head, (x, 30), (5, 3), 0, 0, 360, (240, 240, 240), -1, cv2.LINE_AA)
        cv2.circle(head, (x, 30), 2, (35, 25, 20), -1, cv2.LINE_AA)
        cv2.line(head, (x - 6, 24), (x + 6, 24), hair, 2, cv2.LINE_AA)
    if outfit.glasses:
        for x in (middle - 9, middle + 9):
            cv2.ellipse(head, (x, 29), (9, 7), 0, 0, 360, (25, 25, 25), 2, cv2.LINE_AA)
        for x in (middle - 32, middle + 18):
            cv2.line(head, (x, 28), (x + 14, 28), (25, 25, 25), 2)
    top = outfit.hat if outfit.hair == "cap" else outfit.hair_color
    columns = np.arange(128)
    behind = np.abs(columns - middle) / middle  # 0 in front, 1 at the back
    low = {"short": 46, "cap": 42, "bun": 46, "ponytail": 46, "long": 60}[outfit.hair]
    # Hair line: high over the face, down to the ears, low at the back.
    line = np.interp(behind, [0, 0.3, 0.42, 0.52, 0.62, 1], [13, 15, 22, 26, low, low])
    covered = np.arange(64)[:, None] < line[None]
    head[covered] = np.clip(outfit.hair_color, 0, 255).astype(np.uint8)
    if outfit.hair == "cap":
        head[np.arange(64)[:, None] < np.minimum(line, np.where(behind < 0.5, 17, 27))[None]] = np.clip(
            top, 0, 255
        ).astype(np.uint8)
    strands = np.random.default_rng(0).uniform(0.85, 1.12, 128)
    head[:24] = np.clip(head[:24] * strands[None, :, None], 0, 255).astype(np.uint8)
    return head
