"""CLEAR MOT of joints: PoseTrack's tracking metric, in which each joint is a multi-object tracking problem of its own.

References: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics", 2008;
the events are those of py-motmetrics 1.4.0 (github.com/cheind/py-motmetrics), which poseval uses. In each frame an
annotated joint first keeps the track that it was last matched to, however long ago, if that is within reach; the others
are assigned with the most matches and, among such assignments, the least distance. A match to another track than the
last one is a switch. Among equally good assignments the choice may differ from py-motmetrics'.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from .pairs import MATCH_DISTANCE, PosePairs

# Columns of the counts.
COUNTS = ("objects", "misses", "false_positives", "switches", "matches", "D_all_events", "D_match_and_switch", "D_raw")


@dataclass(frozen=True)
class JointEvents:
    """Events of each of 15 joints in each of F frames.

    Attributes:
        objects, predictions: (F, 15) number of annotated and predicted joints.
        matched: (F, 15) number of matched annotated joints.
        switches: (F, 15) number of joints matched to another track than before.
        distance: (F, 15) sum of the matches' distances, in head sizes.
        distance_raw: (F, 15) sum of the distances of all pairs within reach.
        distance_extra: (F, 15) sum of the matches' distances for each of py-motmetrics' ASCEND (a switch to a track
            that has never been matched), TRANSFER (to a track last assigned to another person) and MIGRATE (a transfer
            to a person that has never been matched).
    """

    objects: np.ndarray
    predictions: np.ndarray
    matched: np.ndarray
    switches: np.ndarray
    distance: np.ndarray
    distance_raw: np.ndarray
    distance_extra: np.ndarray

    def counts(self, frames: np.ndarray, num_dummy_frames: int = 0) -> np.ndarray:
        """Counts (15, len(COUNTS)) summed over the frames of a mask (F,).

        Args:
            frames: (F,) mask.
            num_dummy_frames: Number of additional frames with one missed object and one false positive.
        """
        objects, predictions, matched, switches, distance, raw, extra = (
            values[frames].sum(axis=0)
            for values in (
                self.objects,
                self.predictions,
                self.matched,
                self.switches,
                self.distance,
                self.distance_raw,
                self.distance_extra,
            )
        )
        columns = {
            "objects": objects + num_dummy_frames,
            "misses": objects - matched + num_dummy_frames,
            "false_positives": predictions - matched + num_dummy_frames,
            "switches": switches,
            "matches": matched - switches,
            "D_all_events": raw + distance + extra,
            "D_match_and_switch": distance,
            "D_raw": raw,
        }
        return np.stack([columns[name] for name in COUNTS], axis=1).astype(np.float64)


def track_joints(pairs: PosePairs, frames: np.ndarray) -> JointEvents:
    """Match the joints of a sequence, frame by frame, in the frames of a mask (F,)."""
    num_frames, num_joints = pairs.gt.num_frames, pairs.gt_present.shape[1]
    pair, joint = np.nonzero(pairs.is_match & frames[pairs.frame, None])
    distance = pairs.distance[pair, joint]
    frame = pairs.frame[pair]
    gt_ids, gt_track = np.unique(pairs.gt.track_ids, return_inverse=True)
    pred_ids, pred_track = np.unique(pairs.pred.track_ids, return_inverse=True)
    memory = _Memory(len(gt_ids) * num_joints, len(pred_ids) * num_joints)
    rows = gt_track[pairs.gt_index[pair]] * num_joints + joint
    columns = pred_track[pairs.pred_index[pair]] * num_joints + joint
    bounds = np.searchsorted(frame, np.arange(num_frames + 1))
    chosen: list[np.ndarray] = []
    switched: list[np.ndarray] = []
    extra: list[np.ndarray] = []
    for t in np.unique(frame):
        part = slice(bounds[t], bounds[t + 1])
        for events, indices in zip((chosen, switched, extra), memory.step(rows[part], columns[part], distance[part])):
            events.append(indices + bounds[t])

    def total(events: list[np.ndarray], weights: np.ndarray | None = None) -> np.ndarray:
        """Number (F, 15) of the events, or sum of their weights."""
        index = np.concatenate([np.zeros(0, dtype=np.int64), *events])
        cells = frame[index] * num_joints + joint[index]
        return np.bincount(
            cells, None if weights is None else weights[index], minlength=num_frames * num_joints
        ).reshape(num_frames, num_joints)

    return JointEvents(
        objects=_per_frame(pairs.gt_present, pairs.gt.frames, num_frames),
        predictions=_per_frame(pairs.pred_present, pairs.pred.frames, num_frames),
        matched=total(chosen),
        switches=total(switched),
        distance=total(chosen, distance),
        distance_raw=total([np.arange(len(distance))], distance),
        distance_extra=total(extra, distance),
    )


def _per_frame(present: np.ndarray, frames: np.ndarray, num_frames: int) -> np.ndarray:
    """Number (F, 15) of joints present in each frame."""
    totals = np.concatenate([np.zeros((1, present.shape[1]), dtype=np.int64), np.cumsum(present, axis=0)])
    bounds = np.searchsorted(frames, np.arange(num_frames + 1))
    return totals[bounds[1:]] - totals[bounds[:-1]]


class _Memory:
    """Previous matches. A row is a joint of an annotated track, a column a joint of a predicted track."""

    def __init__(self, num_rows: int, num_columns: int) -> None:
        self.partner = np.full(num_rows, -1)  # last column of a row
        self.assigned_to = np.full(num_columns, -1)  # last row that a column was newly assigned to
        self.row_matched = np.zeros(num_rows, dtype=bool)
        self.column_matched = np.zeros(num_columns, dtype=bool)
        self._row_taken = np.zeros(num_rows, dtype=bool)
        self._column_taken = np.zeros(num_columns, dtype=bool)
        self._claim = np.zeros(num_columns, dtype=np.int64)

    def step(self, rows: np.ndarray, columns: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, ...]:
        """Match the rows and columns of a frame.

        Args:
            rows, columns, distance: (E,) pairs within reach, rows in the order of the annotations.

        Returns:
            Indices of the matched pairs, of the switches among them, and of the pairs that py-motmetrics lists again,
            as often as it does.
        """
        kept = np.flatnonzero(self.partner[rows] == columns)
        # If two rows were last matched to the same column, the first of them keeps it.
        self._claim[columns[kept[::-1]]] = kept[::-1]
        kept = kept[self._claim[columns[kept]] == kept]
        self._row_taken[rows[kept]] = True
        self._column_taken[columns[kept]] = True
        rest = np.flatnonzero(~(self._row_taken[rows] | self._column_taken[columns]))
        self._row_taken[rows[kept]] = False
        self._column_taken[columns[kept]] = False
        if len(rest) == 0:
            return kept, rest, rest
        new = rest[assign(rows[rest], columns[rest], distance[rest])]
        row, column = rows[new], columns[new]
        is_switch = self.partner[row] >= 0
        is_ascend = is_switch & ~self.column_matched[column]
        is_transfer = (self.assigned_to[column] >= 0) & (self.assigned_to[column] != row)
        is_migrate = is_transfer & ~self.row_matched[row]
        extra = np.concatenate([new[is_ascend], new[is_transfer], new[is_migrate]])
        self.partner[row] = column
        self.assigned_to[column] = row
        self.row_matched[row] = self.column_matched[column] = True
        return np.concatenate([kept, new]), new[is_switch], extra


def assign(rows: np.ndarray, columns: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Indices of the pairs of a one-to-one assignment with the most pairs and, among those, the least distance.

    Args:
        rows, columns: (E,) ends of each possible pair.
        distance: (E,) distances, at most ``MATCH_DISTANCE``.
    """
    row_degree, column_degree = np.bincount(rows)[rows], np.bincount(columns)[columns]
    is_only = (row_degree == 1) & (column_degree == 1)
    chosen = [np.flatnonzero(is_only)]
    open_pairs = np.flatnonzero(~is_only)
    if len(open_pairs):
        _, row = np.unique(rows[open_pairs], return_inverse=True)
        _, column = np.unique(columns[open_pairs], return_inverse=True)
        shape = row.max() + 1, column.max() + 1
        # An impossible pair costs more than all possible ones together.
        cost = np.full(shape, 1 + MATCH_DISTANCE * min(shape))
        cost[row, column] = distance[open_pairs]
        index = np.full(shape, -1)
        index[row, column] = open_pairs
        taken = index[linear_sum_assignment(cost)]
        chosen.append(taken[taken >= 0])
    return np.concatenate(chosen)
