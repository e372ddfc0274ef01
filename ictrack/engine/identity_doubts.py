"""Content of the report on an identification: the timeline, and the doubtful identities, most doubtful first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ictrack.visualization.identity_report import Bar, Doubt, IdentityReport, Row

from .identify import MIN_LENGTH, MIN_PROBABILITY, Identification

# Probability below which an identity is shown as doubtful, and the largest number of them.
DOUBTFUL, _MAX_DOUBTS = 0.99, 50
_PICTURES = 4


def report_of(result: Identification, tracks_name: str) -> IdentityReport:
    """Report on a result.

    Args:
        result: Result.
        tracks_name: Name of the file of the tracks, for the commands that correct it.
    """
    rows = []
    for identity in np.argsort(result.labels).tolist():
        of_identity = np.flatnonzero(result.links.identities == identity).tolist()
        bars = [bar for index in of_identity for bar in _bars(result, index)]
        rows.append(Row(int(result.labels[identity]), bars))
    doubts = _doubts(result, tracks_name) if result.told_apart else []
    frames = result.footage.frames
    num_frames = (frames[-1].index + 1) if frames else 0
    info = result.footage.info
    return IdentityReport(info.name, _facts(result), num_frames, info.fps, rows, doubts)


def _facts(result: Identification) -> list[tuple[str, str, str]]:
    total = result.num_detections + result.num_open
    share = f"{result.num_detections} of {total} ({100 * result.num_detections / max(total, 1):.1f} %)"
    test = (
        "Exact test without labels",
        str(result.halves),
        "Stretches in which objects were certain were cut in two. The network did not learn which halves belong "
        "together, and matched them by looks.",
    )
    if not result.told_apart:
        return [
            (
                "Identities",
                "none: the objects cannot be told apart by their looks",
                "The numbers are those of stretches in which an object was followed without any doubt.",
            ),
            test,
            (
                "Detections with a number",
                share,
                f"The others are of objects that touch, or of stretches of fewer than {MIN_LENGTH} frames.",
            ),
        ]
    estimate = "not known: too few stretches were long enough together for a test"
    accuracy, low, high = (100 * x for x in result.accuracy)
    if not np.isnan(accuracy):
        estimate = f"{accuracy:.1f} % (95 % interval {low:.1f} to {high:.1f})"
    return [
        ("Identities", str(len(result.labels)), "Objects that are told apart, with the numbers of the tracks."),
        (
            "Estimated accuracy",
            estimate,
            "Share of the detections with an identity that have the right one, estimated without any label.",
        ),
        test,
        (
            "Detections with an identity",
            share,
            f"The others are of objects that touch, of stretches of fewer than {MIN_LENGTH} frames, or of stretches "
            f"without an identity that is at least {100 * MIN_PROBABILITY:.0f} % probable.",
        ),
    ]


def _bars(result: Identification, index: int) -> list[Bar]:
    """Spans of frames of a tracklet, which a person may have joined of several."""
    frames = result.tracklets[index].frames
    breaks = np.flatnonzero(np.diff(frames) > 1) + 1
    probability = float(result.links.probabilities[index]) if result.told_apart else 1.0
    return [Bar(int(x[0]), int(x[-1]), probability) for x in np.split(frames, breaks)]


def _doubts(result: Identification, tracks_name: str) -> list[Doubt]:
    links = result.links
    order = np.argsort(links.probabilities, kind="stable")
    doubtful = [i for i in order.tolist() if links.probabilities[i] < DOUBTFUL][:_MAX_DOUBTS]
    return [_doubt(result, index, tracks_name) for index in doubtful]


def _doubt(result: Identification, index: int, tracks_name: str) -> Doubt:
    tracklet, links = result.tracklets[index], result.links
    first, last = int(tracklet.frames[0]), int(tracklet.frames[-1])
    identity, rival = int(links.identities[index]), int(links.rivals[index])
    own = int(result.labels[identity]) if identity >= 0 else None
    other = int(result.labels[rival]) if rival >= 0 else None
    command = ""
    if own is not None and other is not None:
        command = f"ictrack relabel {tracks_name} --swap {own} {other} --from {first}"
    elif own is not None:
        command = f"ictrack relabel {tracks_name} --split {own} --from {first}"
    return Doubt(
        first,
        last,
        own,
        other,
        float(links.probabilities[index]),
        _pictures([result.crops[index]]),
        _pictures_of(result, identity, index),
        _pictures_of(result, rival, index),
        command,
    )


def _pictures_of(result: Identification, identity: int, without: int) -> list[np.ndarray]:
    if identity < 0:
        return []
    members = np.flatnonzero(result.links.identities == identity).tolist()
    return _pictures([result.crops[i] for i in members if i != without])


def _pictures(crops: Sequence[np.ndarray]) -> list[np.ndarray]:
    """A few crops, spread over all of them."""
    if not crops:
        return []
    every = np.concatenate(crops)
    return [every[i] for i in np.linspace(0, len(every) - 1, min(_PICTURES, len(every))).round().astype(int)]
