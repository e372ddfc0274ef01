"""Masks of SOLO at the size of the output image."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

# Largest height and width in pixels of the tiles of an output image; usual sizes of video are multiples.
_TILE = (24, 64)
# Tiles at a time, which bounds memory for large and ragged masks: 12 MB.
_TILES_AT_A_TIME = 2048
# Rounding of a mean of probabilities is less.
_ROUNDING = 1e-5


class _Axis(NamedTuple):
    """Resizing along one axis by tiles of the output, of which the last one ends with it.

    Attributes:
        outputs: (tiles, side) int64 output pixels of each tile.
        weights: (tiles, side, k) of the k source pixels in each tile's window, for each of its output pixels.
        pixels: (tiles, k) int64 source pixels of the windows.
        reads: (tiles, source) float, 1 where a tile reads a source pixel.
    """

    outputs: Tensor
    weights: Tensor
    pixels: Tensor
    reads: Tensor


def paste_masks(
    probabilities: Tensor,
    padded_size: tuple[int, int],
    image_size: tuple[int, int],
    output_size: tuple[int, int],
    threshold: float,
) -> tuple[Tensor, Tensor]:
    """Masks and boxes at the size of the output image.

    Bilinear up-sampling to the padded input, cropping of the padding, bilinear resizing to the output and
    thresholding. The chain is linear and separable: one matrix for rows and one for columns, with few non-zeros. Each
    pixel of its result is a mean of source pixels, so that tiles that only read pixels above the threshold, or only
    pixels below, need no arithmetic.

    Args:
        probabilities: (N, h, w) float32.
        padded_size: (H, W) of the network's input.
        image_size: (H, W) of the image in it, at the top left.
        output_size: (H, W) of the result.
        threshold: Probability above which a pixel is in the mask.

    Returns:
        (N, *output_size) bool masks, and their tight boxes (N, 4) XYXY, half open; 0 for an empty mask.
    """
    device = probabilities.device
    with torch.autocast(device.type, enabled=False):
        rows, columns = (
            _Axis(*(x.to(device) for x in _axis(source, padded, image, output, side)))
            for source, padded, image, output, side in zip(
                probabilities.shape[1:], padded_size, image_size, output_size, _TILE
            )
        )
        number_read = rows.reads.sum(1)[:, None] * columns.reads.sum(1)
        clearly_above = rows.reads @ (probabilities > threshold + _ROUNDING).float() @ columns.reads.T
        is_full = clearly_above == number_read  # (N, tiles, tiles)
        is_empty = rows.reads @ (probabilities > threshold).float() @ columns.reads.T == 0

        row_of, column_of = (
            torch.arange(size, device=device).div_(side, rounding_mode="floor")
            for size, side in zip(output_size, _TILE)
        )
        # Bytes are copied in whole rows, booleans one by one.
        pasted = is_full.view(torch.uint8).index_select(2, column_of).index_select(1, row_of).view(torch.bool)
        tile_size = (rows.outputs.shape[1], columns.outputs.shape[1])
        windows = pasted.unfold(1, tile_size[0], 1).unfold(2, tile_size[1], 1)  # by their first pixel
        row_hits, column_hits = (
            is_full.any(axis).int()[..., None].repeat(1, 1, side) for axis, side in zip((2, 1), tile_size)
        )
        for chunk in (~is_full & ~is_empty).nonzero().split(_TILES_AT_A_TIME):
            mask, row, column = chunk.unbind(1)
            window = probabilities[mask[:, None, None], rows.pixels[row, :, None], columns.pixels[column, None]]
            tile = rows.weights[row] @ window @ columns.weights[column].transpose(1, 2) > threshold
            windows[mask, rows.outputs[row, 0], columns.outputs[column, 0]] = tile
            hits = tile.view(torch.uint8)  # the largest of bytes takes less time than any()
            row_hits.index_put_((mask, row), hits.amax(2).int(), accumulate=True)
            column_hits.index_put_((mask, column), hits.amax(1).int(), accumulate=True)
    row_ends, column_ends = (
        extents(hits.flatten(1), axis.outputs.flatten()) for hits, axis in zip((row_hits, column_hits), (rows, columns))
    )
    ends = torch.stack([column_ends, row_ends], dim=2).flatten(1)  # x0, y0, x1, y1
    return pasted, torch.where(ends[:, 3:] > 0, ends, 0).float()


@lru_cache(maxsize=16)
def _axis(source: int, padded: int, image: int, output: int, side: int) -> _Axis:
    """Resizing to ``padded``, crop to ``image``, resizing to ``output`` on one axis, on the CPU, by tiles."""
    upsampled = F.interpolate(torch.eye(source)[None], size=padded, mode="linear", align_corners=False)[..., :image]
    matrix = F.interpolate(upsampled, size=output, mode="linear", align_corners=False)[0].T
    side = min(side, output)
    outputs = torch.arange(0, output, side).clamp(max=output - side)[:, None] + torch.arange(side)
    matrix = matrix[outputs]
    reads = (matrix != 0).any(1)
    ends = extents(reads, torch.arange(source))
    length = int(ends.diff().amax())
    first = ends[:, 0].clamp(max=source - length)
    index = first[:, None] + torch.arange(length)
    return _Axis(outputs, matrix.gather(2, index[:, None].expand(-1, side, -1)), index, reads.float())


def extents(hits: Tensor, pixels: Tensor) -> Tensor:
    """(N, 2) int64 first and last + 1 pixel of the hits (not 0) of each row of (N, L); an empty row ends at 0.

    Args:
        hits: (N, L).
        pixels: (L,) int64 pixel of each.
    """
    is_hit, size = hits > 0, pixels.amax() + 1
    last = (is_hit * (pixels + 1)).amax(1)
    first = size - (is_hit * (size - pixels)).amax(1)
    return torch.stack([first, last], dim=1)
