"""Self-contained HTML report: film strips, tables, loss curves, videos and text in one file.

A report is a title and a list of sections, each plain data; :func:`write_report` turns them into a page that needs no
network, follows the reader's light or dark scheme, and prints well.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Union
from urllib.parse import quote

import cv2
import numpy as np

logger = logging.getLogger(__name__)

Cell = Union[float, int, str, None]

_PAGE = Path(__file__).with_name("html_report.html")


class Section(Protocol):
    """Part of a report."""

    title: str

    def body(self, folder: Path) -> str:
        """HTML below the title; ``folder`` is the report's, for relative links."""


@dataclass
class Text:
    """Paragraphs of plain text; `` `code` `` and ``**bold**`` are rendered.

    Attributes:
        title: Heading, or "" for none.
        paragraphs: Paragraphs.
    """

    title: str
    paragraphs: Sequence[str]

    def body(self, folder: Path) -> str:
        return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in self.paragraphs)


@dataclass
class FilmstripRow:
    """Frames of one tracker.

    Attributes:
        label: Name of the tracker.
        images: (H, W, 3) uint8 BGR images, one a column.
        note: Small print below the label.
        marks: Column -> flag on that frame, such as ``{4: "id switch"}``.
    """

    label: str
    images: Sequence[np.ndarray]
    note: str = ""
    marks: Mapping[int, str] = field(default_factory=dict)


@dataclass
class Filmstrip:
    """Rows of frames aligned column by column, to compare trackers.

    Attributes:
        title: Heading.
        rows: Rows of equally many images.
        columns: Heading of each column, such as "frame 12"; or None.
        caption: Text below the figure.
        width: Smallest width of an image in CSS pixels; a click shows it in full size.
    """

    title: str
    rows: Sequence[FilmstripRow]
    columns: Sequence[str] | None = None
    caption: str = ""
    width: int = 216

    def body(self, folder: Path) -> str:
        lengths = {len(row.images) for row in self.rows} | ({len(self.columns)} if self.columns is not None else set())
        if len(lengths) != 1:
            raise ValueError(f"film strip {self.title!r}: rows and column headings differ in length: {sorted(lengths)}")
        parts = []
        if self.columns is not None:
            parts.append('<div class="corner"></div>')
            parts += [f'<div class="column">{_inline(name)}</div>' for name in self.columns]
        for row in self.rows:
            note = f"<small>{_inline(row.note)}</small>" if row.note else ""
            parts.append(f'<div class="row"><b>{_inline(row.label)}</b>{note}</div>')
            for index, image in enumerate(row.images):
                mark = row.marks.get(index)
                flag = f'<span class="flag">{_inline(mark)}</span>' if mark else ""
                where = f"{row.label}, {self.columns[index] if self.columns is not None else f'image {index + 1}'}"
                style = ' class="flagged"' if mark else ""
                parts.append(
                    f'<div class="cell">{flag}<img{style} src="{_data_url(image)}" alt="{_text(where)}"></div>'
                )
        grid = f"--columns:{lengths.pop()};--width:{self.width}px"
        return _figure(
            f'<div class="scroll"><div class="strip" style="{grid}">{"".join(parts)}</div></div>', self.caption
        )


