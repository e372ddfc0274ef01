"""Category names of the public video instance segmentation data sets, and the map from COCO's to theirs."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

YTVIS_2019_CATEGORIES = (
    "person", "giant_panda", "lizard", "parrot", "skateboard", "sedan", "ape", "dog", "snake", "monkey", "hand",
    "rabbit", "duck", "cat", "cow", "fish", "train", "horse", "turtle", "bear", "motorbike", "giraffe", "leopard",
    "fox", "deer", "owl", "surfboard", "airplane", "truck", "zebra", "tiger", "elephant", "snowboard", "boat",
    "shark", "mouse", "frog", "eagle", "earless_seal", "tennis_racket",
)  # fmt: skip
YTVIS_2021_CATEGORIES = (
    "airplane", "bear", "bird", "boat", "car", "cat", "cow", "deer", "dog", "duck", "earless_seal", "elephant",
    "fish", "flying_disc", "fox", "frog", "giant_panda", "giraffe", "horse", "leopard", "lizard", "monkey",
    "motorbike", "mouse", "parrot", "person", "rabbit", "shark", "skateboard", "snake", "snowboard", "squirrel",
    "surfboard", "tennis_racket", "tiger", "train", "truck", "turtle", "whale", "zebra",
)  # fmt: skip
# "Vehical" is the data set's spelling.
OVIS_CATEGORIES = (
    "Person", "Bird", "Cat", "Dog", "Horse", "Sheep", "Cow", "Elephant", "Bear", "Zebra", "Giraffe", "Poultry",
    "Giant_panda", "Lizard", "Parrot", "Monkey", "Rabbit", "Tiger", "Fish", "Turtle", "Bicycle", "Motorcycle",
    "Airplane", "Boat", "Vehical",
)  # fmt: skip

# Other names of categories, for targets without the own name. After the map that Detectron2's video instance
# segmentation projects share (VITA, DVIS, CAVIS), which folds the last ones of each line into a neighbor.
_ALSO_CALLED = {
    "motorcycle": ("motorbike",),
    "bicycle": ("motorbike",),
    "car": ("sedan", "vehical"),
    "bus": ("vehical",),
    "truck": ("vehical",),
    "frisbee": ("flying_disc",),
    "skis": ("snowboard",),
}
# COCO's categories that share a name with a different one: its mouse is the computer's, and in data sets with poultry,
# such as OVIS, "bird" is narrower than COCO's, and the shared map leaves it out.
_NOT_THE_SAME = {"mouse": "mouse", "bird": "poultry"}


def map_classes(source: Sequence[str], target: Sequence[str]) -> dict[int, int]:
    """Map from indices in ``source`` to indices in ``target`` of the same category, ignoring case, blanks, underscores.

    Categories without a counterpart are not in the map. COCO covers 19 of the 40 categories of YouTube-VIS 2019, 21 of
    the 40 of 2021 and 15 of the 25 of OVIS.
    """
    source, target = [_normal(name) for name in source], [_normal(name) for name in target]
    position = {name: i for i, name in enumerate(target)}
    only_in_coco = {"keyboard", "traffic_light"}
    is_coco = only_in_coco <= set(source) and not only_in_coco & set(target)
    mapped = {}
    for i, name in enumerate(source):
        if is_coco and _NOT_THE_SAME.get(name) in position:
            continue
        for candidate in (name, *_ALSO_CALLED.get(name, ())):
            if candidate in position:
                mapped[i] = position[candidate]
                break
    return mapped


def _normal(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def class_indices(wanted: Sequence[str], names: Sequence[str] | None) -> list[int]:
    """Indices of classes by their names, ignoring case, and underscores for blanks.

    Raises:
        ValueError: a name is none of ``names``; the message has the nearest.
    """
    known = {_normal(name): index for index, name in enumerate(names or ())}
    for name in wanted:
        if _normal(name) not in known:
            nearest = difflib.get_close_matches(_normal(name), known, n=1)
            listed = (
                f"did you mean {nearest[0]!r}?" if nearest else f"its classes are {', '.join(names or ()) or 'unknown'}"
            )
            raise ValueError(f"the detector has no class {name!r}; {listed}")
    return [known[_normal(name)] for name in wanted]


def class_name(names: Sequence[str] | None, index: int) -> str:
    """Name of a detector's class, or "class <index>" if unknown."""
    return names[index] if names is not None and index < len(names) else f"class {index}"
