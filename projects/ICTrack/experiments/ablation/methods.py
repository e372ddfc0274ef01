"""The rows of the ablation table, the heads that they are made of, and the claims that are tested."""

from __future__ import annotations

from dataclasses import dataclass

FORMS = ("strong", "paper")


@dataclass(frozen=True)
class HeadRecipe:
    """How one embedding head is trained.

    Attributes:
        lessons: what it learns from, names in ``lessons.LESSONS``; several share the batch. None: it stays untrained.
        is_detectors: it is not trained here, but has been along with the detector.
        overrides: KEY, VALUE, ... of the form's configuration.
        is_second: it starts from the weights that all heads beside the image head start from.
    """

    lessons: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    is_second: bool = True
    is_detectors: bool = False


def _pairs(smallest: int, largest: int) -> tuple[str, ...]:
    return ("INPUT.UNLABELLED.NUM_FRAMES", "2", "INPUT.UNLABELLED.INTERVAL", f"[{smallest}.0, {largest}.0]")


_ENTROPY, _LAMBDA = "MODEL.EMBEDDING.ENTROPY_WEIGHT", "MODEL.EMBEDDING.CONTRASTIVE_WEIGHT"
_TEMPERATURE, _OBJECTIVE = "MODEL.EMBEDDING.TEMPERATURE", "MODEL.VIDEO_EMBEDDING.OBJECTIVE"
_ALL_LEVELS = ("MODEL.VIDEO_EMBEDDING.LEVELS", "[]")
# Of each picture all cells are compared with all of the next: fewer pictures do, and more would take most of the time.
_PIXELS = ("SOLVER.IMS_PER_BATCH", "16")
_WALK_FRAMES = ("INPUT.UNLABELLED.NUM_FRAMES", "4")
_CORRESPONDENCE = (_OBJECTIVE, "correspondence", *_pairs(2, 8), *_PIXELS)

# The image head that second heads are fused with, and that finds the tracklets.
IMAGE_HEADS = {"strong": "detector", "paper": "ic"}

HEADS = {
    "detector": HeadRecipe(is_second=False, is_detectors=True),
    "ic": HeadRecipe(("stills",), is_second=False),
    "ic without entropy": HeadRecipe(("stills",), (_ENTROPY, "0.0"), is_second=False),
    "ic entropy 0.1": HeadRecipe(("stills",), (_ENTROPY, "0.1"), is_second=False),
    "ic entropy 1": HeadRecipe(("stills",), (_ENTROPY, "1.0"), is_second=False),
    "ic lambda 0.5": HeadRecipe(("stills",), (_LAMBDA, "0.5"), is_second=False),
    "ic lambda 2": HeadRecipe(("stills",), (_LAMBDA, "2.0"), is_second=False),
    "ic temperature 0.05": HeadRecipe(("stills",), (_TEMPERATURE, "0.05"), is_second=False),
    "ic temperature 0.2": HeadRecipe(("stills",), (_TEMPERATURE, "0.2"), is_second=False),
    "joint": HeadRecipe(("stills", "tracklets"), is_second=False),
    "untrained": HeadRecipe(),
    "second ic": HeadRecipe(("stills",)),
    # Two views, so that what it learns from a frame is the augmentation, also where stills have one.
    "augmented": HeadRecipe(("augmented",), ("INPUT.NUM_VIEWS", "2")),
    "warped": HeadRecipe(("warped",), ("INPUT.NUM_VIEWS", "2")),
    "true ids": HeadRecipe(("true ids",)),
    "tracklets": HeadRecipe(("tracklets",)),
    "tracklets interval 1": HeadRecipe(("tracklets",), _pairs(1, 1)),
    "tracklets interval 2-8": HeadRecipe(("tracklets",), _pairs(2, 8)),
    "tracklets interval 8-32": HeadRecipe(("tracklets",), _pairs(8, 32)),
    "tracklets scales": HeadRecipe(("tracklets at scales",)),
    "correspondence": HeadRecipe(("pixels",), _CORRESPONDENCE),
    "correspondence levels": HeadRecipe(("pixels",), (*_CORRESPONDENCE, *_ALL_LEVELS)),
    "correspondence half size": HeadRecipe(("pixels at half size",), _CORRESPONDENCE),
    "correspondence scales": HeadRecipe(("pixels at scales",), _CORRESPONDENCE),
    "correspondence levels scales": HeadRecipe(("pixels at scales",), (*_CORRESPONDENCE, *_ALL_LEVELS)),
    "random walk": HeadRecipe(("pixels",), (_OBJECTIVE, "random_walk", *_WALK_FRAMES, *_PIXELS)),
    "instance walk": HeadRecipe(("instance walk",), _WALK_FRAMES),
}


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        method: its name.
        form: "strong" or "paper".
        heads: names in ``HEADS``; two are fused. None: the method has no head.
    """

    method: str
    form: str
    heads: tuple[str, ...] = ()


# Methods without a head. What they read of a detection is the same in both forms.
PLAIN_METHODS = ("spatial", "iou", "mean_colour", "frozen")

_IMAGE = "image"  # stands for IMAGE_HEADS
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
# Those of the strong form that the paper's has, too ...
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
# ... and those of the paper's form alone: only its head has levels of its own, and only it has the entropy term.
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
    """The rows of these methods in all forms, or with "form:method" in one; None: all rows.

    Raises:
        ValueError: there is no such row.
    """
    if names is None:
        return ROWS
    known = {name for row in ROWS for name in (row.method, f"{row.form}:{row.method}")}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"no row is called {', '.join(unknown)}; rows are {', '.join(sorted(known))}")
    return tuple(row for row in ROWS if row.method in names or f"{row.form}:{row.method}" in names)


@dataclass(frozen=True)
class Comparison:
    """A claim: at the largest frame skip the first method's IDF1 is above the second's."""

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
