"""Text files of MOTChallenge's and KITTI's layouts, one a sequence, in folders and zips.

A ground truth has ``<sequence>/gt/gt.txt`` or ``<sequence>/gt.txt`` or ``<sequence>.txt``, and may have
``<sequence>/seqinfo.ini``; results have ``<sequence>.txt``, also in a folder ``data``. Either may be a zip.
"""

from __future__ import annotations

import configparser
import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ictrack.structures.hidden_files import is_hidden
from ictrack.structures.json_files import AnnotationError, is_zip, require
from ictrack.structures.sequence_texts import SUFFIX, is_sequence_text

from .archive import Archive, Folder, open_submission

_RESULTS_FOLDER = "data"
_INFO = "seqinfo.ini"
# Ground truth in the folder of a sequence: in this folder, or directly there.
_GT_FOLDER, _GT_FILE = "gt", "gt.txt"


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
    with open_submission(path) as files:
        members = _members_of(path) if path.is_dir() else files.names
        folders = _sequence_folders(members)
        alone = path.resolve().name if path.is_dir() else path.stem
        found: dict[str, tuple[PurePosixPath, str]] = {}
        for folder, member in (*folders.items(), *_loose_texts(members, folders)):
            name = folder.name or alone
            if name in found:
                other = files.where(found[name][1])
                raise AnnotationError(f"{files.where(member)}: sequence {name} is in {other}, too")
            found[name] = (folder, member)
        require(bool(found), str(path), "holds no ground truth, <sequence>/gt/gt.txt or <sequence>.txt")
        return {
            name: SequenceFile(files.where(member), files.read(member), _length(files, members, str(folder / _INFO)))
            for name, (folder, member) in sorted(found.items())
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
    inner = path / _RESULTS_FOLDER
    if inner.is_dir() and not any((path / f"{name}{SUFFIX}").is_file() for name in names):
        path = inner
    with open_submission(path) as files:
        found: dict[str, str] = {}
        for member in filter(is_sequence_text, files.names):
            name = PurePosixPath(member).stem
            if name in names and name in found:
                other = files.where(found[name])
                raise AnnotationError(f"{files.where(member)}: sequence {name} is in {other}, too")
            found[name] = member
        missing = [name for name in names if name not in found]
        require(not missing, str(path), f"there is no {missing[0] if missing else ''}{SUFFIX} ({len(missing)} missing)")
        unknown = sorted(found.keys() - {*names, *others})
        return (
            {name: SequenceFile(files.where(found[name]), files.read(found[name])) for name in names},
            [f"{path}: {name}{SUFFIX}: the ground truth has no such sequence; it is not scored" for name in unknown],
        )


def chosen(names: Iterable[str], patterns: Sequence[str], path: str | Path) -> list[str]:
    """Names that match one of the patterns, such as ``MOT17-*-FRCNN``; all, if there are no patterns.

    Raises AnnotationError, which names the ground truth's ``path``, if a pattern matches none.
    """
    names = list(names)
    for pattern in patterns:
        require(bool(fnmatch.filter(names, pattern)), str(path), f"holds no sequence {pattern}, but {', '.join(names)}")
    return [name for name in names if not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def _members_of(path: Path) -> list[str]:
    """Names of the files of a folder that a ground truth may consist of."""
    children = [child for child in sorted(path.iterdir()) if not is_hidden(child.name)]
    inner = [child / name for child in children for name in (Path(_GT_FOLDER, _GT_FILE), _GT_FILE, _INFO)]
    return [file.relative_to(path).as_posix() for file in (*children, *inner) if file.is_file()]


def _sequence_folders(members: Iterable[str]) -> dict[PurePosixPath, str]:
    """Ground truth's file by folder of a sequence."""
    found: dict[PurePosixPath, str] = {}
    # The deeper first, which is that in the folder ``gt``.
    for member in sorted(members, key=lambda member: -member.count("/")):
        path = PurePosixPath(member)
        if path.name == _GT_FILE:
            found.setdefault(path.parent.parent if path.parent.name == _GT_FOLDER else path.parent, member)
    return found


def _loose_texts(members: Iterable[str], folders: Mapping[PurePosixPath, str]) -> Iterator[tuple[PurePosixPath, str]]:
    """Texts of other sequences, which lie beside the folders of sequences, and the folders that these would have."""
    beside = {folder.parent for folder in folders} - folders.keys()
    for member in filter(is_sequence_text, members):
        path = PurePosixPath(member)
        if not folders or path.parent in beside:
            yield path.with_suffix(""), member


def _length(files: Archive | Folder, members: Iterable[str], info: str) -> int | None:
    """Number of frames that a ``seqinfo.ini`` says; None if it is not there."""
    if info not in members:
        return None
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(files.read(info).decode("utf-8-sig"))
        length = int(parser["Sequence"]["seqLength"])
    except (configparser.Error, KeyError, ValueError):
        length = 0
    require(length > 0, files.where(info), "must say seqLength, a number of frames, in a section [Sequence]")
    return length
