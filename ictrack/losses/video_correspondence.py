"""Self-supervised correspondence between two frames of an unlabeled video.

Constraints on the affinity A of two frames (Li et al., "Joint-task Self-supervised Learning for Temporal
Correspondence", NeurIPS 2019; facts from github.com/Liusifei/UVC): colors carried by A match the target's, colors
carried back by A^T match the reference's (A is close to orthogonal), a neighborhood stays together, and the round trip
ends at its start. The contrastive random walk is in :mod:`ictrack.losses.random_walk`.

Naming convention:
    B: frame pairs, D: embedding dimension; the target frame, or a patch of it, has h x w = P locations, the reference
    frame H x W = Q. Coordinates are (x, y) of cell centers, -1 to 1 from edge to edge of a grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .affinity import round_trip_log_probability, transport, transport_transposed


class VideoCorrespondenceLoss(NamedTuple):
    """Unweighted terms, each a scalar. For a patch ``reverse_color`` is 0: most of the frame is not in it."""

    color: Tensor
    reverse_color: Tensor
    concentration: Tensor
    cycle: Tensor


def video_correspondence_loss(
    target: Tensor,
    reference: Tensor,
    target_colors: Tensor,
    reference_colors: Tensor,
    *,
    channel_weights: Sequence[float],
    max_color_loss: float | None,
    window: int,
    cycle: str,
    temperature: float = 1.0,
    normalize: bool = False,
    target_valid: Tensor | None = None,
    reference_valid: Tensor | None = None,
    block_size: int | None = None,
) -> VideoCorrespondenceLoss:
    """Color, reverse color, concentration and cycle loss of a batch of frame pairs, or of patches against frames.

    Everything runs in at least float32, also under autocast.

    Args:
        target, reference: (B, D, h, w) and (B, D, H, W) features; h x w is smaller than H x W for patches.
        target_colors, reference_colors: (B, C, h, w) and (B, C, H, W) Lab colors, scaled to about -1 to 1, of the
            frames before their colors were jittered.
        channel_weights: Weights of the C color channels.
        max_color_loss: Limit above which a pair's color loss counts as 0; None: no limit.
        window: Side in locations of the neighborhoods that stay together.
        cycle: "probability" for :func:`cycle_loss`, "coordinate" for :func:`coordinate_cycle_loss`.
        temperature: Divisor of the dot products of features.
        normalize: Whether to L2-normalize features first.
        target_valid, reference_valid: (B, h, w) and (B, H, W) bool; False is outside the image: left out of the
            means, and never a match.
        block_size: Rows of the affinity in memory at a time; None: all.

    Raises:
        ValueError: the shapes do not fit, or ``cycle`` is neither name.
    """
    _check_shapes(target, target_colors, target_valid, "target")
    _check_shapes(reference, reference_colors, reference_valid, "reference")
    if target.shape[:2] != reference.shape[:2]:
        raise ValueError(f"{tuple(target.shape)} target features do not fit {tuple(reference.shape)} of the reference")
    if cycle not in ("probability", "coordinate"):
        raise ValueError(f'cycle must be "probability" or "coordinate", not "{cycle}"')
    with torch.autocast(device_type=target.device.type, enabled=False):
        x, y = _locations(target), _locations(reference)
        if normalize:
            x, y = F.normalize(x, dim=2), F.normalize(y, dim=2)
        x_colors, y_colors = _locations(target_colors).to(x), _locations(reference_colors).to(y)
        x_valid = None if target_valid is None else target_valid.flatten(1)
        y_valid = None if reference_valid is None else reference_valid.flatten(1)
        options: dict[str, Any] = {"temperature": temperature, "block_size": block_size}
        height, width = target.shape[2:]
        whole_frame = (height, width) == tuple(reference.shape[2:])

        # One pass over the affinity carries both the colors and the coordinates of the reference.
        coordinates = grid_coordinates(*reference.shape[2:]).to(y).expand(len(y), -1, -1)
        carried = transport(x, y, torch.cat([y_colors, coordinates], dim=2), key_valid=y_valid, **options)
        carried_colors, carried_coordinates = carried.split([y_colors.shape[2], 2], dim=2)
        color = color_loss(carried_colors, x_colors, channel_weights, x_valid, max_color_loss)
        concentration = concentration_loss(carried_coordinates, (height, width), window, x_valid)
        reverse_color = 0 * color
        if whole_frame:
            inside = x_colors if x_valid is None else torch.where(x_valid[..., None], x_colors, 0.0)
            back = transport_transposed(x, y, inside, key_valid=y_valid, **options)
            reverse_color = color_loss(back, y_colors, channel_weights, y_valid, max_color_loss)
            coordinates_back = transport(y, x, coordinates, key_valid=x_valid, **options)
            concentration = concentration + concentration_loss(coordinates_back, (height, width), window, y_valid)
        if cycle == "probability":
            cycled = cycle_loss(x, y, query_valid=x_valid, key_valid=y_valid, **options)
        else:
            cycled = coordinate_cycle_loss(x, y, (height, width), query_valid=x_valid, key_valid=y_valid, **options)
        return VideoCorrespondenceLoss(color, reverse_color, concentration, cycled)


def color_loss(
    reconstruction: Tensor,
    colors: Tensor,
    channel_weights: Sequence[float],
    valid: Tensor | None = None,
    max_loss: float | None = None,
) -> Tensor:
    """Weighted L1: 1/P sum_p sum_c w_c |c^_pc - c_pc|, with c^ = A c_ref, or A^T c for the reverse direction.

    UVC weighs the channels L, a, b by 1, 10, 10 and drops pairs above 2.5.

    Args:
        reconstruction, colors: (B, P, C) colors.
        channel_weights: Weights of the C channels.
        valid: (B, P) mask of the locations to average over.
        max_loss: Limit above which a pair's loss counts as 0; None: no limit.

    Returns:
        Scalar, the mean over the batch; 0 iff the colors are equal wherever their weight is positive.
    """
    weights = colors.new_tensor(list(channel_weights))
    if len(weights) != colors.shape[2]:
        raise ValueError(f"{len(weights)} channel weights for {colors.shape[2]} color channels")
    loss = _mean_of_valid(((reconstruction - colors).abs() * weights).sum(dim=2), valid)  # (B,)
    if max_loss is not None:
        loss = torch.where(loss <= max_loss, loss, 0.0)
    return loss.sum() / max(len(loss), 1)


def concentration_loss(coordinates: Tensor, size: tuple[int, int], window: int, valid: Tensor | None = None) -> Tensor:
    """Mean squared distance of carried coordinates to their mean in every ``window`` x ``window`` neighborhood.

    Neighborhoods do not overlap; those at the right and bottom edge may be smaller.

    Args:
        coordinates: (B, h * w, 2) coordinates at which each location of a grid was found.
        size: (h, w) of the grid.
        window: Side of a neighborhood in locations.
        valid: (B, h * w) mask of the locations that count.

    Returns:
        Scalar, the mean over the batch; 0 iff all locations of a neighborhood are found at one.
    """
    inside = torch.ones_like(coordinates[..., :1]) if valid is None else valid[..., None].to(coordinates)
    maps = torch.cat([coordinates * inside, inside], dim=2).transpose(1, 2).unflatten(2, size)  # (B, 3, h, w)
    pooled = F.avg_pool2d(maps, window, ceil_mode=True)
    means = pooled[:, :2] / pooled[:, 2:].clamp(min=torch.finfo(pooled.dtype).tiny)
    means = means.repeat_interleave(window, 2).repeat_interleave(window, 3)[..., : size[0], : size[1]]
    distances = (coordinates - means.flatten(2).transpose(1, 2)).square().sum(dim=2)
    loss = _mean_of_valid(distances, valid)
    return loss.sum() / max(len(loss), 1)


def cycle_loss(
    queries: Tensor,
    keys: Tensor,
    *,
    temperature: float = 1.0,
    query_valid: Tensor | None = None,
    key_valid: Tensor | None = None,
    block_size: int | None = None,
) -> Tensor:
    """Cross-entropy of the round trip softmax(G) softmax(G^T) against the identity, G = X Y^T / ``temperature``.

    Args:
        queries, keys: (B, P, D) and (B, Q, D) features; the walk starts and ends at a query.
        query_valid, key_valid: (B, P) and (B, Q) bool; False takes a location out of the walk.
        block_size: Rows of the affinity at a time, see :mod:`ictrack.losses.affinity`.

    Returns:
        Scalar, at least 0; log P if all features are alike.
    """
    log_probability = round_trip_log_probability(
        queries, keys, temperature=temperature, query_valid=query_valid, key_valid=key_valid, block_size=block_size
    )
    loss = _mean_of_valid(-log_probability, query_valid)
    return loss.sum() / max(len(loss), 1)


def coordinate_cycle_loss(
    queries: Tensor,
    keys: Tensor,
    size: tuple[int, int],
    *,
    temperature: float = 1.0,
    query_valid: Tensor | None = None,
    key_valid: Tensor | None = None,
    block_size: int | None = None,
) -> Tensor:
    """UVC's coordinate form of :func:`cycle_loss`: L1 of softmax(G) softmax(G^T) u against the coordinates u.

    Args:
        size: (h, w) of the queries' grid.
    """
    start = grid_coordinates(*size).to(queries).expand(len(queries), -1, -1)
    there = transport(keys, queries, start, temperature=temperature, key_valid=query_valid, block_size=block_size)
    back = transport(queries, keys, there, temperature=temperature, key_valid=key_valid, block_size=block_size)
    loss = _mean_of_valid((back - start).abs().sum(dim=2), query_valid)
    return loss.sum() / max(len(loss), 1)


def grid_coordinates(height: int, width: int) -> Tensor:
    """Coordinates (x, y) of cell centers, (height * width, 2) float64 in row-major order; the edges are at -1 and 1."""
    x = (2 * torch.arange(width, dtype=torch.float64) + 1) / width - 1
    y = (2 * torch.arange(height, dtype=torch.float64) + 1) / height - 1
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=2).flatten(0, 1)


def crop_patches(
    maps: Sequence[Tensor], size: tuple[int, int], generator: torch.Generator | None = None
) -> list[Tensor]:
    """Random window of each image, the same in several maps: features, colors and validity of a target patch.

    Args:
        maps: (B, ..., H, W) tensors with the same B, H and W.
        size: (h, w) of the window, at most (H, W).
        generator: Source of the offsets, on the CPU; None: PyTorch's own.

    Returns:
        (B, ..., h, w) for each map.
    """
    batch, height, width = len(maps[0]), *maps[0].shape[-2:]
    if size[0] > height or size[1] > width:
        raise ValueError(f"a patch of {size[0]} x {size[1]} does not fit into {height} x {width} locations")
    top = torch.randint(height - size[0] + 1, (batch,), generator=generator).tolist()
    left = torch.randint(width - size[1] + 1, (batch,), generator=generator).tolist()
    return [
        torch.stack([x[..., t : t + size[0], s : s + size[1]] for x, t, s in zip(images, top, left)]) for images in maps
    ]


def _locations(maps: Tensor) -> Tensor:
    """Maps (B, C, h, w) as (B, h * w, C), at least float32."""
    return maps.flatten(2).transpose(1, 2).to(torch.promote_types(maps.dtype, torch.float32))


def _mean_of_valid(values: Tensor, valid: Tensor | None) -> Tensor:
    """Means (B,) of (B, P) values over the valid ones; 0 if there is none."""
    if valid is None:
        return values.mean(dim=1)
    return torch.where(valid, values, 0.0).sum(dim=1) / valid.sum(dim=1).clamp(min=1)


def _check_shapes(features: Tensor, colors: Tensor, valid: Tensor | None, name: str) -> None:
    fits = features.dim() == colors.dim() == 4 and features.shape[2:] == colors.shape[2:]
    fits = fits and len(features) == len(colors)
    if not fits or (valid is not None and valid.shape != (len(features), *features.shape[2:])):
        shapes = f"{tuple(features.shape)} features, {tuple(colors.shape)} colors"
        shapes += "" if valid is None else f", {tuple(valid.shape)} validity"
        raise ValueError(f"{name}: expected (B, D, h, w), (B, C, h, w) and (B, h, w) or None, got {shapes}")
