"""The log of edits: what is written comes back, and a damaged line is named."""

import json

import pytest

from ictrack.structures.edit_log import log_of, read_edits, write_edits
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.track_edits import Detection, Edit

A, B = Detection(811, (1.0, 2.0, 3.0, 4.5)), Detection(812, (2.0, 2.0, 4.0, 4.5))
EDITS = [Edit("swap", (3, 5), 812, ((A, B),), ((B, A),)), Edit("join", (3, 7), None, ((A, B),), ())]


def test_edits_come_back_and_have_the_stated_form(tmp_path):
    path = log_of(tmp_path / "tracks.json")
    assert path.name == "tracks.json.edits.jsonl" and read_edits(path) == []
    write_edits(path, EDITS)
    assert read_edits(path) == EDITS
    first, second = map(json.loads, path.read_text().splitlines())
    assert first["same"] == [[{"frame": 811, "box": [1.0, 2.0, 3.0, 4.5]}, {"frame": 812, "box": [2.0, 2.0, 4.0, 4.5]}]]
    assert (first["edit"], first["ids"], first["from"]) == ("swap", [3, 5], 812)
    assert second["from"] is None and second["different"] == []


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("edit", None, 'must be an object with "edit"'),
        ("ids", [3], "ids: must be two integers"),
        ("from", "812", "from: must be a frame or null"),
        ("same", [[1]], "same: must be a list of pairs"),
        ("different", [[{"frame": 1, "box": [0, 0, 1, "a"]}, {}]], "different: must have detections"),
        ("different", [[{"frame": 1.5, "box": [0, 0, 1, 1]}, {}]], "different: must have detections"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, key, value, message):
    path = tmp_path / "log.jsonl"
    write_edits(path, EDITS)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], json.dumps({**json.loads(lines[1]), key: value})]))
    with pytest.raises(AnnotationError, match=f"log.jsonl: line 2: {message}"):
        read_edits(path)
