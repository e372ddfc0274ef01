"""The ablation end to end, on a few images, with a detector and heads that have hardly been trained."""

import csv
from pathlib import Path

import pytest
import torch

from experiments.ablation import cache_features, evaluate, study
from experiments.ablation.cache import Cache
from experiments.ablation.methods import IMAGE_HEADS, select_rows
from experiments.ablation.results import COLUMNS, COUNTS_FILE, RESULTS_FILE
from experiments.ablation.run import run_ablation
from experiments.ablation.study import SKIPS
from experiments.ablation.table import TABLE_FILE
from experiments.ablation.training_data import AUGMENTED, WINDOWS
from synthetic.characters import SampleConfig

CONFIGS = Path(__file__).resolve().parents[5] / "configs" / "quickstart"
FILES = {"detector": "ablation_detector.yaml", "strong": "ablation_strong.yaml", "paper": "ablation_paper.yaml"}
TINY = SampleConfig(
    train_stills=8, val_stills=0, unlabeled_clips=2, unlabeled_length=8, unlabeled_truth=True, tune_clips=1,
    val_clips=2, clip_length=20, skips=SKIPS[:1],
)  # fmt: skip
# Whatever such a detector finds is tracked, so that mining and tuning have something to work on.
ANYTHING = ["MODEL.VIDEO_EMBEDDING.TRACKLET.MIN_SCORE", "0.0", "MODEL.VIDEO_EMBEDDING.TRACKLET.MIN_LENGTH", "1"]
LOOSE = [
    "MODEL.SOLO.SCORE_THRESH_TEST",
    "0.0",
    "MODEL.SOLO.UPDATE_THRESH_TEST",
    "0.0",
    "SOLVER.EMA_DECAY",
    "0.0",
    "SOLVER.WARMUP_ITERS",
    "0",
]
HEAD = ["SOLVER.MAX_ITER", "2", "SOLVER.IMS_PER_BATCH", "16", "SOLVER.WARMUP_ITERS", "0", *ANYTHING]
OVERRIDES = {
    "detector": [
        "SOLVER.MAX_ITER",
        "12",
        "SOLVER.IMS_PER_BATCH",
        "8",
        "DATALOADER.NUM_WORKERS",
        "0",
        *ANYTHING,
        *LOOSE,
    ],
    "strong": HEAD,
    "paper": HEAD,
}


def run(folder: Path, rows: list[str]) -> list[dict[str, str]]:
    configs = {name: str(CONFIGS / file) for name, file in FILES.items()}
    run_ablation(configs, folder / "out", folder / "results", [3], select_rows(rows), 1, TINY, OVERRIDES)
    with open(folder / "results" / RESULTS_FILE, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module", autouse=True)
def _scores_of_a_poor_detector():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache_features, "MIN_SCORE", 0.0)
        patch.setattr(evaluate, "MIN_SCORES", (0.0,))
        patch.setattr(study, "MIN_SCORES", (0.0,))
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablation")
    return folder, run(folder, ["spatial", "strong:ic+video", "paper:ic+video"])


def test_rows_and_files(finished):
    folder, lines = finished
    assert [(x["method"], x["form"], int(x["frame_skip"])) for x in lines] == [
        (method, form, skip)
        for method, form in (("spatial", "strong"), ("ic+video", "strong"), ("ic+video", "paper"))
        for skip in SKIPS
    ]
    assert tuple(lines[0]) == COLUMNS
    assert all(0 <= float(x["idf1"]) <= 1 and x["seed"] == "3" for x in lines)
    assert (folder / "results" / COUNTS_FILE).is_file()
    assert "| ic+video | paper |" in (folder / "results" / TABLE_FILE).read_text()


def test_heads_learnt_from_what_was_detected(finished):
    cache = Cache(finished[0] / "out" / "seed_3" / "cache")
    for form in ("strong", "paper"):
        assert (cache.read(f"tracklets_{form}")["mined"] >= 0).any()
        image, video = (cache.read(f"heads/{form}/{name}") for name in (IMAGE_HEADS[form], "tracklets"))
        assert len(image["val"]) == len(video["val"]) > 0
        assert any(not torch.equal(image["model"][key], video["model"][key]) for key in image["model"])


def test_the_strong_image_head_is_the_detectors(finished):
    folder = finished[0] / "out" / "seed_3"
    kept = Cache(folder / "cache").read("heads/strong/detector")["model"]
    trained = torch.load(folder / "train" / "model_final.pth", weights_only=True)["model"]
    for name, value in kept.items():
        assert torch.equal(value, trained[f"embedding_head.{name}"])


def test_what_is_finished_is_not_made_again(finished, capfd):
    folder, lines = finished
    trained = folder / "out" / "seed_3" / "train" / "model_final.pth"
    row = folder / "out" / "seed_3" / "cache" / "rows" / "strong" / "spatial.pt"
    times = trained.stat().st_mtime_ns, row.stat().st_mtime_ns
    again = run(folder, ["spatial", "mean_color"])
    assert times == (trained.stat().st_mtime_ns, row.stat().st_mtime_ns)
    assert "(1 of 2 rows" in capfd.readouterr().out
    # The new row joins those of the first run, which keep their values.
    assert [x for x in again if x["method"] != "mean_color"] == lines
    assert len(again) == len(lines) + len(SKIPS)


def test_frames_without_time_are_learnt_from_in_jittered_and_in_their_own_colors(finished):
    folder, _ = finished
    lines = run(folder, ["strong:ic+augmented", "strong:ic+warped"])
    assert {"ic+augmented", "ic+warped"} <= {x["method"] for x in lines}
    cache = Cache(folder / "out" / "seed_3" / "cache")
    jittered, own = (cache.read(f"{kind}_0")["features"]["pooled"] for kind in AUGMENTED)
    assert len(jittered) > 0 and len(own) > 0
    assert jittered.shape != own.shape or not torch.equal(jittered, own)


def test_windows_onto_clips_are_learnt_from(finished):
    """All new rows of the paper's form in one resumed run: levels, scales and the image head without entropy."""
    folder, before = finished
    methods = ["ic+video scales", "ic+correspondence half size", "ic+correspondence levels scales"]
    lines = run(folder, [f"paper:{name}" for name in (*methods, "ic_no_entropy+video")])
    assert {*methods, "ic_no_entropy+video"} <= {x["method"] for x in lines}
    assert [x for x in lines if x["method"] == "ic+video"] == [x for x in before if x["method"] == "ic+video"]
    cache = Cache(folder / "out" / "seed_3" / "cache")
    whole, half, scaled = (
        cache.read(name)[key]
        for name, key in (("unlabeled_0", "sparse"), ("half size_0", "features"), ("scales_0", "features"))
    )
    count = WINDOWS["scales"][0]
    assert (len(half["sources"]), len(scaled["sources"])) == (len(whole["sources"]), count * len(whole["sources"]))
    assert {name: x.shape[1:] for name, x in half["maps"].items()} == {
        name: x.shape[1:] for name, x in whole["maps"].items() if name in half["maps"]
    }
    assert half["colors"].shape[2:] == tuple(side // 2 for side in whole["colors"].shape[2:])
    assert len(scaled["ids"]) and scaled["ids"].max() < len(whole["owners"])
    assert len(half["ids"]) <= len(whole["owners"]) and (half["ids"].diff() > 0).all()
    model = [cache.read(f"heads/paper/correspondence{name}")["model"] for name in (" half size", " levels scales")]
    assert any(not torch.equal(model[0][key], model[1][key]) for key in model[0])
