"""Counter of the memory that tensors take or, without computing anything large, would take."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.weak import WeakIdKeyDictionary

from ictrack.modeling.point_set_anchor import head
from ictrack.modeling.point_set_anchor.head import deformable_convolution

# Results with more elements are not computed.
_LARGE = 1 << 21
# Never computed, however small.
_HEAVY = ("convolution", "convolution_backward", "native_group_norm", "native_group_norm_backward")
# Unit of CUDA's allocator in bytes.
_ALIGNMENT = 512
# Functions of the models that automatic mixed precision runs in float32 on a GPU, but not on a CPU.
_FLOAT32_ON_CUDA = ("group_norm", "softmax", "log_softmax", "exp", "log", "sum", "cumsum", "norm", "logsumexp")


class CountMemory(TorchDispatchMode):
    """Counter of the bytes of all live tensors, by storage.

    Unless ``compute`` is set, large floating-point results are not computed: they are zeros, whose pages the operating
    system does not make before they are written to, so that a full-scale step runs in seconds and within the memory of
    a desktop computer. Integers, booleans and small results are computed, so what depends on the labels is done as it
    is in training.

    Attributes:
        alive: Bytes in use.
        peak: Largest number of bytes so far.
    """

    def __init__(self, *, compute: bool = False) -> None:
        super().__init__()
        self.compute = compute
        self.alive = self.peak = 0
        self._known: Any = WeakIdKeyDictionary()

    def watch(self, tensors: Iterable[Any]) -> None:
        """Count tensors, each as long as it lives."""
        for tensor in tensors:
            if isinstance(tensor, Tensor) and tensor.device.type != "meta":
                storage = tensor.untyped_storage()
                if storage not in self._known:
                    size = -(-storage.nbytes() // _ALIGNMENT) * _ALIGNMENT
                    self._known[storage] = size
                    weakref.finalize(storage, self._release, size)
                    self.alive += size
        self.peak = max(self.peak, self.alive)

    def _release(self, size: int) -> None:
        self.alive -= size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs) if self.compute else _run(func, args, kwargs)
        self.watch(tree_leaves(result))
        return result


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Result of the operator, or zeros of its shape where something large would be computed."""
    schema = func._schema
    is_view = any(result.alias_info is not None and not result.alias_info.is_write for result in schema.returns)
    is_heavy = func.overloadpacket.__name__ in _HEAVY or any(_is_large(x) for x in tree_leaves((args, kwargs)))
    if is_view or torch.Tag.inplace_view in func.tags:
        return func(*args, **kwargs)
    written = [
        args[i] if i < len(args) else kwargs.get(argument.name)
        for i, argument in enumerate(schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]
    if written and all(result.alias_info is not None for result in schema.returns):  # in place: nothing new is made
        if not is_heavy:
            return func(*args, **kwargs)
        return None if not schema.returns else written[0] if len(schema.returns) == 1 else tuple(written)
    try:
        shapes = func(*tree_map_only(Tensor, _shape, args), **_on_meta(tree_map_only(Tensor, _shape, kwargs)))
    except (NotImplementedError, RuntimeError):  # the shape depends on the values
        return func(*args, **kwargs)
    results = [x for x in tree_leaves(shapes) if isinstance(x, Tensor)]
    is_float = all(x.is_floating_point() for x in results)
    if is_float and (is_heavy or any(_is_large(x) for x in results)):
        return tree_map_only(Tensor, _zeros, shapes)
    return func(*args, **kwargs)


def _is_large(x: Any) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point() and x.numel() > _LARGE


def _shape(x: Tensor) -> Tensor:
    return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device="meta")


def _on_meta(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: torch.device("meta") if name == "device" else value for name, value in kwargs.items()}


def _zeros(shape: Tensor) -> Tensor:
    if not shape.numel():
        return torch.empty(shape.shape, dtype=shape.dtype)
    count = 1 + sum((side - 1) * stride for side, stride in zip(shape.shape, shape.stride()))
    # NumPy's, since PyTorch's own write to every page.
    flat = torch.from_numpy(np.zeros(count * shape.dtype.itemsize, np.uint8)).view(shape.dtype)
    return flat.as_strided(shape.shape, shape.stride())


class CudaAutocast(TorchFunctionMode):
    """Context of a CPU's bfloat16 autocast that runs in float32 what automatic mixed precision does on a GPU."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch.is_autocast_enabled("cpu") and getattr(func, "__name__", "") in _FLOAT32_ON_CUDA:
            args, kwargs = tree_map_only(Tensor, _float32, (args, kwargs))
        return func(*args, **kwargs)


def _float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype == torch.bfloat16 else x


@contextmanager
def without_sparse_matrices() -> Iterator[None]:
    """Context in which PointSetAnchor samples its taps one by one, as on a GPU, where no step has sparse matrices."""

    def sampled(x: Tensor, offsets: Tensor, weight: Tensor, *, is_fixed: bool) -> Tensor:
        return deformable_convolution(x, offsets, weight)

    with patch.object(head, "deformable_convolution", sampled):
        yield
