"""Cast of a scene: people, some of whom look alike, and props."""

from __future__ import annotations

import numpy as np

from synthetic.characters.assets import Sprite, characters_of, load_sprite

from .scene import Person
from .skeleton import draw_body
from .wardrobe import Outfit, draw_outfit, look_alike, make_atlas, team_mate

# Categories of characters that may be props; a person would need a label.
_PROP_CATEGORIES = ("vehicle", "animal")


def draw_people(
    rng: np.random.Generator, split: str, count: int, look_alike_probability: float, team_probability: float
) -> list[Person]:
    """``count`` random people of a split.

    Args:
        rng: Generator.
        split: "train", "tune" or "val".
        count: Number of people.
        look_alike_probability: Probability that two of them wear the same clothes in different colors.
        team_probability: Probability that otherwise two of them wear identical clothes.
    """
    outfits = [draw_outfit(rng, split)]
    kind = rng.random()
    if count > 1 and kind < look_alike_probability:
        outfits.append(look_alike(rng, outfits[0]))
    elif count > 1 and kind < look_alike_probability + team_probability:
        outfits.append(team_mate(rng, outfits[0]))
    outfits += [draw_outfit(rng, split) for _ in range(count - len(outfits))]
    return [_person(rng, outfit) for outfit in outfits]


def _person(rng: np.random.Generator, outfit: Outfit) -> Person:
    return Person(draw_body(rng), outfit, make_atlas(outfit))


def draw_thing(rng: np.random.Generator, split: str) -> Sprite:
    """Random vehicle or animal of a split."""
    pool = [c for c in characters_of(split) if c.category in _PROP_CATEGORIES and c.frames == 1]
    return load_sprite(pool[rng.integers(len(pool))])
