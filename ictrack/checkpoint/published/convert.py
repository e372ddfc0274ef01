"""Recognition of published files of weights by their names, and conversion to and from our names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..weights_file import CheckpointError
from .adelaidet import ADELAIDET
from .backbones import DETECTRON2, HRNET, TORCHVISION
from .mmdetection import MMDETECTION
from .name_table import NameTable
from .point_set_anchor import POINT_SET_ANCHOR
from .source import Source
from .wxinlong import WXINLONG

ICTRACK = Source(
    formats=("ictrack",),
    title="model of ICTrack",
    marks=r"(detector\.)?(head\.category_|heads\.\d+\.class_branch|embedding_head\.)",
    table=NameTable([("{rest}", "{rest}")]),
    is_published=False,
)
# In the order in which they are tried: an HRNet has ResNet's names in its first stage, and our detectors have
# Detectron2's in their backbones.
SOURCES = (POINT_SET_ANCHOR, WXINLONG, MMDETECTION, ADELAIDET, ICTRACK, HRNET, DETECTRON2, TORCHVISION)
FORMATS = tuple(dict.fromkeys(name for source in SOURCES for name in source.formats))
_COUNTER = ".num_batches_tracked"


@dataclass(frozen=True)
class Conversion:
    """Weights under our names.

    Attributes:
        source: Kind of file that they are from.
        weights: Tensors by our names.
        unused: Published names that are deliberately left out.
    """

    source: Source
    weights: dict[str, Tensor]
    unused: list[str]


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names in one line, the first ones where there are many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def find_source(names: Iterable[str], kind: str = "auto") -> Source | None:
    """Kind of a file with these names, or None where no kind has them.

    Args:
        names: Names of the file's tensors.
        kind: One of ``FORMATS``, to which the search is limited, or "auto".
    """
    names = list(names)
    kinds = (source for source in SOURCES if kind == "auto" or kind in source.formats)
    return next((source for source in kinds if source.has(names)), None)


def convert_weights(weights: Mapping[str, Tensor], kind: str = "auto", *, strict: bool = True) -> Conversion:
    """Rename published weights to the names in ICTrack.

    Args:
        weights: Tensors by published names.
        kind: One of ``FORMATS``, or "auto".
        strict: Whether unknown names are refused; else they are left out.

    Raises:
        CheckpointError: the names are of no kind or of another one, some are unknown, or tensors contradict the kind.
    """
    source = find_source(weights, kind)
    if source is None:
        other = find_source(weights)
        hint = f"its names are those of a {other.title} ({other.formats[0]})" if other else "its names are unknown"
        wanted = "published weights" if kind == "auto" else f"a file of {kind}"
        raise CheckpointError(f"is not {wanted}: {hint}, such as {listed(sorted(weights), 3) or 'none at all'}")
    weights = source.prepare(weights)
    used = {name: ours for name in weights if not source.leaves_out(name) and (ours := source.table.ours(name))}
    unused = [name for name in weights if name not in used]
    problems = [f"{name}: unknown" for name in unused if strict and not source.leaves_out(name)]
    taken: dict[str, str] = {}
    for name, ours in used.items():
        if taken.setdefault(ours, name) != name:
            problems.append(f"{name}: the same as {taken[ours]}")
    problems += source.find_problems(weights)
    if problems:
        raise CheckpointError(f"is no {source.title} that can be used: {listed(problems)}")
    return Conversion(source, {ours: weights[name] for name, ours in used.items()}, unused)


def published_weights(weights: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    """Rename a detector's weights to published names.

    Args:
        weights: Tensors by our names, without an embedding head.
        kind: One of ``FORMATS``.

    Returns:
        Tensors by published names, with the counters of batches that the other programs' BatchNorm has.

    Raises:
        CheckpointError: the kind has no name for some of them.
    """
    source = next(source for source in SOURCES if kind in source.formats)
    names = {ours: source.table.published(ours) for ours in weights}
    if unknown := [ours for ours, name in names.items() if name is None]:
        raise CheckpointError(f"the {source.title} has no names for {listed(unknown)}")
    renamed = {name: weights[ours] for ours, name in names.items() if name is not None}
    statistics = [name for name in renamed if name.endswith(".running_var")]
    counters = {name.removesuffix(".running_var") + _COUNTER: torch.tensor(0) for name in statistics}
    return {**counters, **renamed}
