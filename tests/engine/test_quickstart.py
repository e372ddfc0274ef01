"""The quick-start end to end, on a few pictures and a model that has hardly been trained."""

import json
from pathlib import Path

from ictrack.data.datasets.sample import SampleConfig
from ictrack.engine.quickstart import SKIPS, methods, run_quickstart

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "quickstart" / "solo_lite0.yaml"
TINY = SampleConfig(
    train_stills=8, val_stills=4, unlabelled_clips=1, unlabelled_length=2, tune_clips=1, val_clips=2, clip_length=20
)


def test_the_whole_road(tmp_path, capfd):
    overrides = ["SOLVER.MAX_ITER", "2", "SOLVER.IMS_PER_BATCH", "4", "DATALOADER.NUM_WORKERS", "0"]
    run_quickstart(str(CONFIG), tmp_path, 3, 2, overrides, TINY)

    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["seed"] == 3
    assert list(metrics["skips"]) == [str(skip) for skip in SKIPS]
    for skip, rows in metrics["skips"].items():
        assert list(rows) == [method.name for method in methods()]
        assert all(
            0 <= figures["IDF1"] <= 1 and len(figures["IDF1_per_clip"]) == 2 * int(skip) // SKIPS[0]
            for figures in rows.values()
        )
    report = (tmp_path / "report.html").read_text()
    for method in methods():
        assert method.name in report
    assert "YouTube-VIS" in report
    assert (tmp_path / "train" / "model_final.pth").exists()
    assert 2 <= len(list(tmp_path.glob("*.mp4"))) <= 3  # the clips shown, and a real one
    assert "trained embedding" in capfd.readouterr().out
