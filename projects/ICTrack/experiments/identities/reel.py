"""Videos whose objects leave and return: labeled clips played one after another, forwards and then backwards."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from ictrack.engine.identify import Identification
from ictrack.structures.json_files import require
from ictrack.structures.youtube_vis_json import read_ground_truth

# Frames without an object after which it has left.
MIN_ABSENCE = 10


@dataclass(frozen=True)
class Reel:
    """A video made of clips.

    Attributes:
        frames: Folder of its frames.
        detections: File of its instances, for ``ictrack identify --detections``.
        boxes: (G, F, 4) float64 x, y, width, height of G objects in F frames, NaN where one is not seen.
    """

    frames: Path
    detections: Path
    boxes: np.ndarray


def make_reel(annotations: Path, images: Path, folder: Path, passes: int) -> Reel:
    """Reel of all clips of a data set, each of which is there ``passes`` times, every other time backwards.

    Args:
        annotations: File in YouTube-VIS's format.
        images: Folder of its frames.
        folder: Folder to make.
        passes: Number of times.

    Raises:
        AnnotationError: The file is wrong, or the clips are not of one size.
    """
    data = read_ground_truth(annotations)
    videos = data["videos"]
    sizes = {(video["height"], video["width"]) for video in videos}
    require(len(sizes) == 1, str(annotations), f"a reel needs clips of one size, these have {sorted(sizes)}")
    shown = [
        (video, index)
        for number in range(passes)
        for video in videos
        for index in range(video["length"])[:: -1 if number % 2 else 1]
    ]
    frames = folder / "frames"
    frames.mkdir(parents=True)
    names = [f"{number:05d}{Path(video['file_names'][index]).suffix}" for number, (video, index) in enumerate(shown)]
    for name, (video, index) in zip(names, shown):
        shutil.copyfile(images / video["file_names"][index], frames / name)
    objects = []
    for annotation in data["annotations"]:
        seen = [index if video["id"] == annotation["video_id"] else None for video, index in shown]
        lists = {
            key: [None if index is None else annotation[key][index] for index in seen]
            for key in ("segmentations", "bboxes", "areas")
        }
        objects.append({**annotation, **lists, "video_id": 1})
    video = {**videos[0], "id": 1, "length": len(names), "file_names": [f"frames/{name}" for name in names]}
    detections = folder / "instances.json"
    detections.write_text(json.dumps({**data, "videos": [video], "annotations": objects}))
    none = 4 * [np.nan]
    boxes = np.array([[none if box is None else box for box in x["bboxes"]] for x in objects], dtype=float)
    return Reel(frames, detections, boxes)


@dataclass(frozen=True)
class ReelScore:
    """Identities of a reel against the truth.

    Attributes:
        detections, numbered, right: Number of detections, of those with an identity, and of those with the right one
            under the best numbering.
        returns: Number of times that an object was away for ``MIN_ABSENCE`` frames.
        kept, lost: Of them, how often it got its old number, and how often another one; else it was left open.
    """

    detections: int
    numbered: int
    right: int
    returns: int
    kept: int
    lost: int

    @property
    def idf1(self) -> float:
        """IDF1, a fraction."""
        return 2 * self.right / max(self.detections + self.numbered, 1)

    def __str__(self) -> str:
        return (
            f"{self.detections} detections, {self.numbered} with an identity, {self.right} with the right one, IDF1 "
            f"{self.idf1:.3f}; {self.returns} returns, {self.kept} with the old number, {self.lost} with another one"
        )


def score_reel(reel: Reel, result: Identification) -> ReelScore:
    """Score of identities found in a reel."""
    found = _identities(reel, result)
    seen = ~np.isnan(reel.boxes[..., 0])
    numbers = np.unique(found[found >= 0])
    counts = (found[:, :, None] == numbers).sum(axis=1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    returns = kept = lost = 0
    for identities, there in zip(found, seen):
        for before, after in _stays(identities, there):
            returns += 1
            both = before.max(initial=-1) >= 0 and after.max(initial=-1) >= 0
            same = both and before[before >= 0][-1] == after[after >= 0][0]
            kept, lost = kept + same, lost + (both and not same)
    right = int(counts[rows, columns].sum())
    return ReelScore(int(seen.sum()), int((found >= 0).sum()), right, returns, int(kept), int(lost))


def _identities(reel: Reel, result: Identification) -> np.ndarray:
    """(G, F) int64 identity of each object in each frame, -1 for none."""
    found = np.full(reel.boxes.shape[:2], -1, dtype=np.int64)
    by_index = {frame.index: frame for frame in result.footage.frames}
    for tracklet, identity in zip(result.tracklets, result.links.identities.tolist()):
        for index, row in zip(tracklet.frames.tolist(), tracklet.rows.tolist()):
            x0, y0, x1, y1 = by_index[index].boxes[row]
            distances = np.abs(reel.boxes[:, index] - (x0, y0, x1 - x0, y1 - y0)).sum(axis=1)
            found[np.nanargmin(distances), index] = identity
    return found


def _stays(identities: np.ndarray, there: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Identities of an object (F,) in all frames before each return, and in those until it leaves again."""
    frames = np.flatnonzero(there)
    ends = np.flatnonzero(np.diff(frames) > MIN_ABSENCE)
    stays = np.split(frames, ends + 1)
    return [(identities[: stay[0]][there[: stay[0]]], identities[stay]) for stay in stays[1:]]
