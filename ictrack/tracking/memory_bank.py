"""Memory of a tracker: growing NumPy arrays with one row per track."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


class MemoryBank:
    """Columns of equal length with one row per track, in the order in which the tracks started.

    The first :meth:`add` fixes the columns' names, data types and trailing shapes. Capacity doubles when it is
    used up, so adding is amortized O(1), and ``bank[name]`` is a view of the M rows in use, without a copy.
    Columns of dtype object hold ASCII ``bytes`` (run-length encodings).
    """

    def __init__(self) -> None:
        self._columns: dict[str, np.ndarray] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, name: str) -> np.ndarray:
        """View (M, ...) of column ``name``."""
        return self._columns[name][: self._size]

    def add(self, columns: Mapping[str, np.ndarray]) -> None:
        """Append the rows of ``columns``, (K, ...) by name. Raises as :meth:`check` does."""
        self.check(columns)
        if not self._columns:
            self._columns = {name: values[:0].copy() for name, values in columns.items()}
        added = len(next(iter(columns.values())))
        for name, values in columns.items():
            column = self._columns[name]
            if self._size + added > len(column):
                capacity = max(2 * len(column), self._size + added)
                grown = np.empty((capacity, *column.shape[1:]), column.dtype)
                grown[: self._size] = column[: self._size]
                self._columns[name] = column = grown
            column[self._size : self._size + added] = values
        self._size += added

    def replace(self, rows: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
        """Overwrite ``rows`` (K,) with ``columns``, (K, ...) by name. Raises as :meth:`check` does."""
        self.check(columns)
        for name, values in columns.items():
            self._columns[name][rows] = values

    def keep(self, mask: np.ndarray) -> None:
        """Drop the rows where ``mask`` (M,) is False."""
        self._columns = {name: self[name][mask] for name in self._columns}
        self._size = int(mask.sum())

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of the rows in use, as arrays that ``numpy.savez`` and ``numpy.load`` support without pickle."""
        return {name: self[name].astype("S") if self[name].dtype == object else self[name].copy()
                for name in self._columns}  # fmt: skip

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore the rows of :meth:`state_dict`. Raises ValueError if the columns have different lengths."""
        lengths = {name: len(values) for name, values in state.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of a saved memory bank differ in length: {lengths}")
        self._columns = {name: values.astype(object if values.dtype.kind == "S" else values.dtype)
                         for name, values in state.items()}  # fmt: skip
        self._size = max(lengths.values(), default=0)

    def check(self, columns: Mapping[str, np.ndarray]) -> None:
        """Raise ValueError unless ``columns``, (K, ...) by name, can be added: names and trailing shapes agree."""
        given = {name: values.shape[1:] for name, values in columns.items()}
        held = {name: values.shape[1:] for name, values in self._columns.items()}
        if held and given != held:
            raise ValueError(f"detections have the columns and shapes {given}, the memory bank holds {held}")
