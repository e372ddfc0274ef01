"""Rows of the ablation table, the heads they use, and the claims that are tested."""

from __future__ import annotations

from dataclasses import dataclass

FORMS = ("strong", "paper")


@dataclass(frozen=True)
class HeadConfig:
    """Training of one embedding head.

    Attributes:
        objectives: Names in ``objectives.CACHED_OBJECTIVES``, which share the batch. Empty: the head stays untrained.
        overrides: KEY, VALUE, ... on top of the form's configuration.
        is_second: Whether the initial weights are those of second heads, which differ from the image head's.
        is_detectors: Whether the head is the detector's own, trained along with it.
    """

    objectives: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    is_second: bool = True
    is_detectors: bool = False


def _pairs(smallest: int, largest: int) -> tuple[str, ...]:
    return ("INPUT.UNLABELED.NUM_FRAMES", "2", "INPUT.UNLABELED.INTERVAL", f"[{smallest}.0, {largest}.0]")


_ENTROPY, _LAMBDA = "MODEL.EMBEDDING.ENTROPY_WEIGHT", "MODEL.EMBEDDING.CONTRASTIVE_WEIGHT"
_TEMPERATURE, _OBJECTIVE = "MODEL.EMBEDDING.TEMPERATURE", "MODEL.VIDEO_EMBEDDING.OBJECTIVE"
_ALL_LEVELS = ("MODEL.VIDEO_EMBEDDING.LEVELS", "[]")
# Pixel-level objectives compare all cells of two frames; larger batches would take most of the time.
_PIXELS = ("SOLVER.IMS_PER_BATCH", "16")
_WALK_FRAMES = ("INPUT.UNLABELED.NUM_FRAMES", "4")
_CORRESPONDENCE = (_OBJECTIVE, "correspondence", *_pairs(2, 8), *_PIXELS)

# Image head of each form: second heads are fused with it, and it mines the tracklets.
IMAGE_HEADS = {"strong": "detector", "paper": "ic"}

HEADS = {
    "detector": HeadConfig(is_second=False, is_detectors=True),
    "ic": HeadConfig(("stills",), is_second=False),
    "ic without entropy": HeadConfig(("stills",), (_ENTROPY, "0.0"), is_second=False),
    "ic entropy 0.1": HeadConfig(("stills",), (_ENTROPY, "0.1"), is_second=False),
    "ic entropy 1": HeadConfig(("stills",), (_ENTROPY, "1.0"), is_second=False),
    "ic lambda 0.5": HeadConfig(("stills",), (_LAMBDA, "0.5"), is_second=False),
    "ic lambda 2": HeadConfig(("stills",), (_LAMBDA, "2.0"), is_second=False),
    "ic temperature 0.05": HeadConfig(("stills",), (_TEMPERATURE, "0.05"), is_second=False),
    "ic temperature 0.2": HeadConfig(("stills",), (_TEMPERATURE, "0.2"), is_second=False),
    "joint": HeadConfig(("stills", "tracklets"), is_second=False),
    "untrained": HeadConfig(),
    "second ic": HeadConfig(("stills",)),
    # Two views, so that the augmentation is learned also where INPUT.NUM_VIEWS is 1.
    "augmented": HeadConfig(("augmented",), ("INPUT.NUM_VIEWS", "2")),
    "warped": HeadConfig(("warped",), ("INPUT.NUM_VIEWS", "2")),
    "true ids": HeadConfig(("true ids",)),
    "tracklets": HeadConfig(("tracklets",)),
    "tracklets interval 1": HeadConfig(("tracklets",), _pairs(1, 1)),
    "tracklets interval 2-8": HeadConfig(("tracklets",), _pairs(2, 8)),
    "tracklets interval 8-32": HeadConfig(("tracklets",), _pairs(8, 32)),
    "tracklets scales": HeadConfig(("tracklets at scales",)),
    "correspondence": HeadConfig(("pixels",), _CORRESPONDENCE),
    "correspondence levels": HeadConfig(("pixels",), (*_CORRESPONDENCE, *_ALL_LEVELS)),
    "correspondence half size": HeadConfig(("pixels at half size",), _CORRESPONDENCE),
    "correspondence scales": HeadConfig(("pixels at scales",), _CORRESPONDENCE),
    "correspondence levels scales": HeadConfig(("pixels at scales",), (*_CORRESPONDENCE, *_ALL_LEVELS)),
    "random walk": HeadConfig(("pixels",), (_OBJECTIVE, "random_walk", *_WALK_FRAMES, *_PIXELS)),
    "instance walk": HeadConfig(("instance walk",), _WALK_FRAMES),
}


