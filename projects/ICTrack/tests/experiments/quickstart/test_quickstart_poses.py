"""The pose quick-start end to end, on a few pictures and a model that has hardly been trained."""

import json
from pathlib import Path

import numpy as np
import pytest
from forked import fork_processes
from library_alone import track_alone

from experiments.association.poses import unit_scores
from experiments.quickstart.poses import OURS, SKIPS, PoseConfigs, methods, run_pose_quickstart
from experiments.quickstart.poses_table import CLAIMS, difference, format_pose_results
from ictrack.data.frame_stream import VideoReadError
from ictrack.evaluation.reports.posetrack import posetrack_report
from synthetic.people import PoseSampleConfig

ROOT = Path(__file__).resolve().parents[5]
CONFIGS = ROOT / "configs" / "quickstart"
TINY = PoseSampleConfig(
    train_stills=8, val_stills=4, unlabeled_clips=1, unlabeled_length=10, tune_clips=1, val_clips=2, clip_length=20,
    clip_step=SKIPS[0], skips=SKIPS[:1],
)  # fmt: skip
OVERRIDES = ["SOLVER.MAX_ITER", "2", "SOLVER.IMS_PER_BATCH", "4", "DATALOADER.NUM_WORKERS", "0"]
# A model that has hardly been trained finds nobody of a score above the quick-start's thresholds.
OVERRIDES += ["MODEL.POINT_SET_ANCHOR.PRIOR_PROB", "0.3", "MODEL.POINT_SET_ANCHOR.PRE_NMS_TOPK_TEST", "20"]
VIDEO = ["MODEL.VIDEO_EMBEDDING.OBJECTIVE", "random_walk", "INPUT.UNLABELED.SIZE", "[64, 96]"]


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pose_quickstart")
    with pytest.MonkeyPatch.context() as monkeypatch:
        fork_processes(monkeypatch)
        run_pose_quickstart(
            PoseConfigs.in_folder(CONFIGS), folder / "run", 3, 2, OVERRIDES, video_overrides=VIDEO, sample=TINY
        )
    return folder / "run"


@pytest.fixture(scope="module")
def metrics(output):
    return json.loads((output / "metrics.json").read_text())


def test_every_method_is_measured(metrics):
    assert list(metrics["skips"]) == [str(skip) for skip in SKIPS]
    for rows in metrics["skips"].values():
        assert list(rows) == [method.name for method in methods()]
        assert len({scores["min_score"] for scores in rows.values()}) == 1
        for scores in rows.values():
            total = np.sum(scores["counts"], axis=0)
            assert len(scores["counts"]) == TINY.val_clips and total[3:].any()
            assert unit_scores(total)["IDF1"] == pytest.approx(scores["IDF1"])
            assert unit_scores(total)["MOTA"] == pytest.approx(scores["MOTA"])
    assert {"single_scale", "multi_scale"} == set(metrics["stills"])


def test_the_submission_is_what_was_tracked(output, metrics):
    """Valid, and equal in memory and on disk; so says the evaluator that users call, too."""
    checked = metrics["submission"]
    assert checked["errors"] == [] and checked["num_figures"] > 100
    assert checked["largest_difference"] < 1e-11
    report = posetrack_report(output / "submission" / "truth", output / "submission" / "results")
    ours = metrics["skips"][str(SKIPS[0])][OURS]
    assert report["strict"]["MOT"]["mota"]["total"] == pytest.approx(ours["MOTA"])


def test_report_and_weights(output):
    report = (output / "report.html").read_text()
    assert all(method.name in report for method in methods())
    assert len(list(output.glob("*.mp4"))) == 2
    assert (output / "model_image_stage.pth").exists() and (output / "config.yaml").exists()


def test_weights_track_a_video_with_the_library_alone(output):
    track_alone(output, next((output / "sample" / "clips_val" / "images").iterdir()), "--max-frames", "3")


def test_table_over_seeds(metrics):
    """A method against itself differs by 0; every claim and method is in the text."""
    name = methods()[0].name
    same = difference([metrics, metrics], "16", name, name)
    assert same == {"IDF1": (0, 0, 0), "MOTA": (0, 0, 0)}
    text = format_pose_results([metrics, metrics])
    assert all(f"- {better} > {worse}" in text for better, worse in CLAIMS)
    assert text.count("| spatial distance |") == len(SKIPS)


def test_a_real_clip_without_frames_is_found_out_before_anything_else(tmp_path):
    (tmp_path / "clip" / "frames").mkdir(parents=True)
    with pytest.raises(VideoReadError, match="clip: the folder has no images"):
        run_pose_quickstart(
            PoseConfigs.in_folder(CONFIGS), tmp_path / "run", 3, 1, OVERRIDES, sample=TINY, real_clip=tmp_path / "clip"
        )
    assert not (tmp_path / "run").exists()
