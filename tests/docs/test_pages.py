"""What the pages promise."""

import re
from pathlib import Path

import yaml
from code_blocks import ROOT

import ictrack

MAX_FILES, MAX_LINES = 6, 900


def test_a_detector_of_one_s_own_needs_few_files_to_be_read():
    listed = (ROOT / "docs" / "own_detector.md").read_text().partition("## What to read")[2]
    files = [Path(ROOT / name) for name in re.findall(r"^- `([^`]+)`", listed, re.MULTILINE)]
    assert 0 < len(files) <= MAX_FILES
    assert sum(len(path.read_text().splitlines()) for path in files) <= MAX_LINES


def test_versions_agree():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest and newest[1] == cited["version"] == ictrack.__version__