@dataclass(frozen=True)
class Row:
    """Row of the table.

    Attributes:
        method: Name of the method.
        form: "strong" or "paper".
        heads: Names in ``HEADS``; two are fused. Empty for a method without a head.
    """

    method: str
    form: str
    heads: tuple[str, ...] = ()


# Methods without a head; they are the same in both forms.
PLAIN_METHODS = ("spatial", "iou", "mean_color", "frozen")

_IMAGE = "image"  # placeholder for the form's head in IMAGE_HEADS
_HEADS_OF_METHOD: dict[str, tuple[str, ...]] = {
    "untrained": ("untrained",),
    "ic_no_entropy": ("ic without entropy",),
    "ic": (_IMAGE,),
    "ic+untrained": (_IMAGE, "untrained"),
    "ic+ic": (_IMAGE, "second ic"),
    "ic+augmented": (_IMAGE, "augmented"),
    "ic+warped": (_IMAGE, "warped"),
    "oracle": (_IMAGE, "true ids"),
    "video": ("tracklets",),
    "ic+video": (_IMAGE, "tracklets"),
    "joint": ("joint",),
    "ic+correspondence": (_IMAGE, "correspondence"),
    "ic+random_walk": (_IMAGE, "random walk"),
    "ic+instance_walk": (_IMAGE, "instance walk"),
    "ic lambda 0.5": ("ic lambda 0.5",),
    "ic lambda 2": ("ic lambda 2",),
    "ic entropy 0.1": ("ic entropy 0.1",),
    "ic entropy 1": ("ic entropy 1",),
    "ic temperature 0.05": ("ic temperature 0.05",),
    "ic temperature 0.2": ("ic temperature 0.2",),
    "ic+video interval 1": (_IMAGE, "tracklets interval 1"),
    "ic+video interval 2-8": (_IMAGE, "tracklets interval 2-8"),
    "ic+video interval 8-32": (_IMAGE, "tracklets interval 8-32"),
}
# Methods of both forms.
_PAPER_METHODS = (
    "untrained",
    "ic_no_entropy",
    "ic",
    "ic+untrained",
    "ic+ic",
    "ic+augmented",
    "ic+warped",
    "oracle",
    "video",
    "ic+video",
    "ic+correspondence",
)
# Methods of the paper's form only: only its head has levels of its own and the entropy term.
_HEADS_OF_PAPER_METHOD: dict[str, tuple[str, ...]] = {
    "ic+video scales": (_IMAGE, "tracklets scales"),
    "ic+correspondence levels": (_IMAGE, "correspondence levels"),
    "ic+correspondence half size": (_IMAGE, "correspondence half size"),
    "ic+correspondence scales": (_IMAGE, "correspondence scales"),
    "ic+correspondence levels scales": (_IMAGE, "correspondence levels scales"),
    "ic_no_entropy+untrained": ("ic without entropy", "untrained"),
    "ic_no_entropy+video": ("ic without entropy", "tracklets"),
    "ic_no_entropy+correspondence": ("ic without entropy", "correspondence"),
    "ic_no_entropy+correspondence levels": ("ic without entropy", "correspondence levels"),
}


