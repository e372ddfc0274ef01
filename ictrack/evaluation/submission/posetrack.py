"""PoseTrack18 predictions, a JSON file a sequence: writer, packing for a server, and reader.

A file holds ``images`` {id, frame_id, file_name} for all frames of the sequence, the one category ``person`` with the
names of its joints, and ``annotations`` {image_id, category_id, track_id, keypoints, scores}. ``keypoints`` are x, y
and 1 for each joint, and three zeros for a missing joint (github.com/leonid-pishchulin/poseval).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np

from ictrack.structures.atomic_file import replacing
from ictrack.structures.joints import POSETRACK_18, JointSet
from ictrack.structures.json_files import parse_json, require
from ictrack.structures.pose_sequence import PoseSequence
from ictrack.structures.posetrack_json import MAX_TRACK_ID, parse_pose_sequence, sequence_name
from ictrack.structures.track_formats.posetrack import PERSON_CATEGORY_ID, person_keypoints

from .archive import Archive, Folder, open_submission, write_archive

SUFFIXES = (".json", ".json.gz")


class PoseTrackWriter:
    """Writer of a folder of predictions, one sequence after the other, each frame by frame.

    A sequence's file appears, complete, when the sequence is finished: a run that dies leaves the sequences finished
    until then. Only the ids of a sequence's images and tracks are kept in memory; people are written as they come.
    Several processes may write different sequences to one folder.
    """

    def __init__(self, folder: str | Path, joints: JointSet = POSETRACK_18) -> None:
        """
        Args:
            folder: Folder, which is made if missing.
            joints: Joints of the keypoints and of the files, POSETRACK_18 or POSETRACK_15.
        """
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._joints = joints
        self._stack: ExitStack | None = None
        self._name = ""

    def start(self, name: str, images: Iterable[Mapping[str, Any]]) -> None:
        """Begin a sequence.

        Args:
            name: Name of the sequence, and of its file without ``.json``.
            images: ``{"id", "file_name"}`` of all its frames in their order, with or without people.

        Raises:
            ValueError: the previous sequence is not finished, or an image's id is there twice.
        """
        if self._stack is not None:
            raise ValueError(f"sequence {name}: finish {self._name} first")
        with ExitStack() as stack:
            self._file: BinaryIO = stack.enter_context(replacing(self.folder / f"{name}.json"))
            self._image_ids: list[int] = []
            self._file.write(b'{"images":[')
            for image in images:
                entry = {"id": image["id"], "frame_id": image["id"], "file_name": image["file_name"]}
                self._write_item(entry, is_first=not self._image_ids)
                self._image_ids.append(image["id"])
            if len(set(self._image_ids)) != len(self._image_ids):
                raise ValueError(f"sequence {name}: an image's id is there twice")
            category = {"id": PERSON_CATEGORY_ID, "name": "person", "keypoints": list(self._joints.names)}
            self._file.write(b'],\n"categories":[' + _encode(category) + b'],\n"annotations":[')
            self._stack = stack.pop_all()
        self._name = name
        self._last_frame = -1
        self._track_ids: dict[int, int] = {}
        self._num_people = 0

    def add(self, frame_index: int, track_ids: Sequence[int], keypoints: np.ndarray) -> None:
        """Add the N people of one frame. Frames without people may be left out.

        Args:
            frame_index: Frame index, 0-based, ascending.
            track_ids: (N,) identities, unique in the frame; the file numbers them from 0 as they appear.
            keypoints: (N, K, 3) x, y, score; a joint of score 0 is missing.

        Raises:
            ValueError: no sequence was started, the frame does not exist or came before, an identity is twice in it,
                the shapes do not fit, a number is not finite, or there are more identities than a file may have.
        """
        keypoints = np.asarray(keypoints, dtype=np.float64)
        self._check(frame_index, track_ids, keypoints)
        self._last_frame = frame_index
        for person, track_id in enumerate(track_ids):
            number = self._track_ids.setdefault(int(track_id), len(self._track_ids))
            if number >= MAX_TRACK_ID:
                raise ValueError(f"sequence {self._name}: more than {MAX_TRACK_ID} identities")
            written, scores = person_keypoints(keypoints[person])
            entry = {
                "image_id": self._image_ids[frame_index],
                "category_id": PERSON_CATEGORY_ID,
                "track_id": number,
                "keypoints": written,
                "scores": scores,
            }
            self._write_item(entry, is_first=self._num_people == 0)
            self._num_people += 1

    def finish(self) -> Path:
        """Complete the sequence's file and return its path. Raises ValueError if no sequence was started."""
        stack = self._started()
        self._file.write(b"]}\n")
        self._stack = None
        stack.close()
        return self.folder / f"{self._name}.json"

    def _started(self) -> ExitStack:
        if self._stack is None:
            raise ValueError("start a sequence first")
        return self._stack

    def _check(self, frame_index: int, track_ids: Sequence[int], keypoints: np.ndarray) -> None:
        self._started()
        where = f"sequence {self._name}, frame {frame_index}"
        if not 0 <= frame_index < len(self._image_ids):
            raise ValueError(f"{where}: there are {len(self._image_ids)} frames")
        if frame_index <= self._last_frame:
            raise ValueError(f"{where}: came after frame {self._last_frame}")
        if keypoints.shape != (len(track_ids), len(self._joints), 3):
            raise ValueError(
                f"{where}: keypoints are {keypoints.shape}, not ({len(track_ids)}, {len(self._joints)}, 3)"
            )
        if not np.isfinite(keypoints).all():
            raise ValueError(f"{where}: a keypoint is not finite")
        if len(set(track_ids)) != len(track_ids):
            raise ValueError(f"{where}: an identity is there twice")

    def _write_item(self, item: dict[str, Any], *, is_first: bool) -> None:
        self._file.write((b"\n" if is_first else b",\n") + _encode(item))


def _encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def pack_posetrack(folder: str | Path, zip_path: str | Path) -> Path:
    """Write a zip with the sequences of a folder at its top, as servers take it. Returns ``zip_path``."""
    with Folder(Path(folder)) as files:
        names = [name for name in files.names if name.endswith(SUFFIXES)]
        return write_archive(zip_path, [(f"{sequence_name(name)}.json", files.path / name) for name in names])


def read_posetrack_results(path: str | Path) -> dict[str, PoseSequence]:
    """Predictions of a folder, a zip or a single file, by the sequences' names and in their order.

    Raises:
        AnnotationError: a file is wrong (the message has file and JSON path), or there is no sequence, or one twice.
        OSError: there is no such file or folder.
    """
    sequences = {}
    with open_submission(path) as submission:
        files = sequence_files(submission)
        require(bool(files), str(path), "holds no .json or .json.gz file")
        for name, members in sorted(files.items()):
            where = submission.where(members[0])
            require(len(members) == 1, where, f"sequence {name!r} is there {len(members)} times")
            data = parse_json(submission.read(members[0]), where)
            sequences[name] = parse_pose_sequence(data, name, is_ground_truth=False, source=where)
    return sequences


def sequence_files(submission: Archive | Folder) -> dict[str, list[str]]:
    """Names of the files with predictions, by sequence; in a zip they may lie in a folder."""
    files: dict[str, list[str]] = {}
    for name in submission.names:
        if name.endswith(SUFFIXES):
            files.setdefault(sequence_name(PurePosixPath(name).name), []).append(name)
    return files
