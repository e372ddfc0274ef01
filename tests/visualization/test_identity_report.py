import re

import numpy as np

from ictrack.visualization.identity_report import Bar, Doubt, IdentityReport, Row, write_identity_report

PICTURE = np.zeros((40, 64, 3), np.uint8)


def page_of(tmp_path, **more):
    content = {"name": "a <b>", "facts": [("Identities", "2 & more", "Told <apart>.")], "num_frames": 100, "fps": 0.0}
    content.update(rows=[], doubts=[])
    write_identity_report(tmp_path / "report.html", IdentityReport(**{**content, **more}))
    return (tmp_path / "report.html").read_text()


def test_bars_lie_at_their_frames_and_doubtful_ones_are_marked(tmp_path):
    page = page_of(tmp_path, rows=[Row(7, [Bar(0, 24, 1.0), Bar(50, 99, 0.6)])])
    bars = re.findall(r'<rect( class="doubtful")? x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', page)
    assert bars == [("", "0.00", "250.00"), (' class="doubtful"', "500.00", "500.00")]
    assert "identity 7: frames 50 to 99, probability 60.0 %" in page


def test_doubts_show_pictures_and_the_command(tmp_path):
    doubt = Doubt(3, 9, 1, 2, 0.75, [PICTURE], [PICTURE] * 2, [], "ictrack relabel t.json --swap 1 2 --from 3")
    page = page_of(tmp_path, doubts=[doubt])
    assert "Frames 3 to 9: identity 1 (75.0 %), or else identity 2" in page
    assert page.count("<img") == 3 and page.count("<figcaption>") == 2
    assert "<code>ictrack relabel t.json --swap 1 2 --from 3</code>" in page


def test_open_ones_name_the_likeliest(tmp_path):
    page = page_of(tmp_path, doubts=[Doubt(3, 9, None, 2, 0.4, [PICTURE], [], [], "")])
    assert "no identity; identity 2 is the likeliest (40.0 %)" in page and "<code>" not in page


def test_text_is_escaped_and_an_empty_video_is_a_page(tmp_path):
    page = page_of(tmp_path, num_frames=0)
    assert (
        "a &lt;b&gt;" in page
        and "2 &amp; more" in page
        and "Told &lt;apart&gt;" in page
        and "None." in page
        and "{{" not in page
    )


def test_times_are_shown_where_they_are_known(tmp_path):
    rows, doubts = [Row(7, [Bar(50, 99, 0.99999)])], [Doubt(25, 50, 1, None, 0.75, [PICTURE], [], [], "")]
    page = page_of(tmp_path, fps=25.0, rows=rows, doubts=doubts)
    assert "identity 7: frames 50 to 99 (2.0 to 4.0 s), probability 99.9 %" in page  # not 100 %
    assert "Frames 25 to 50 (1.0 to 2.0 s): identity 1 (75.0 %), or else a new one" in page
    assert ">frame 0 (0.0 s)<" in page and ">99 (4.0 s)<" in page
