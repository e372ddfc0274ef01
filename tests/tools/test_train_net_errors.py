"""``tools/train_net.py`` tells a user's mistake in one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from coco_squares import content_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: None, "squares has 3 categories, MODEL.SOLO.NUM_CLASSES is 2"),
        (
            lambda d: d["annotations"][0].update(image_id=9),
            "annotations[0].image_id: 9 is not the id of one in the file",
        ),
    ],
)
def test_one_line(tmp_path, change, message):
    content = content_of(3)
    change(content)
    (tmp_path / "instances.json").write_text(json.dumps(content))
    command = [
        sys.executable, "tools/train_net.py", "MODEL.META_ARCHITECTURE", "SOLO", "MODEL.SOLO.NUM_CLASSES", "2",
        "DATASETS.COCO_FORMAT", str([["squares", str(tmp_path / "instances.json"), str(tmp_path)]]),
        "DATASETS.TRAIN", "('squares',)", "OUTPUT_DIR", str(tmp_path / "out"),
    ]  # fmt: skip
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("error: ") and line.endswith(message)
