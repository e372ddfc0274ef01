"""Check of annotation files, whose format is found by their content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ictrack.structures.describe import describe
from ictrack.structures.hidden_files import is_hidden
from ictrack.structures.json_files import AnnotationError, read_json

from .coco import lint_coco
from .defects import Defects
from .images import ImageFiles
from .posetrack import is_posetrack, lint_posetrack
from .youtube_vis import lint_youtube_vis


@dataclass(frozen=True)
class Lint:
    """Result of a check.

    Attributes:
        contents: What the files hold, one line a file.
        defects: What is wrong with them.
    """

    contents: list[str]
    defects: Defects


def lint_annotations(path: str | Path, image_root: str | Path | None = None, *, every: int = 1) -> Lint:
    """Find all defects of a file of COCO, YouTube-VIS or PoseTrack18, or of a folder of PoseTrack18's files.

    Args:
        path: File, plain, gzipped or zipped, or folder of files.
        image_root: Folder of the images, which are checked by their headers; None: images are not looked for.
        every: Headers of every n-th image are read.

    Raises:
        AnnotationError: A folder has no JSON file.
        OSError: The path cannot be opened.
    """
    path = Path(path)
    files = ImageFiles(image_root, every)
    if not path.is_dir():
        defects = Defects()
        return Lint([f"{path}: {_lint_file(path, files, defects, {})}"], defects)
    names = sorted(p for p in path.iterdir() if p.name.endswith((".json", ".json.gz")) and not is_hidden(p.name))
    if not names:
        raise AnnotationError(f"{path}: has no .json file")
    every_defect, contents = Defects(), []
    taken: dict[int, str] = {}
    for name in names:
        defects = Defects(f"{name.name}: ")
        contents.append(f"{name}: {_lint_file(name, files, defects, taken)}")
        every_defect.found += defects.found
    return Lint(contents, every_defect)


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
