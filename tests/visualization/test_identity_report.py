import re

import numpy as np

from ictrack.visualization.identity_report import Bar, Doubt, IdentityReport, Row, write_identity_report

PICTURE = np.zeros((40, 64, 3), np.uint8)


def page_of(tmp_path, **more):
    content = {"name": "a <b>", "facts": [("Identities", "2 & more")], "num_frames": 100, "rows": [], "doubts": []}
    write_identity_report(tmp_path / "report.html", IdentityReport(**{**content, **more}))
    return (tmp_path / "report.html").read_text()


def test_bars_lie_at_their_frames_and_doubtful_ones_are_marked(tmp_path):
    page = page_of(tmp_path, rows=[Row(7, [Bar(0, 24, 1.0), Bar(50, 99, 0.6)])])
    bars = re.findall(r'<rect( class="doubtful")? x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', page)
    assert bars == [("", "0.00", "250.00"), (' class="doubtful"', "500.00", "500.00")]
    assert "7: frames 50 to 99, probability 0.600" in page


def test_doubts_show_pictures_and_the_command(tmp_path):
    doubt = Doubt(3, 9, 1, 2, 0.75, [PICTURE], [PICTURE] * 2, [], "ictrack relabel t.json --swap 1 2 --from 3")
    page = page_of(tmp_path, doubts=[doubt])
    assert "Frames 3 to 9: identity 1, probability 0.750; or identity 2" in page
    assert page.count("<img") == 3 and page.count("<figcaption>") == 2
    assert "<code>ictrack relabel t.json --swap 1 2 --from 3</code>" in page


def test_open_ones_name_the_likeliest(tmp_path):
    page = page_of(tmp_path, doubts=[Doubt(3, 9, None, 2, 0.4, [PICTURE], [], [], "")])
    assert "left open; identity 2 has probability 0.400" in page and "<code>" not in page


def test_text_is_escaped_and_an_empty_video_is_a_page(tmp_path):
    page = page_of(tmp_path, num_frames=0)
    assert "a &lt;b&gt;" in page and "2 &amp; more" in page and "None." in page and "{{" not in page
