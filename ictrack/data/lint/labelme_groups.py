"""Check of labelme's groups: shapes of one ``group_id`` are one object, also over the frames, and of one class."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from ictrack.structures.describe import describe
from ictrack.structures.hidden_files import is_hidden
from ictrack.structures.json_files import AnnotationError, is_int, read_json
from ictrack.structures.natural_order import natural_key

from .defects import Defects

SUFFIX = ".json"


def check_groups(path: Path, defects: Defects) -> None:
    """Warn of groups with several classes in the files of a folder, or in one; unreadable files are passed over."""
    files = [path] if path.is_file() else [file for file in path.glob(f"*{SUFFIX}") if not is_hidden(file.name)]
    first: dict[int, tuple[str, str]] = {}
    for file in sorted(files, key=lambda file: natural_key(file.name)):
        data: Any = None
        with suppress(AnnotationError, OSError):
            data = read_json(file)
        shapes = data.get("shapes") if isinstance(data, dict) else None
        for i, shape in enumerate(shapes if isinstance(shapes, list) else ()):
            if not isinstance(shape, dict) or shape.get("shape_type") == "point" or not is_int(shape.get("group_id")):
                continue
            where, label, group = f"{file.name}: shapes[{i}]", str(shape.get("label")), shape["group_id"]
            other, place = first.setdefault(group, (label, where))
            if other != label:
                text = f"is {describe(label)}, but {describe(other)} in {place}: they are two objects"
                defects.warning("group", where, f"group_id {group} {text}")
