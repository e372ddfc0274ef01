"""Base class of the embedding and the spatial tracker on arrays: filter, memory bank, identities, state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .assignment import assign_in_score_order, contested_rows
from .assignment_rules import assign_in_rounds, rows_apart, within_reach
from .class_votes import ClassVotes
from .detections import Detections, TrackerInputError, require_column, require_finite, select_detections
from .memory_bank import MemoryBank
from .one_thread import on_one_thread


class Identified(NamedTuple):
    """Detections of a frame that have an identity.

    Attributes:
        rows: (K,) int64 rows, ascending.
        ids: (K,) int64 identities, unique in the frame.
        classes: (K,) int64 classes of their tracks, with ``class_voting``; None: their own.
    """

    rows: np.ndarray
    ids: np.ndarray
    classes: np.ndarray | None


class ArrayTracker(ABC):
    """Online tracker over a :class:`MemoryBank`; subclasses define how well a detection continues a track.

    A frame goes through these steps:

    1. The best ``max_detections`` detections of score >= ``min_score`` enter.
    2. :meth:`_observe` returns the columns that the memory stores of a detection, :meth:`_affinity` compares them with
       the tracks.
    3. ``assign`` gives every detection at most one track and every track at most one detection. With ``high_score``
       (ByteTrack, arXiv 2110.06864) detections of at least this score choose first, the others among the tracks that
       are left. With ``max_speed``, a track that is too far away for the frames since it was seen cannot be continued.
    4. A detection without an acceptable track starts one if its score is >= ``new_track_score``; one that lost all its
       acceptable tracks to better detections, if its score is >= ``conflict_new_track_score``. None starts one whose
       box has an IoU above ``new_track_max_overlap`` with that of a detection that continues a track, or starts one
       with a better score: a detector that finds half of an object beside the whole would split its identity. Others
       are dropped.
    5. The memory stores the newest box, category and score of a matched track and the columns of :meth:`_merge`;
       tracks that have not been matched for ``max_age`` frames are dropped (0: never). With ``class_voting``,
       detections get the class for which their track's scores sum up to most.

    ``num_left_out`` counts detections of score >= ``min_score`` beyond the best ``max_detections`` of their frames.

    Identities count from 0 in the order of the rows and are never reused before :meth:`reset`.
    """

    # What detections and tracks are compared by.
    compares: str
    # Function of scores (N, M) and new_scores (N,) that returns columns (N,); see assignment.py.
    assign = staticmethod(assign_in_score_order)

    def __init__(
        self,
        *,
        min_score: float,
        max_detections: int,
        new_track_score: float,
        conflict_new_track_score: float,
        max_age: int,
        new_track_max_overlap: float = 1.0,
        high_score: float = 0.0,
        max_speed: float = 0.0,
        class_voting: bool = False,
    ) -> None:
        """
        Args:
            min_score, max_detections, new_track_score, conflict_new_track_score, max_age: See the class.
            new_track_max_overlap: Largest IoU of a new track's box with others of its frame; 1: no limit.
            high_score: Score from which detections choose first; 0: all at once.
            max_speed: Largest distance of a detection's center to its track's last one, in square roots of the area of
                the track's last box, for each frame since; 0: no limit.
            class_voting: Whether ``pred_classes`` of the output are the tracks' classes.
        """
        if max_detections < 1:
            raise ValueError(f"TRACKER_HEADS.MAX_DETECTIONS must be at least 1, not {max_detections}")
        if max_age < 0:
            raise ValueError(f"TRACKER_HEADS.MAX_AGE must be a number of frames, or 0 to keep tracks, not {max_age}")
        if not 0 <= new_track_max_overlap <= 1:
            raise ValueError(
                f"TRACKER_HEADS.NEW_TRACK_MAX_OVERLAP must be an IoU between 0 and 1, not {new_track_max_overlap}"
            )
        if max_speed < 0:
            raise ValueError(f"TRACKER_HEADS.MAX_SPEED must be a distance, or 0 for no limit, not {max_speed}")
        self.min_score = min_score
        self.max_detections = max_detections
        self.new_track_score = new_track_score
        self.conflict_new_track_score = conflict_new_track_score
        self.max_age = max_age
        self.new_track_max_overlap = new_track_max_overlap
        self.high_score = high_score
        self.max_speed = max_speed
        self.class_voting = class_voting
        self.reset()

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """Constructor arguments from ``cfg.TRACKER_HEADS``."""
        heads = cfg.TRACKER_HEADS
        return {
            "min_score": heads.MIN_SCORE,
            "max_detections": heads.MAX_DETECTIONS,
            "new_track_score": heads.NEW_TRACK_SCORE,
            "conflict_new_track_score": heads.CONFLICT_NEW_TRACK_SCORE,
            "max_age": heads.MAX_AGE,
            "new_track_max_overlap": heads.NEW_TRACK_MAX_OVERLAP,
            "high_score": heads.HIGH_SCORE,
            "max_speed": heads.MAX_SPEED,
            "class_voting": heads.CLASS_VOTING,
        }

    def reset(self) -> None:
        """Forget everything; the next frame is the first of a video."""
        self.memory = MemoryBank()
        self._votes = ClassVotes()
        self._next_id = 0
        self._frame = 0
        self.num_left_out = 0

    @on_one_thread
    def identify(self, detections: Detections) -> Identified:
        """Give identities to one frame's detections. Frames without detections are passed, too.

        Args:
            detections: N detections with the columns that the tracker compares.

        Raises:
            TrackerInputError: a column is missing or not usable; the tracker's state is then unchanged.
        """
        try:
            rows, num_left_out = select_detections(detections, self.min_score, self.max_detections)
            observed = self._observe_all(detections, rows) if len(detections) else {}
        except ValueError as error:
            raise TrackerInputError(f"frame {self._frame}: {error}") from error
        self.num_left_out += num_left_out
        ids = self._identify(observed) if len(rows) else rows
        self.go_on_to(self._frame + 1)
        identified = ids >= 0
        rows, ids, classes = rows[identified], ids[identified], None
        if self.class_voting and len(rows):
            classes = self._votes.vote(ids, observed["classes"][identified], observed["scores"][identified])
        return Identified(rows, ids, classes)

    def go_on_to(self, frame: int) -> None:
        """Say that the next frame is the one with the given 0-based index; frames between count as empty.

        Frames that could not be read count for ``max_speed`` and ``max_age``.
        """
        self._frame = max(self._frame, frame)
        if self.max_age and len(self.memory):
            fresh = self._frame - self.memory["last_frames"] <= self.max_age
            if not fresh.all():
                self.memory.keep(fresh)
                self._votes.keep(self.memory["ids"])

    @on_one_thread
    def follow(self, detections: Detections, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Similarity of one frame's detections of known identity to the tracks so far, which they then continue.

        Args:
            detections: N detections, see :meth:`identify`; they are not filtered.
            ids: (N,) int64 identities.

        Returns:
            (N, M) similarities, and the (M,) identities of the tracks.
        """
        known = self.memory["ids"].copy() if len(self.memory) else np.zeros(0, dtype=np.int64)
        similarity = np.zeros((len(ids), len(known)))
        if len(ids):
            observed = {**self._observe_all(detections, np.arange(len(ids))), "ids": ids}
            if len(known):
                similarity = self._compare(observed)
            is_same = ids[:, None] == known
            tracks = np.where(is_same.any(axis=1), is_same.argmax(axis=1) if len(known) else -1, -1)
            self._store(observed, tracks, np.flatnonzero(tracks < 0))
        self._frame += 1
        return similarity, known

    def state_dict(self) -> dict[str, np.ndarray]:
        """State for the next frame, as arrays (for ``numpy.savez``; no pickle).

        A tracker of the same configuration that loads it continues as if there had been no interruption.
        """
        tracks = {f"memory.{name}": values for name, values in self.memory.state_dict().items()}
        return {
            "compares": np.array(self.compares),
            "next_id": np.array(self._next_id),
            "frame": np.array(self._frame),
            "votes": self._votes.state(),
            **tracks,
        }

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore a :meth:`state_dict`, or the ``NpzFile`` of a saved one.

        Raises:
            ValueError: a key is missing, it is of another tracker, or columns do not fit together.
        """
        missing = {"compares", "next_id", "frame", "votes"} - set(state)
        if missing:
            raise ValueError(f"not the state of a tracker: it lacks {sorted(missing)}")
        if str(state["compares"]) != self.compares:
            raise ValueError(f"the state of a tracker that compares {state['compares']}, not {self.compares}")
        memory = MemoryBank()
        memory.load_state_dict(
            {name[len("memory.") :]: np.asarray(state[name]) for name in state if name.startswith("memory.")}
        )
        self.memory, self._next_id, self._frame = memory, int(state["next_id"]), int(state["frame"])
        self._votes.load(np.asarray(state["votes"]))

    @abstractmethod
    def _observe(self, detections: Detections, rows: np.ndarray) -> dict[str, np.ndarray]:
        """What the memory stores besides, (N, ...) by name, of ``rows`` (N,) of the detections."""

    @abstractmethod
    def _affinity(self, observed: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Arrays ``scores`` (N, K) and ``new_scores`` (N,) of association.py, and the rows (K,) of the memory that may
        be continued, ascending; N and M at least 1."""

    def _compare(self, observed: Mapping[str, np.ndarray]) -> np.ndarray:
        """Similarities (N, M) of detections and tracks, each pair's by itself."""
        return self._affinity(observed)[0]

    def _merge(self, tracks: np.ndarray, observed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """New values of the columns that a match with ``tracks`` (N,), rows of the memory, does not replace by the
        newest."""
        return {}

    def _observe_all(self, detections: Detections, rows: np.ndarray) -> dict[str, np.ndarray]:
        needs_boxes = "a tracker needs boxes (the tight boxes of masks will do)"
        classes = require_column(detections, "pred_classes", "a tracker needs the predicted categories", rows)
        boxes = require_column(detections, "pred_boxes", needs_boxes, rows)
        if boxes.shape[1:] != (4,):
            raise TrackerInputError(f"`pred_boxes` has the shape {boxes.shape}, must be (N, 4) XYXY")
        require_finite(boxes, "pred_boxes", rows)
        observed = {
            "ids": np.full(len(rows), -1, dtype=np.int64),
            "scores": detections.column("scores", rows),
            "classes": classes.astype(np.int64),
            "boxes": boxes,
            "last_frames": np.full(len(rows), self._frame, dtype=np.int64),
            **self._observe(detections, rows),
        }
        self.memory.check(observed)
        return observed

    def _identify(self, observed: dict[str, np.ndarray]) -> np.ndarray:
        """Identities (N,) of the observed detections, -1 for none; the memory stores them."""
        ids, scores = observed["ids"], observed["scores"]
        tracks, gate = np.full(len(ids), -1, dtype=np.int64), np.full(len(ids), self.new_track_score, np.float32)
        if len(self.memory):
            affinity, new_affinity, candidates = self._affinity(observed)
            if self.max_speed:
                frames = self._frame - self.memory["last_frames"][candidates]
                near = within_reach(observed["boxes"], self.memory["boxes"][candidates], self.max_speed * frames)
                affinity = np.where(near, affinity, -np.inf)
            chosen = assign_in_rounds(self.assign, affinity, new_affinity, scores >= self.high_score)
            gate[contested_rows(affinity, new_affinity, chosen)] = self.conflict_new_track_score
            matched = np.flatnonzero(chosen >= 0)
            tracks[matched] = candidates[chosen[matched]]
            ids[matched] = self.memory["ids"][tracks[matched]]
        new = np.flatnonzero((tracks < 0) & (scores >= gate))
        if self.new_track_max_overlap < 1:
            new = rows_apart(new, tracks >= 0, observed["boxes"], scores, self.new_track_max_overlap)
        ids[new] = np.arange(self._next_id, self._next_id + len(new))
        self._next_id += len(new)
        self._store(observed, tracks, new)
        return ids

    def _store(self, observed: Mapping[str, np.ndarray], tracks: np.ndarray, new: np.ndarray) -> None:
        """Store detections as the newest of ``tracks`` (N,), -1 for none, and the rows ``new`` as new tracks."""
        matched = np.flatnonzero(tracks >= 0)
        if len(matched):
            newest, rows = _rows(observed, matched), tracks[matched]
            self.memory.replace(rows, {**newest, **self._merge(rows, newest)})
        if len(new):
            self.memory.add(_rows(observed, new))


def _rows(columns: Mapping[str, np.ndarray], rows: np.ndarray) -> Mapping[str, np.ndarray]:
    """Rows (K,), ascending and unique, of ``columns``, which are not copied where that is all."""
    if all(len(values) == len(rows) for values in columns.values()):
        return columns
    return {name: values[rows] for name, values in columns.items()}
