"""Text files of MOTChallenge's and KITTI's layouts, one a sequence, in folders and zips.

A ground truth has ``<sequence>/gt/gt.txt`` beside ``<sequence>/seqinfo.ini``, or ``<sequence>/gt.txt``, or
``<sequence>.txt``, or is a zip of these; results have ``<sequence>.txt``, also in a folder ``data``.
"""

from __future__ import annotations

import configparser
import fnmatch
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ictrack.structures.hidden_files import is_hidden
from ictrack.structures.json_files import is_zip, require

from .archive import open_submission

SUFFIX = ".txt"
_RESULTS_FOLDER = "data"
_INFO = "seqinfo.ini"
_GROUND_TRUTH = ("gt/gt.txt", "gt.txt")


@dataclass(frozen=True)
class SequenceFile:
    """Text file of a sequence.

    Attributes:
        where: Name of the file in messages.
        data: Content.
        length: Number of frames that a ``seqinfo.ini`` says; None where there is none.
    """

    where: str
    data: bytes
    length: int | None = None


def read_ground_truth_files(path: str | Path) -> dict[str, SequenceFile]:
    """Files of a ground truth by sequence, in alphabetical order. ``path`` may also be that of one sequence.

    Raises:
        AnnotationError: there is no sequence, or a file is damaged.
        OSError: there is no such file or folder.
    """
    path = Path(path)
    if not path.is_dir():
        return _read_all(path, _sequence_of_member, "holds no ground truth, <sequence>/gt/gt.txt or <sequence>.txt")
    alone = _ground_truth_in(path)
    found = {path.resolve().name: alone} if alone else {}
    for child in sorted(path.iterdir()) if not alone else ():
        if is_hidden(child.name):
            continue
        inner = _ground_truth_in(child) if child.is_dir() else child if child.suffix == SUFFIX else None
        if inner is not None:
            name = child.name if child.is_dir() else child.stem
            require(name not in found, str(inner), f"sequence {name} is in {found.get(name)}, too")
            found[name] = inner
    require(bool(found), str(path), "holds no ground truth, <sequence>/gt/gt.txt or <sequence>.txt")
    return {
        name: SequenceFile(str(file), file.read_bytes(), _length(path if alone else path / name))
        for name, file in sorted(found.items())
    }


def read_result_files(
    path: str | Path, names: Iterable[str], others: Iterable[str] = ()
) -> tuple[dict[str, SequenceFile], list[str]]:
    """Files of results for the sequences ``names``, and warnings about files of neither these nor ``others``.

    A single file is that of the only sequence, whatever it is called.

    Raises:
        AnnotationError: a sequence has no file, or a file is damaged.
        OSError: there is no such file or folder.
    """
    path, names = Path(path), list(names)
    if path.is_file() and not is_zip(path) and len(names) == 1:
        return {names[0]: SequenceFile(str(path), path.read_bytes())}, []
    if path.is_dir() and not any(path.glob(f"*{SUFFIX}")) and (path / _RESULTS_FOLDER).is_dir():
        path = path / _RESULTS_FOLDER
    files = _read_all(path, _stem, f"holds no {SUFFIX} file", names)
    missing = [name for name in names if name not in files]
    require(not missing, str(path), f"there is no {missing[0] if missing else ''}{SUFFIX} ({len(missing)} missing)")
    with open_submission(path) as submission:
        unknown = sorted({_stem(name) for name in submission.names if name.endswith(SUFFIX)} - {*names, *others})
    warnings = [f"{path}: {name}{SUFFIX}: the ground truth has no such sequence; it is not scored" for name in unknown]
    return {name: files[name] for name in names}, warnings


def chosen(names: Iterable[str], patterns: Sequence[str], path: str | Path) -> list[str]:
    """Names that match one of the patterns, such as ``MOT17-*-FRCNN``; all, if there are no patterns.

    Raises AnnotationError, which names the ground truth's ``path``, if a pattern matches none.
    """
    names = list(names)
    for pattern in patterns:
        require(bool(fnmatch.filter(names, pattern)), str(path), f"holds no sequence {pattern}, but {', '.join(names)}")
    return [name for name in names if not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def _ground_truth_in(folder: Path) -> Path | None:
    """Ground truth of the only sequence of a folder."""
    return next((folder / name for name in _GROUND_TRUTH if (folder / name).is_file()), None)


def _read_all(
    path: Path, sequence_of: Callable[[str], str], if_none: str, only: Iterable[str] | None = None
) -> dict[str, SequenceFile]:
    found: dict[str, SequenceFile] = {}
    with open_submission(path) as submission:
        for member in sorted(submission.names):
            name = sequence_of(member)
            if not member.endswith(SUFFIX) or (only is not None and name not in only):
                continue
            where = submission.where(member)
            require(name not in found, where, f"sequence {name} is there twice")
            found[name] = SequenceFile(where, submission.read(member))
    require(bool(found) or only is not None, str(path), if_none)
    return found


def _stem(member: str) -> str:
    return PurePosixPath(member).stem


def _sequence_of_member(member: str) -> str:
    """Sequence of a ground truth's member of a zip: ``MOT17-02/gt/gt.txt`` and ``MOT17-02.txt`` are MOT17-02's."""
    for tail in _GROUND_TRUTH:
        if member.endswith(f"/{tail}"):
            return PurePosixPath(member.removesuffix(f"/{tail}")).name
    return _stem(member)


def _length(folder: Path) -> int | None:
    path = folder / _INFO
    if not path.is_file():
        return None
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))
        length = int(parser["Sequence"]["seqLength"])
    except (configparser.Error, KeyError, ValueError):
        length = 0
    require(length > 0, str(path), "must say seqLength, a number of frames, in a section [Sequence]")
    return length
