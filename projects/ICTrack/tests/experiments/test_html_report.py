"""The HTML report: well-formed, self-contained, and true to the data."""

import base64
import json
import logging
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from experiments.html_report import (
    Filmstrip,
    FilmstripRow,
    LossCurves,
    Table,
    Text,
    Videos,
    read_metrics,
    write_report,
)

VOID = {"meta", "img", "line", "polyline", "br", "link"}


class Page(HTMLParser):
    """Parses a page, checks that its tags nest, and collects elements."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def report(tmp_path, *sections, **kwargs):
    path = tmp_path / "out" / "report.html"
    write_report(path, "A & B", sections, **kwargs)
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


def pictures(count, value=0):
    return [np.full((12, 20, 3), value + 20 * index, np.uint8) for index in range(count)]


TABLE = Table(
    "Results",
    ["tracker", "IDF1", "switches", "note"],
    [["ours", 0.8124, 9, "x"], ["IoU", 0.8121, 12, None], ["none", None, 9, "y"], ["broken", float("nan"), 30, "z"]],
    better={"IDF1": "max", "switches": "min"},
    formats={"IDF1": ".2f"},
    highlight=["ours"],
)


def test_page_is_well_formed_and_needs_no_network(tmp_path):
    curves = {"loss": ([0, 1, 2], [3.0, 2.0, 1.0])}
    strip = Filmstrip("Strip", [FilmstripRow("A", pictures(2))], ["f0", "f1"])
    text, page = report(tmp_path, strip, TABLE, LossCurves("Losses", curves), Text("Notes", ["one"]), summary="short")
    assert page.all("html") and page.all("title") and "{{" not in text
    assert [link["href"] for link in page.all("a")] == [f"#section-{index}" for index in range(4)]
    sources = [attrs.get(key) for _, attrs in page.elements for key in ("src", "href") if attrs.get(key)]
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert not re.search(r"https?:|@import|url\(", text)
    assert "prefers-color-scheme: dark" in text


def test_text_is_escaped(tmp_path):
    text, _ = report(tmp_path, Text("<b>", ["<script>alert(1)</script> `a<b` and **bold**"]), summary="1 < 2 & 3")
    assert "<script>alert" not in text and "<title>A &amp; B</title>" in text
    assert "<code>a&lt;b</code>" in text and "<strong>bold</strong>" in text and "1 &lt; 2 &amp; 3" in text


def test_film_strip_holds_the_frames_in_order(tmp_path):
    rows = [
        FilmstripRow("ours", pictures(3), "small print"),
        FilmstripRow("IoU", pictures(3, 100), marks={1: "id switch"}),
    ]
    text, page = report(tmp_path, Filmstrip("Strip", rows, ["a", "b", "c"], caption="what one sees"))
    images = [attrs for attrs in page.all("img") if attrs.get("src")]
    means = []
    for attrs in images:
        data = base64.b64decode(attrs["src"].removeprefix("data:image/jpeg;base64,"))
        means.append(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).mean())
    np.testing.assert_allclose(means, [0, 20, 40, 100, 120, 140], atol=2)
    assert [attrs["alt"] for attrs in images] == ["ours, a", "ours, b", "ours, c", "IoU, a", "IoU, b", "IoU, c"]
    assert [attrs.get("class") for attrs in images] == [None] * 4 + ["flagged", None]
    assert "small print" in text and text.count("id switch") == 1 and "what one sees" in text


def test_film_strip_of_unequal_rows_is_refused(tmp_path):
    rows = [FilmstripRow("ours", pictures(3)), FilmstripRow("IoU", pictures(2))]
    with pytest.raises(ValueError, match=r"'Strip'.*\[2, 3\]"):
        report(tmp_path, Filmstrip("Strip", rows))


def test_table_marks_the_best_as_shown(tmp_path):
    text, _ = report(tmp_path, TABLE)
    assert re.findall(r"<td>(.*?)</td>", text) == [
        "<strong>0.81</strong>", "<strong>9</strong>", "x",
        "<strong>0.81</strong>", "12", "–",
        "–", "<strong>9</strong>", "y",
        "–", "30", "z",
    ]  # fmt: skip
    assert text.count('<tr class="ours">') == 1
    assert text.count("↑") == text.count("↓") == 1


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (Table("T", ["a", "b"], [["x", 1, 2]]), "'T'.*'x' has 3 cells for 2 columns"),
        (Table("T", ["a", "b"], [["x", 1]], better={"c": "max"}), r"'T'.*\['c'\]"),
    ],
)
def test_malformed_table_is_refused(tmp_path, table, message):
    with pytest.raises(ValueError, match=message):
        report(tmp_path, table)


def chart_points(text, kind):
    points = re.search(rf'<polyline class="{kind}" points="([^"]*)"', text)[1]
    return np.array([[float(n) for n in point.split(",")] for point in points.split()])


def test_curve_is_drawn_to_scale(tmp_path):
    x = list(range(0, 1000, 10))
    text, page = report(tmp_path, LossCurves("L", {"loss_mask": (x, [2 - i / 100 for i in range(100)])}, smoothing=0))
    points = chart_points(text, "raw")
    assert (np.diff(points[:, 0]) > 0).all() and (np.diff(points[:, 1]) > 0).all()  # downwards: y grows
    np.testing.assert_allclose(np.diff(points[:, 1], n=2), 0, atol=0.11)  # a line
    width, height = map(float, page.all("svg")[0]["viewbox"].split()[2:])
    assert (points >= 0).all() and (points < [width, height]).all()
    assert "loss_mask: from 2 to 1.01 in 990 iterations" in text


def test_smoothing_averages_and_keeps_within_the_chart(tmp_path):
    values = np.random.default_rng(0).normal(1, 0.3, 3000)
    values[0] = 1000  # one outlier must not flatten the curve
    text, _ = report(tmp_path, LossCurves("L", {"loss": (range(3000), values)}))
    raw, smooth = chart_points(text, "raw"), chart_points(text, "smooth")
    assert len(raw) == len(smooth) == 400
    assert smooth[100:, 1].std() < 0.3 * raw[100:, 1].std()


@pytest.mark.parametrize(
    "values", [[1.0], [2.0, 2.0, 2.0], [0.0, 0.0], [1.0, float("nan"), 2.0], [-0.5, -0.2], [1e-9, 2e-9]]
)
def test_odd_curves(tmp_path, values):
    text, _ = report(tmp_path, LossCurves("L", {"loss": (range(len(values)), values)}))
    assert "nan" not in re.sub(r"<style>.*</style>", "", text, flags=re.S).lower()
    assert np.isfinite(chart_points(text, "smooth")).all()


def test_curve_without_finite_values(tmp_path):
    text, _ = report(tmp_path, LossCurves("L", {"loss": ([0, 1], [float("nan"), float("inf")])}))
    assert "no finite values" in text


def test_metrics_of_detectron2s_writer(tmp_path, caplog):
    path = tmp_path / "metrics.json"
    lines = [{"iteration": i, "total_loss": 3.0 - i, "loss_mask": 2.0 - i, "lr": 0.1} for i in range(3)]
    lines.insert(1, {"iteration": 0, "segm/AP": 12.5})
    path.write_text("\n".join(map(json.dumps, lines)) + '\n{"iteration": 3, "total_l')
    with caplog.at_level(logging.WARNING):
        curves = read_metrics(path)
    assert curves == {"total_loss": ([0, 1, 2], [3.0, 2.0, 1.0]), "loss_mask": ([0, 1, 2], [2.0, 1.0, 0.0])}
    assert "1 lines are not JSON" in caplog.text
    assert read_metrics(path, ["segm/AP", "absent"]) == {"segm/AP": ([0], [12.5])}


def test_videos_are_linked_relative_to_the_report(tmp_path):
    _, page = report(tmp_path, Videos("V", {"a": tmp_path / "out" / "a b.mp4", "c": tmp_path / "else" / "c.mp4"}))
    assert [attrs["src"] for attrs in page.all("video")] == ["a%20b.mp4", "../else/c.mp4"]