def _row(method: str, form: str) -> Row:
    heads = {**_HEADS_OF_METHOD, **_HEADS_OF_PAPER_METHOD}[method]
    return Row(method, form, tuple(IMAGE_HEADS[form] if h == _IMAGE else h for h in heads))


ROWS = (
    *(Row(method, "strong") for method in PLAIN_METHODS),
    *(_row(method, "strong") for method in _HEADS_OF_METHOD),
    *(_row(method, "paper") for method in (*_PAPER_METHODS, *_HEADS_OF_PAPER_METHOD)),
)


def select_rows(names: list[str] | None) -> tuple[Row, ...]:
    """Rows of the named methods, "method" in all forms or "form:method" in one; all rows for None.

    Raises:
        ValueError: If there is no such row.
    """
    if names is None:
        return ROWS
    known = {name for row in ROWS for name in (row.method, f"{row.form}:{row.method}")}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"no row is called {', '.join(unknown)}; rows are {', '.join(sorted(known))}")
    return tuple(row for row in ROWS if row.method in names or f"{row.form}:{row.method}" in names)


@dataclass(frozen=True)
class Comparison:
    """Claim that at the largest frame skip one method's IDF1 is above another's."""

    target: str
    form: str
    better: str
    worse: str


COMPARISONS = (
    Comparison("a", "strong", "frozen", "spatial"),
    Comparison("a", "strong", "ic", "frozen"),
    Comparison("a", "strong", "ic", "untrained"),
    Comparison("b", "paper", "ic+video", "ic"),
    Comparison("b", "paper", "ic+video", "ic+untrained"),
    Comparison("b", "paper", "ic+video", "ic+ic"),
    Comparison("c", "strong", "ic+video", "ic+augmented"),
    Comparison("c", "strong", "ic+correspondence", "ic+augmented"),
    Comparison("c", "paper", "ic+video", "ic+augmented"),
    Comparison("c", "strong", "ic+correspondence", "ic+warped"),
    Comparison("c", "paper", "ic+video", "ic+warped"),
    Comparison("room", "strong", "oracle", "ic+augmented"),
    Comparison("room", "paper", "oracle", "ic+augmented"),
    Comparison("d", "strong", "ic+correspondence", "ic"),
    Comparison("d", "strong", "ic+correspondence", "ic+untrained"),
    Comparison("d", "paper", "ic+correspondence", "ic"),
    Comparison("d", "paper", "ic+correspondence", "ic+untrained"),
    Comparison("d", "paper", "ic+correspondence levels", "ic"),
    Comparison("d", "paper", "ic+correspondence levels", "ic+untrained"),
    Comparison("d", "paper", "ic+correspondence levels scales", "ic"),
    Comparison("d", "paper", "ic+correspondence levels scales", "ic+untrained"),
    Comparison("e", "paper", "ic+correspondence levels", "ic+correspondence"),
    Comparison("e", "paper", "ic+correspondence", "ic+correspondence half size"),
    Comparison("e", "paper", "ic+correspondence scales", "ic+correspondence half size"),
    Comparison("e", "paper", "ic+correspondence levels scales", "ic+correspondence half size"),
    Comparison("e", "paper", "ic+video scales", "ic+video"),
    Comparison("f", "paper", "ic+video", "ic+correspondence levels"),
    Comparison("f", "paper", "ic+video", "ic+correspondence levels scales"),
    Comparison("g", "strong", "ic_no_entropy", "ic entropy 0.1"),
    Comparison("g", "paper", "ic_no_entropy", "ic"),
    Comparison("g", "paper", "ic_no_entropy+video", "ic+video"),
    Comparison("g", "paper", "ic_no_entropy+video", "ic_no_entropy"),
    Comparison("g", "paper", "ic_no_entropy+video", "ic_no_entropy+untrained"),
    Comparison("g", "paper", "ic_no_entropy+correspondence levels", "ic_no_entropy"),
)
