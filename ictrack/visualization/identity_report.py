"""Report on the identities of a video as one HTML file: timeline, and doubtful identities with pictures."""

from __future__ import annotations

import base64
import html
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ictrack.structures.atomic_file import replacing

from .colors import track_color

_PAGE = Path(__file__).with_name("identity_report.html")
# Probability below which a bar is marked.
_MARKED = 0.95
_WIDTH, _ROW, _BAR = 1000, 22, 14  # of the timeline, in its own units
_ZOOM = 2  # of the pictures


@dataclass(frozen=True)
class Bar:
    """Frames ``first`` to ``last`` of an identity, and their probability."""

    first: int
    last: int
    probability: float


@dataclass(frozen=True)
class Row:
    """An identity's bars."""

    identity: int
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Doubt:
    """A doubtful identity.

    Attributes:
        first, last: Frames of the tracklet.
        identity: Its identity; None: left open.
        rival: The next likely one, of an open one the likeliest; None: one of its own.
        probability: Of the identity, or of an open one, of the likeliest.
        pictures, identity_pictures, rival_pictures: (H, W, 3) BGR crops of the tracklet, of its identity at other
            times, and of the rival.
        command: Command that corrects it.
    """

    first: int
    last: int
    identity: int | None
    rival: int | None
    probability: float
    pictures: Sequence[np.ndarray]
    identity_pictures: Sequence[np.ndarray]
    rival_pictures: Sequence[np.ndarray]
    command: str


@dataclass(frozen=True)
class IdentityReport:
    """Content of a report.

    Attributes:
        name: Name of the video.
        facts: Headings, texts and what they mean.
        num_frames: Number of frames.
        fps: Frames per second; 0 where it is unknown, and times are not shown.
        rows: Timeline.
        doubts: Doubtful identities, most doubtful first.
    """

    name: str
    facts: Sequence[tuple[str, str, str]]
    num_frames: int
    fps: float
    rows: Sequence[Row]
    doubts: Sequence[Doubt]


def write_identity_report(path: str | os.PathLike, report: IdentityReport) -> None:
    """Write a report, which needs no other file and no network. Raises OSError if it cannot be written."""
    facts = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}<p>{html.escape(meaning)}</p></dd>"
        for name, text, meaning in report.facts
    )
    doubts = "".join(_doubt(doubt, report.fps) for doubt in report.doubts) or "<p>None.</p>"
    content = {"NAME": html.escape(report.name), "FACTS": facts, "TIMELINE": _timeline(report), "DOUBTS": doubts}
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: content[match[1]], _PAGE.read_text(encoding="utf-8"))
    with replacing(path) as file:
        file.write(page.encode("utf-8"))


def _timeline(report: IdentityReport) -> str:
    scale = _WIDTH / max(report.num_frames, 1)
    height = _ROW * len(report.rows)
    parts = [f'<svg viewBox="-60 0 {_WIDTH + 110} {height + 24}" role="img" aria-label="Timeline of the identities">']
    for number, row in enumerate(report.rows):
        top = number * _ROW + (_ROW - _BAR) / 2
        red, green, blue = track_color(row.identity)
        parts.append(f'<text x="-10" y="{top + 11:g}" text-anchor="end">{row.identity}</text>')
        parts.append(f'<line x1="0" x2="{_WIDTH}" y1="{top + 7:g}" y2="{top + 7:g}"/>')
        for bar in row.bars:
            left, width = bar.first * scale, max((bar.last + 1 - bar.first) * scale, 1.5)
            marked = ' class="doubtful"' if bar.probability < _MARKED else ""
            frames = _frames(bar.first, bar.last, report.fps)
            label = f"identity {row.identity}: {frames}, probability {_percent(bar.probability)}"
            parts.append(
                f'<rect{marked} x="{left:.2f}" y="{top:g}" width="{width:.2f}" height="{_BAR}" rx="2" '
                f'fill="rgb({red},{green},{blue})"><title>{label}</title></rect>'
            )
    for share in (0, 0.25, 0.5, 0.75, 1):
        frame = round(share * max(report.num_frames - 1, 0))
        time = f" ({frame / report.fps:.1f} s)" if report.fps else ""
        label = f"{'' if share else 'frame '}{frame}{time}"
        parts.append(f'<text x="{share * _WIDTH:g}" y="{height + 18}" text-anchor="middle">{label}</text>')
    return "".join([*parts, "</svg>"])


def _doubt(doubt: Doubt, fps: float) -> str:
    rival = "a new one" if doubt.rival is None else f"identity {doubt.rival}"
    identity, title = "", f"no identity; {rival} is the likeliest ({_percent(doubt.probability)})"
    if doubt.identity is not None:
        identity = f"identity {doubt.identity}"
        title = f"{identity} ({_percent(doubt.probability)}), or else {rival}"
    strips = [
        ("in these frames", doubt.pictures),
        (f"{identity} at other times", doubt.identity_pictures),
        (rival, doubt.rival_pictures),
    ]
    pictures = "".join(
        f"<figure><div>{''.join(map(_picture, crops))}</div><figcaption>{name}</figcaption></figure>"
        for name, crops in strips
        if crops
    )
    command = f"<code>{html.escape(doubt.command)}</code>" if doubt.command else ""
    return (
        f"<article><h3>{_frames(doubt.first, doubt.last, fps).capitalize()}: {title}</h3>"
        f"<div class='strips'>{pictures}</div>{command}</article>"
    )


def _frames(first: int, last: int, fps: float) -> str:
    times = f" ({first / fps:.1f} to {last / fps:.1f} s)" if fps else ""
    return f"frames {first} to {last}{times}"


def _percent(probability: float) -> str:
    """Probability in percent, rounded down: what is not certain is not 100 %."""
    return f"{int(1000 * probability) / 10:.1f} %"


def _picture(crop: np.ndarray) -> str:
    large = cv2.resize(crop, None, fx=_ZOOM, fy=_ZOOM, interpolation=cv2.INTER_CUBIC)
    data = base64.b64encode(cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()).decode("ascii")
    return f'<img alt="" src="data:image/jpeg;base64,{data}">'
