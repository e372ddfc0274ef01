"""The quick-start end to end, on a few pictures and a model that has hardly been trained."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from forked import fork_processes
from library_alone import track_alone

from experiments.quickstart.masks import SKIPS, MaskConfigs, methods, processes_that_share, run_quickstart
from ictrack.engine.setup import load_config
from synthetic.characters import SampleConfig
from synthetic.characters.assets import CATEGORIES

ROOT = Path(__file__).resolve().parents[5]
CONFIGS = MaskConfigs.in_folder(ROOT / "configs" / "quickstart")
TINY = SampleConfig(
    height=96, width=160, train_stills=8, val_stills=4, unlabeled_clips=1, unlabeled_length=2, tune_clips=1,
    val_clips=2, clip_length=17,
)  # fmt: skip
SIZE = ["INPUT.CROP_SIZE", "[96, 160]", "INPUT.MIN_SIZE_TEST", "96", "INPUT.UNLABELED.SIZE", "[96, 160]"]


def test_the_whole_road(tmp_path, capfd, monkeypatch):
    fork_processes(monkeypatch)
    overrides = ["SOLVER.MAX_ITER", "2", "SOLVER.IMS_PER_BATCH", "4", "DATALOADER.NUM_WORKERS", "0", *SIZE]
    video_overrides = ["ADAPT.MEASURED_PAIRS", "2"]
    run_quickstart(CONFIGS, tmp_path, 3, 2, overrides, video_overrides=video_overrides, sample=TINY, real_frames=9)

    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["seed"] == 3
    assert list(metrics["skips"]) == [str(skip) for skip in SKIPS]
    for skip, rows in metrics["skips"].items():
        assert list(rows) == [method.name for method in methods()]
        assert all(
            0 <= scores["IDF1"] <= 1 and len(scores["IDF1_per_clip"]) == 2 * int(skip) // SKIPS[0]
            for scores in rows.values()
        )
        assert len({scores["min_score"] for scores in rows.values()}) == 1
    report = (tmp_path / "report.html").read_text()
    for method in methods():
        assert method.name in report
    assert "YouTube-VIS" in report
    assert list(metrics["health"]) == ["untrained head", "image head", "video head", "both"]
    assert all(0 <= scores["cell_retrieval"] <= 1 for scores in metrics["health"].values())
    assert "Training on unlabeled clips" in report and "cell retrieval@1" in report
    # What was learnt from images stays as it was, and the video head has learnt something beside it.
    image, both = (weights(tmp_path / stage / "model_final.pth") for stage in ("train", "video"))
    assert all(torch.equal(value, both[in_pair(name)]) for name, value in image.items())
    assert 2 <= len(list(tmp_path.glob("*.mp4"))) <= 3  # the clips shown, and a real one
    assert methods()[-1].name in capfd.readouterr().out
    clip, tracks = next((tmp_path / "sample" / "clips_val" / "JPEGImages").iterdir()), tmp_path / "tracks.json"
    track_alone(tmp_path, clip, "--save-tracks", tracks, "--max-frames", "3")
    assert [category["name"] for category in json.loads(tracks.read_text())["categories"]] == list(CATEGORIES)
    names = yaml.safe_load((tmp_path / "config.yaml").read_text())["MODEL"]["CLASSES"]
    assert names == list(CATEGORIES)


@pytest.mark.parametrize("most, expected", [(1, 1), (3, 2), (8, 4)])
def test_as_many_processes_as_can_share_all_batches(most, expected):
    """Stage 1 has 8 views of 4 stills in a batch, stage 2 has 8 pairs of frames."""
    cfgs = (load_config(CONFIGS.image, []), load_config(CONFIGS.video, []))
    assert processes_that_share(most, *cfgs) == expected


def weights(path):
    return torch.load(path, weights_only=True)["model"]


def in_pair(name):
    """The name of an image head's weight in a model with a video head."""
    return name.replace("embedding_head.", "embedding_head.image_head.")
