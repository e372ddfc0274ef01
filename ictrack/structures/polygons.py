"""Polygons of a mask that give exactly its pixels again, by COCO's rule."""

from __future__ import annotations

import numpy as np

from .rle import RLE

# Corner of pixels x, y.
_Corner = tuple[int, int]


def polygons_of_mask(mask: np.ndarray) -> list[list[float]]:
    """Polygons [x1, y1, x2, y2, ...] along the edges of a mask's pixels, one for each 4-connected part.

    A hole is joined to the outline above it by a cut of no width, so that a polygon needs no second outline. COCO's
    rule (pycocotools) gives the same mask again.

    Args:
        mask: (H, W) bool.
    """
    loops = _loops(np.asarray(mask, dtype=bool))
    outlines = [loop for loop in loops if _area(loop) > 0]
    holes = sorted((loop for loop in loops if _area(loop) < 0), key=lambda loop: _top(loop)[::-1])
    owner = {corner: outline for outline in outlines for corner in outline}
    for hole in holes:
        start = hole.index(_top(hole))
        x, y = hole[start]
        foot = next((x, above) for above in range(y - 1, -1, -1) if (x, above) in owner)
        outline = owner[foot]
        position = outline.index(foot)
        outline[position + 1 : position + 1] = [*hole[start:], *hole[: start + 1], foot]
        owner.update(dict.fromkeys(hole, outline))
    return [_without_middles(outline) for outline in outlines]


def polygons_of_rle(rle: RLE) -> list[list[float]]:
    """Polygons of an encoded mask, see :func:`polygons_of_mask`."""
    from pycocotools import mask as mask_util

    left, top, width, height = map(int, mask_util.toBbox(rle).tolist())
    part = mask_util.decode(rle)[top : top + height, left : left + width]
    shifted = (np.reshape(polygon, (-1, 2)) + np.array((left, top)) for polygon in polygons_of_mask(part))
    return [polygon.ravel().tolist() for polygon in shifted]


def _loops(mask: np.ndarray) -> list[list[_Corner]]:
    """Closed paths around the parts of a mask and their holes, corner by corner, with the mask on the right."""
    following = _steps(mask)
    loops = []
    while following:
        start = corner = next(iter(following))
        loop: list[_Corner] = []
        direction = (0, 0)
        while True:
            after = _take(following, corner, direction)
            loop.append(corner)
            direction = (after[0] - corner[0], after[1] - corner[1])
            corner = after
            if corner == start and (start not in following or _turn(following, start, direction) != loop[1]):
                break
        loops.append(loop)
    return loops


def _steps(mask: np.ndarray) -> dict[_Corner, list[_Corner]]:
    """Corners that follow each corner on the edges of a mask, one or two."""
    padded = np.pad(mask, 1).astype(np.int8)
    down, right = np.diff(padded, axis=0)[:, 1:-1], np.diff(padded, axis=1)[1:-1]
    following: dict[_Corner, list[_Corner]] = {}
    for edges, value, first, second in (
        (down, 1, (0, 0), (1, 0)),  # the upper edge of a pixel, from left to right
        (down, -1, (1, 0), (0, 0)),
        (right, 1, (0, 1), (0, 0)),
        (right, -1, (0, 0), (0, 1)),
    ):
        y, x = np.nonzero(edges == value)
        for left, top in zip(x.tolist(), y.tolist()):
            start = (left + first[0], top + first[1])
            following.setdefault(start, []).append((left + second[0], top + second[1]))
    return following


def _turn(following: dict[_Corner, list[_Corner]], corner: _Corner, direction: tuple[int, int]) -> _Corner:
    """Corner that follows: of two, the one to the right, so that parts that touch at a corner stay apart."""
    options = following[corner]
    to_the_right = (corner[0] - direction[1], corner[1] + direction[0])
    return to_the_right if to_the_right in options else options[0]


def _take(following: dict[_Corner, list[_Corner]], corner: _Corner, direction: tuple[int, int]) -> _Corner:
    after = _turn(following, corner, direction)
    following[corner].remove(after)
    if not following[corner]:
        del following[corner]
    return after


def _top(loop: list[_Corner]) -> _Corner:
    """Uppermost corner, the leftmost of equals."""
    return min(loop, key=lambda corner: (corner[1], corner[0]))


def _area(loop: list[_Corner]) -> int:
    """Area, negative for a hole."""
    return sum(x * (below - y) for (x, y), (_, below) in zip(loop, [*loop[1:], loop[0]]))


def _without_middles(loop: list[_Corner]) -> list[float]:
    """Coordinates of the corners at which a loop turns."""
    neighbors = zip([loop[-1], *loop[:-1]], loop, [*loop[1:], loop[0]])
    turns = [(x, y) for (x0, y0), (x, y), (x1, y1) in neighbors if (x - x0, y - y0) != (x1 - x, y1 - y)]
    return [float(value) for corner in turns for value in corner]
