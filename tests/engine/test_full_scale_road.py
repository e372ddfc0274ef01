"""The full-scale road on tiny folders of the official layouts: each stage trains from the one before, goes on, is
evaluated, tracks a folder of frames, and writes what a server takes."""

import argparse
import json
from pathlib import Path

import pytest
import torch
from official_layouts import COMMON, POSE_MODEL, VIS_MODEL, write_pose_layout, write_vis_layout

from ictrack.command.main import main
from ictrack.data.datasets.check_files import DatasetFilesError
from ictrack.engine.setup import load_config, setup, train_or_evaluate

ROOT = Path(__file__).resolve().parents[2]
VIS, POSE = ROOT / "configs" / "YouTubeVIS-2019", ROOT / "configs" / "PoseTrack"


class Road:
    """Runs in a folder whose ``datasets`` holds the data; ``model`` are the overrides that shrink it."""

    def __init__(self, model, first_stage):
        self.options = [*COMMON, *model]
        self.first_stage = first_stage

    def run(self, path, *extra, iterations=1, eval_only=False, resume=False):
        options = [*self.options, "SOLVER.MAX_ITER", str(iterations), *extra]
        options += self.first_stage if not eval_only and path.stem in FIRST else []
        args = argparse.Namespace(config_file=str(path), opts=options, eval_only=eval_only, resume=resume)
        return train_or_evaluate(args)

    def whole_stage(self, path, frames, scored):
        """Train, resume, evaluate, track. Returns the output folder."""
        output = Path(load_config(str(path)).OUTPUT_DIR)
        self.run(path, "TEST.EVAL_PERIOD", "0")
        self.run(path, iterations=2, resume=True)
        assert torch.load(output / "model_final.pth", weights_only=True)["iteration"] == 1
        results = self.run(path, "MODEL.WEIGHTS", str(output / "model_final.pth"), eval_only=True)
        assert scored <= set(results.get("posetrack18_val", results))
        command = ["--config-file", str(output / "config.yaml"), "--weights", str(output / "model_final.pth")]
        saved = ["--save-tracks", "tracks.json"] if "ytvis" in frames else []
        assert main(["track", *command, "--input", frames, "--output", "tracks.mp4", *saved]) == 0
        return output


FIRST = {
    "ictrack_solo_R_50_FPN_3x",
    "ictrack_solo_R_50_FPN_joint",
    "stage1_coco_hrnet_w48",
    "stage1_coco_hrnet_w48_ae",
}
POSE_STAGES = ("w48", "mpii", "posetrack_video", "posetrack_correspondence", "w48_ae", "mpii_ae", "posetrack_video_ae")


def in_order(folder, endings):
    """All configurations of a folder, by the ends of their names."""
    paths = [path for ending in endings for path in folder.glob(f"*_{ending}.yaml")]
    assert sorted(paths) == sorted(folder.glob("*.yaml")), "a stage is not walked"
    return paths


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_masks(folder):
    write_vis_layout(folder / "datasets")
    road = Road([*VIS_MODEL, "SOLVER.AMP.ENABLED", "False"], ["MODEL.WEIGHTS", ""])
    frames = "datasets/ytvis_2019/valid/JPEGImages/0a49f5265b"
    for path in in_order(VIS, ("3x", "joint", "video", "video_correspondence")):
        output = road.whole_stage(path, frames, set())
        names = {category["name"] for category in json.loads(Path("tracks.json").read_text())["categories"]}
        assert len(names) == 80 and "fire hydrant" in names
        results = output / "ytvis_2019_val" / "results.json"
        check = ["validate", "--format", "ytvis", "--gt", "datasets/ytvis_2019/valid.json", "--results", str(results)]
        assert main(check) == 0
    given = torch.load("output/ictrack_solo_R_50_FPN_3x/model_final.pth", weights_only=True)["model"]
    last = torch.load("output/ictrack_solo_R_50_FPN_video/model_final.pth", weights_only=True)["model"]
    assert all(torch.equal(last[name], x) for name, x in given.items() if name.startswith(("backbone", "head")))
    tracklets = Path("output/ictrack_solo_R_50_FPN_video/tracklets.json").read_text()
    assert "003234408d" in tracklets and "0a49f5265b" not in tracklets  # that of the evaluation is left out


def test_poses(folder):
    write_pose_layout(folder / "datasets")
    road = Road(POSE_MODEL, ["MODEL.HRNET.WEIGHTS", ""])
    frames = "datasets/posetrack18/images/train/000001_bonn_train"
    for path in in_order(POSE, POSE_STAGES):
        output = road.whole_stage(path, frames, {"keypoints_video", "keypoints_tracking"})
        gt = "datasets/posetrack18/annotations/val"
        submission = str(output / "posetrack18_val")
        assert main(["validate", "--format", "posetrack", "--gt", gt, "--results", submission]) == 0


@pytest.mark.parametrize(
    ("path", "write", "missing"),
    [
        (VIS / "ictrack_solo_R_50_FPN_3x.yaml", write_vis_layout, "ytvis_2019/valid.json"),
        (VIS / "ictrack_solo_R_50_FPN_video.yaml", write_vis_layout, "ytvis_2019/test.json"),
        (VIS / "ictrack_solo_R_50_FPN_video.yaml", write_vis_layout, "ytvos_2019/train"),
        (POSE / "stage2_mpii.yaml", write_pose_layout, "mpii/annotations/mpii_train.json"),
        (POSE / "stage1_coco_hrnet_w48.yaml", write_pose_layout, "posetrack18/annotations/val"),
    ],
)
def test_what_is_missing_is_said_before_training(path, write, missing, folder):
    write(folder / "datasets")
    (folder / "datasets" / missing).rename(folder / "elsewhere")
    args = argparse.Namespace(config_file=str(path), opts=COMMON, eval_only=False)
    with pytest.raises(DatasetFilesError, match=rf"DATASETS\.\w+: \w+: datasets/{missing}: no such file") as error:
        setup(args)
    assert "\n" not in str(error.value)


def test_unknown_data_sets_are_named_with_the_nearest(folder):
    args = argparse.Namespace(config_file="", opts=["DATASETS.TEST", "('ytvis_2019_valid',)"], eval_only=True)
    with pytest.raises(
        DatasetFilesError, match="ytvis_2019_valid is no registered data set; did you mean ytvis_2019_val"
    ):
        setup(args)
