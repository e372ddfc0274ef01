"""How often a piece of code would wait for a device, counted on the CPU."""

from __future__ import annotations

from collections import Counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# Operators whose result's shape, or Python value, depends on data.
_WAITING = (
    "_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "bincount",
    "repeat_interleave", "equal", "is_nonzero", "item",
)  # fmt: skip
_METHODS = ("tolist", "numpy", "cpu")


class CountSyncs(TorchDispatchMode):
    """Counts operators that wait for the device, and indexing with booleans, in ``counts``."""

    def __init__(self, monkeypatch) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.active = False
        for name in _METHODS:  # on a CPU they pass no operator
            monkeypatch.setattr(torch.Tensor, name, self._counted(name, getattr(torch.Tensor, name)))

    def _counted(self, name, method):
        def call(tensor, *args, **kwargs):
            self.counts[name] += self.active
            return method(tensor, *args, **kwargs)

        return call

    def __enter__(self):
        self.active = True
        return super().__enter__()

    def __exit__(self, *args):
        self.active = False
        return super().__exit__(*args)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name == "repeat_interleave" and (kwargs or {}).get("output_size") is not None:
            return func(*args, **(kwargs or {}))
        if name in _WAITING:
            self.counts[name] += 1
        elif name in ("index", "index_put", "index_put_", "_index_put_impl_"):
            indices = [x for x in args[1] if x is not None]
            self.counts["boolean index"] += any(x.dtype in (torch.bool, torch.uint8) for x in indices)
        return func(*args, **(kwargs or {}))

    def total(self) -> int:
        return sum(self.counts.values())
