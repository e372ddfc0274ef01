"""Sizes of models: the table against what the layers of a small one add up to."""

from __future__ import annotations

import json

from exported import small_solo

from benchmarks.command import main


def test_parameters_and_operations(tmp_path, capsys):
    cfg = small_solo(tmp_path)
    (tmp_path / "small.yaml").write_text(cfg.dump())
    out = tmp_path / "out.json"
    for side in ("64", "128"):
        main(["model-size", "--size", side, "90", "--json", str(out), "--config-file", str(tmp_path / "small.yaml")])
        (row,) = json.loads(out.read_text())["rows"]
        assert row["image"] == [int(side), 96]
        parts = row["parts"]
        assert row["parameters"] == sum(part["parameters"] for part in parts.values())
        assert all(part["flops"] > 0 for part in parts.values())
        if side == "64":
            first = parts["backbone"]["flops"]
    assert parts["backbone"]["flops"] == 2 * first  # of twice as many pixels
    assert "| padded image" in capsys.readouterr().out
