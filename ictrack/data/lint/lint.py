"""Check of labels and of videos, whose format is found by their content."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ictrack.structures.describe import describe
from ictrack.structures.detections.read import guess_format
from ictrack.structures.hidden_files import is_hidden
from ictrack.structures.json_files import AnnotationError, read_json
from ictrack.structures.labels.frames import folders_of_videos
from ictrack.structures.open_image import open_image
from ictrack.structures.sequence_texts import SUFFIX, is_sequence_text

from ..image_file import IMAGE_SUFFIXES
from ..video_list import VIDEO_SUFFIXES
from . import label_files
from .coco import lint_coco
from .defects import Defects
from .footage import lint_footage
from .images import ImageFiles
from .label_files import lint_label_files
from .posetrack import is_posetrack, lint_posetrack
from .youtube_vis import lint_youtube_vis

FOOTAGE, JSON = "videos", "json"
# "json": COCO, YouTube-VIS and PoseTrack18, which are told apart by their content; "videos" have no labels.
FORMATS = (JSON, *label_files.NAMES, FOOTAGE)


@dataclass(frozen=True)
class Lint:
    """Result of a check.

    Attributes:
        contents: What the files hold, one line a file.
        defects: What is wrong with them.
    """

    contents: list[str]
    defects: Defects


def lint_annotations(
    path: str | Path, image_root: str | Path | None = None, *, every: int = 1, name: str | None = None
) -> Lint:
    """Find all defects of labels, or of videos without labels.

    Args:
        path: File or folder of a format in ``FORMATS``; JSON may be gzipped or zipped.
        image_root: Folder of the images, which are checked by their headers; None: images are not looked for.
        every: Headers of every n-th image are read.
        name: Name in ``FORMATS``; None: by the content.

    Raises:
        AnnotationError: The format is unknown, or a folder has nothing of it.
        OSError: The path cannot be opened.
    """
    path = Path(path)
    files = ImageFiles(image_root, every)
    name = name or format_of_data(path)
    if name not in FORMATS:
        raise AnnotationError(f"{path}: {name!r} is no format that can be checked; they are {', '.join(FORMATS)}")
    defects = Defects()
    if name == FOOTAGE:
        return Lint([f"{path}: {lint_footage(path, defects, every=every)}"], defects)
    if name in label_files.NAMES:
        return Lint([f"{path}: {lint_label_files(path, name, files, defects)}"], defects)
    if not path.is_dir():
        return Lint([f"{path}: {_lint_file(path, files, defects, {})}"], defects)
    contents = []
    taken: dict[int, str] = {}
    for file in _json_files(path):
        of_file = Defects(f"{file.name}: ")
        contents.append(f"{file}: {_lint_file(file, files, of_file, taken)}")
        defects.found += of_file.found
    if not contents:
        raise AnnotationError(f"{path}: has no .json file")
    return Lint(contents, defects)


def format_of_data(path: Path) -> str:
    """Name in ``FORMATS`` of a file or folder, by its content."""
    if path.is_dir():
        return _format_of_folder(path)
    suffix = path.suffix.lower()
    if suffix in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES):
        return FOOTAGE
    if suffix in (".xml", ".txt"):
        return guess_format(path)
    return JSON


def _format_of_folder(path: Path) -> str:
    folders = (path, *folders_of_videos(path))
    if any((folder / "gt" / "gt.txt").is_file() for folder in folders):
        return "mot"
    for folder in folders:
        if files := _json_files(folder):
            # Only labelme's files are in folders below; another program's JSON beside frames is not looked at.
            if _is_labelme(files[0]):
                return "labelme"
            if folder == path:
                return JSON
    for file in sorted(filter(is_sequence_text, path.glob(f"*{SUFFIX}"))) + sorted(path.glob("*.xml")):
        if not is_hidden(file.name):
            # A text of words, such as README.txt, says nothing of the files beside it.
            with suppress(AnnotationError):
                return guess_format(file)
    for folder in folders:
        picture = next((file for file in sorted(folder.glob("*.png")) if not is_hidden(file.name)), None)
        if picture is not None:
            return _format_of_picture(picture)
    return FOOTAGE


def _is_labelme(file: Path) -> bool:
    try:
        data = read_json(file)
    except AnnotationError:
        return False
    return isinstance(data, dict) and "shapes" in data


def _format_of_picture(path: Path) -> str:
    """Format of a PNG: numbers of objects with a palette, or of 16 bits, or else a frame."""
    try:
        with open_image(path) as image:
            mode = image.mode
    except (OSError, Image.DecompressionBombError, SyntaxError, ValueError):
        return FOOTAGE
    return {"P": "davis", "I;16": "mots-png", "I": "mots-png"}.get(mode, FOOTAGE)


def _json_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.name.endswith((".json", ".json.gz")) and not is_hidden(p.name))


def _lint_file(path: Path, files: ImageFiles, defects: Defects, taken: dict[int, str]) -> str:
    try:
        data = read_json(path)
    except AnnotationError as error:
        defects.error("unreadable file", path.name, str(error))
        return "not readable"
    if isinstance(data, dict) and "videos" in data and "images" not in data:
        return lint_youtube_vis(data, files, defects)
    if isinstance(data, dict) and "images" in data:
        return lint_posetrack(data, files, defects, taken) if is_posetrack(data) else lint_coco(data, files, defects)
    text = f"must be an object with images or videos, not {describe(data)}"
    defects.error("structure", "$", text)
    return "no annotations"