@dataclass
class Table:
    """Table of results, the best of each column in bold.

    Attributes:
        title: Heading.
        columns: Column headings; the first is that of the rows' names.
        rows: Cells of each row: a name, then numbers (None shows a dash) or text.
        better: Column heading -> "max" or "min"; other columns have no best.
        formats: Column heading -> format of its numbers; by default ".3f", and "d" for integers.
        highlight: Names of the rows to set off, such as our own.
        caption: Text below the table.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    better: Mapping[str, str] = field(default_factory=dict)
    formats: Mapping[str, str] = field(default_factory=dict)
    highlight: Sequence[str] = ()
    caption: str = ""

    def body(self, folder: Path) -> str:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"table {self.title!r}: row {row[0]!r} has {len(row)} cells for {len(self.columns)} columns"
                )
        unknown = {*self.better, *self.formats} - set(self.columns)
        if unknown:
            raise ValueError(f"table {self.title!r}: no column is called {sorted(unknown)}")
        best = {column: self._best(index) for index, column in enumerate(self.columns)}
        arrows = {"max": ' <span class="arrow">↑</span>', "min": ' <span class="arrow">↓</span>'}
        head = "".join(
            f'<th scope="col">{_inline(column)}{arrows.get(self.better.get(column, ""), "")}</th>'
            for column in self.columns
        )
        lines = []
        for name, *cells in self.rows:
            style = ' class="ours"' if name in self.highlight else ""
            line = f'<tr{style}><th scope="row">{_inline(str(name))}</th>'
            for column, cell in zip(self.columns[1:], cells):
                shown = self._show(column, cell)
                # Compared as shown: numbers that round to the same are equally good.
                line += f"<td><strong>{shown}</strong></td>" if shown == best[column] else f"<td>{shown}</td>"
            lines.append(line + "</tr>")
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        return _figure(f'<div class="scroll">{table}</div>', self.caption)

    def _best(self, index: int) -> str | None:
        column = self.columns[index]
        numbers = [cell for row in self.rows if isinstance(cell := row[index], (int, float)) and math.isfinite(cell)]
        if column not in self.better or not numbers:
            return None
        return self._show(column, {"max": max, "min": min}[self.better[column]](numbers))

    def _show(self, column: str, cell: Cell) -> str:
        if isinstance(cell, str):
            return _inline(cell)
        if cell is None or not math.isfinite(cell):
            return "–"
        return format(cell, self.formats.get(column, "d" if isinstance(cell, int) else ".3f"))


@dataclass
class LossCurves:
    """Small charts of one quantity each, raw and smoothed, over the iterations.

    Attributes:
        title: Heading.
        curves: Name -> (iterations (N,), values (N,)); see :func:`read_metrics`.
        caption: Text below the figure.
        smoothing: Window of the smoothed line as a share of the curve's length.
    """

    title: str
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    caption: str = ""
    smoothing: float = 0.05

    def body(self, folder: Path) -> str:
        charts = "".join(self._chart(name, *points) for name, points in self.curves.items())
        return _figure(f'<div class="charts">{charts}</div>', self.caption)

    def _chart(self, name: str, iterations: Sequence[float], values: Sequence[float]) -> str:
        x, y = np.asarray(iterations, float), np.asarray(values, float)
        finite = np.isfinite(y)
        x, y = x[finite], y[finite]
        if not len(x):
            return f'<div class="chart"><div class="head"><b>{_text(name)}</b></div><p>no finite values</p></div>'
        smooth = _smooth(y, max(1, round(self.smoothing * len(y))))
        # The first losses dwarf the rest: outliers are cut off, but never the smoothed line.
        top = max(float(np.quantile(y, 0.98)), float(smooth.max()))
        y_ticks = _ticks(min(0.0, float(smooth.min())), top)
        x_ticks = _ticks(float(x.min()), float(x.max()))
        left, right, upper, lower, width, height = 46, 12, 10, 26, 340, 190
        x0, x1 = float(x.min()), max(float(x.max()), float(x.min()) + 1e-9)
        y0, y1 = y_ticks[0], max(y_ticks[-1], top)

        def place(points_x: np.ndarray, points_y: np.ndarray) -> str:
            px = left + (points_x - x0) / (x1 - x0) * (width - left - right)
            py = upper + (y1 - np.clip(points_y, y0, y1)) / (y1 - y0) * (height - upper - lower)
            return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(px, py))

        lines = []
        for tick in y_ticks:
            py = upper + (y1 - tick) / (y1 - y0) * (height - upper - lower)
            lines.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{py:.1f}" y2="{py:.1f}"/>')
            lines.append(f'<text x="{left - 6}" y="{py + 3.5:.1f}" text-anchor="end">{tick:g}</text>')
        for tick in (tick for tick in x_ticks if x0 <= tick <= x1):
            px = left + (tick - x0) / (x1 - x0) * (width - left - right)
            lines.append(f'<text x="{px:.1f}" y="{height - 8}" text-anchor="middle">{_thousands(tick)}</text>')
        keep = np.unique(np.linspace(0, len(x) - 1, 400).round().astype(int))  # more points than the chart has pixels
        lines.append(f'<polyline class="raw" points="{place(x[keep], y[keep])}"/>')
        lines.append(f'<polyline class="smooth" points="{place(x[keep], smooth[keep])}"/>')
        label = f"{name}: from {smooth[0]:.3g} to {smooth[-1]:.3g} in {x[-1]:g} iterations"
        return (
            f'<div class="chart"><div class="head"><b>{_text(name)}</b><span>{smooth[-1]:.3g}</span></div>'
            f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{_text(label)}">{"".join(lines)}</svg></div>'
        )


@dataclass
class Videos:
    """Videos side by side, linked by their path relative to the report.

    Attributes:
        title: Heading.
        paths: Label -> path of an mp4.
        caption: Text below the figure.
    """

    title: str
    paths: Mapping[str, str | os.PathLike]
    caption: str = ""

    def body(self, folder: Path) -> str:
        parts = []
        for label, path in self.paths.items():
            link = quote(Path(os.path.relpath(path, folder)).as_posix())
            parts.append(
                f'<div><video controls loop muted playsinline preload="metadata" src="{link}"></video>'
                f'<div class="under"><b>{_inline(label)}</b> <a href="{link}">{_text(os.path.basename(path))}</a></div>'
                "</div>"
            )
        return _figure(f'<div class="videos">{"".join(parts)}</div>', self.caption)


def write_report(path: str | os.PathLike, title: str, sections: Sequence[Section], *, summary: str = "") -> None:
    """Write a report.

    Args:
        path: HTML file; its folder is made.
        title: Title of the page.
        sections: Sections in their order.
        summary: Text below the title.

    Raises:
        ValueError: If a section's data are inconsistent; the message names the section.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    named = [(f"section-{index}", section) for index, section in enumerate(sections)]
    links = "".join(f'<a href="#{name}">{_inline(section.title)}</a>' for name, section in named if section.title)
    body = "".join(
        f'<section id="{name}">{f"<h2>{_inline(section.title)}</h2>" if section.title else ""}'
        f"{section.body(path.parent)}</section>"
        for name, section in named
    )
    values = {
        "TITLE": _text(title),
        "SUMMARY": f'<p class="summary">{_inline(summary)}</p>' if summary else "",
        "LINKS": f"<nav>{links}</nav>" if len(links) else "",
        "SECTIONS": body,
    }
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], _PAGE.read_text(encoding="utf-8"))
    path.write_text(page, encoding="utf-8")


