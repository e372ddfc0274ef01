"""Check of the share of a model's parts that a file of weights sets, so that no other architecture loads silently."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from .weights_file import CheckpointError

logger = logging.getLogger(__name__)

# Smallest share of a part's tensors that a fitting file sets. Output layers for other classes are far fewer.
MIN_SHARE = 0.25
_EMBEDDING = "embedding_head"
# Head that other programs' files of a detector lack.
_BOX_MASKS = "box_mask_head"
# Buffers that do not count: FrozenBatchNorm2d has defaults for missing ones.
STATISTICS = (".running_mean", ".running_var", ".num_batches_tracked")


def part_of(name: str) -> str:
    """Part of a detector that a tensor belongs to: "backbone", "feature pyramid", or a head by name."""
    first, *rest = name.removeprefix("detector.").split(".")
    if first == "backbone":
        is_pyramid = rest[0].startswith("fpn_") or rest[0] in ("top_block", "reduction", "outputs")
        return "feature pyramid" if is_pyramid else "backbone"
    if first == _EMBEDDING and rest[0] in ("image_head", "video_head"):
        return f"{first}.{rest[0]}"
    return first


def check_coverage(
    names: Iterable[str],
    missing: Iterable[str],
    wrong_shapes: Sequence[tuple[str, tuple[int, ...], tuple[int, ...]]],
    unexpected: Iterable[str],
    *,
    backbone_only: bool = False,
    allow_partial: bool = False,
) -> None:
    """Log how many tensors of each part of a model were set, and refuse files of another architecture.

    Args:
        names: Names of the model's tensors.
        missing: Names of the tensors that were not set.
        wrong_shapes: (name, shape in the file, shape in the model) of the tensors whose shape differs.
        unexpected: Names of the file's tensors that the model lacks.
        backbone_only: Whether the file holds a classifier, which only needs to set the backbone.
        allow_partial: Whether to log only.

    Raises:
        CheckpointError: nearly nothing of a part of the detector was set, or an embedding head has another form. An
            embedding head that the file lacks is new, which is logged as a warning.
    """
    missing = {*missing, *(name for name, _, _ in wrong_shapes)}
    total: dict[str, int] = {}
    filled: dict[str, int] = {}
    for name in names:
        if name.endswith(STATISTICS):
            continue
        part = part_of(name)
        total[part] = total.get(part, 0) + 1
        filled[part] = filled.get(part, 0) + (name not in missing)
    counts = ", ".join(f"{part} {filled[part]} of {total[part]}" for part in total)
    logger.info("Tensors set: %s", counts)
    if allow_partial:
        return
    detector = [part for part in total if not is_embedding(part) and part != _BOX_MASKS]
    needed = [part for part in detector if part == "backbone" or not backbone_only]
    lacking = [part for part in needed if filled[part] < MIN_SHARE * total[part]]
    if lacking:
        kind = "of another architecture"
        for name, found, own in wrong_shapes:
            if part_of(name) in lacking:
                kind = f"of another architecture, or for other classes ({name} is {found}, the model's {own})"
                break
        raise CheckpointError(
            f"is {kind}: it leaves the model's {' and '.join(lacking)} as it is (tensors set: {counts}); "
            "set MODEL.ALLOW_PARTIAL_WEIGHTS True to load it nevertheless"
        )
    problems = [f"{name} is {found}, the model's {own}" for name, found, own in wrong_shapes if is_embedding(name)]
    empty = [part for part in total if (is_embedding(part) or part == _BOX_MASKS) and not filled[part]]
    if any(map(is_embedding, empty)):
        problems += [f"{name} is not in the model" for name in unexpected if is_embedding(name)]
    if problems:
        raise CheckpointError(
            f"its embedding head is not the one of MODEL.EMBEDDING and MODEL.VIDEO_EMBEDDING: {problems[0]}; "
            "set MODEL.ALLOW_PARTIAL_WEIGHTS True to leave such tensors out"
        )
    for part in empty:
        logger.warning("%s: the file has no weights for it; it is randomly initialized, and needs training", part)


def is_embedding(name: str) -> bool:
    return name.startswith(_EMBEDDING)