def read_metrics(
    path: str | os.PathLike, names: Sequence[str] | None = None
) -> dict[str, tuple[list[float], list[float]]]:
    """Curves of a ``metrics.json`` of Detectron2's JSONWriter, one JSON object a line.

    Args:
        path: File. Lines that are not JSON, such as one cut off by a crash, are skipped with a warning.
        names: Quantities to read; by default ``total_loss`` and all that start with ``loss_`` or ``health/``.

    Returns:
        Name -> (iterations, values), in the order of ``names`` or else of first appearance, ``total_loss`` first.
    """
    curves: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in names or ("total_loss",)}
    num_bad = 0
    with open(path, encoding="utf-8") as file:
        for line in filter(str.strip, file):
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                num_bad += 1
                continue
            if "iteration" not in record:
                continue
            for name, value in record.items():
                if name in curves or (names is None and name.startswith(("loss_", "health/"))):
                    iterations, values = curves.setdefault(name, ([], []))
                    iterations.append(record["iteration"])
                    values.append(value)
    if num_bad:
        logger.warning(f"{path}: {num_bad} lines are not JSON; skipped")
    return {name: points for name, points in curves.items() if points[0]}


def _figure(content: str, caption: str) -> str:
    return f"<figure>{content}{f'<figcaption>{_inline(caption)}</figcaption>' if caption else ''}</figure>"


def _text(text: str) -> str:
    return html.escape(str(text), quote=True)


def _inline(text: str) -> str:
    escaped = re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(text))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", escaped)


def _data_url(image: np.ndarray) -> str:
    """JPEG data URL of a uint8 BGR image."""
    ok, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 88])
    if not ok:
        raise ValueError(f"an image of shape {image.shape} and type {image.dtype} cannot be encoded")
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode('ascii')}"


def _smooth(values: np.ndarray, window: int) -> np.ndarray:
    """Centered moving average over ``window`` values, over fewer at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    start, end = np.maximum(index - window // 2, 0), np.minimum(index + window // 2 + 1, len(values))
    return (sums[end] - sums[start]) / (end - start)


def _ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About ``count`` round numbers from at most ``low`` to at least ``high``, 1, 2 or 5 times a power of ten apart."""
    if not high > low:
        high = low + (abs(low) or 1.0)
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _thousands(number: float) -> str:
    return f"{number / 1000:g}k" if abs(number) >= 10000 else f"{number:g}"
