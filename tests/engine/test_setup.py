import argparse
from pathlib import Path

import pytest
import yaml

from ictrack.engine.setup import ConfigError, check_frozen, checked_config, load_config

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_config_loads(path):
    assert load_config(str(path)).MODEL.META_ARCHITECTURE


def test_an_unknown_key_is_named_with_the_nearest_one(tmp_path):
    path = tmp_path / "typo.yaml"
    path.write_text("MODEL:\n  SOLO:\n    NUM_GRID: [1]\n")
    with pytest.raises(ConfigError, match=r"typo\.yaml.*NUM_GRID.*did you mean MODEL\.SOLO\.NUM_GRIDS"):
        load_config(str(path))


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("SAMPLE_ROOT", r"configs/quickstart"),
        *(
            (key, r"\[name, format, \.\.\.\]; see ictrack/config")
            for key in ("COCO_FORMAT", "YOUTUBE_VIS_FORMAT", "POSETRACK_FORMAT", "POSE_FORMAT", "UNLABELLED_VIDEOS")
        ),
    ],
)
def test_a_key_that_is_gone_names_the_one_in_its_place(tmp_path, key, hint):
    path = tmp_path / "old.yaml"
    path.write_text(f"DATASETS:\n  {key}: []\n")
    for options in ({"config_file": str(path)}, {"overrides": [f"DATASETS.{key}", "[]"]}):
        with pytest.raises(ConfigError, match=rf"{key} .*DATASETS\.REGISTER.*{hint}"):
            load_config(**options)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DATASETS.UNLABELLED", "()"),
        ("INPUT.UNLABELLED.SIZE", "[8, 8]"),
        ("INPUT.UNLABELLED.PER_LABELLED_IMAGE", "1.0"),
    ],
)
def test_the_former_spelling_of_unlabeled_names_the_present_one(key, value, tmp_path):
    present = key.replace("LABELLED", "LABELED")
    with pytest.raises(ConfigError, match=rf"renamed to {present}"):
        load_config(overrides=[key, value])
    path = tmp_path / "old.yaml"
    path.write_text(yaml.dump(nested(key, value)))
    with pytest.raises(ConfigError, match=r"old\.yaml.*renamed to (DATASETS|INPUT)\.UNLABELED"):
        load_config(str(path))


def nested(key, value):
    """The content of a YAML file with one key."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def test_yaml_that_runs_code_is_refused(tmp_path, capsys):
    path = tmp_path / "evil.yaml"
    path.write_text("OUTPUT_DIR: !!python/object/apply:builtins.print ['code ran']\n")
    with pytest.raises(ConfigError, match=r"evil\.yaml"):
        load_config(str(path))
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "overrides", [["SOLVER.BASE_LR", "fast"], ["SOLVER.BASE_LR"], ["NO.SUCH.KEY", "1"]], ids=["type", "odd", "unknown"]
)
def test_bad_overrides(overrides):
    with pytest.raises(ConfigError, match="command line"):
        load_config(overrides=overrides)


def test_missing_and_malformed_files(tmp_path):
    with pytest.raises(ConfigError, match="no such configuration file"):
        load_config(str(tmp_path / "absent.yaml"))
    path = tmp_path / "broken.yaml"
    path.write_text("MODEL: [unclosed\n")
    with pytest.raises(ConfigError, match=r"broken\.yaml"):
        load_config(str(path))


def test_a_key_without_a_value_is_named(tmp_path):
    (tmp_path / "empty.yaml").write_text("TRACKER_HEADS:\n  MIN_SCORE:\n")
    with pytest.raises(ConfigError, match=r"TRACKER_HEADS\.MIN_SCORE: has no value, such as 0\.1"):
        load_config(str(tmp_path / "empty.yaml"))
    with pytest.raises(ConfigError, match=r"SOLVER\.IMS_PER_BATCH: has no value, such as 16"):
        load_config(overrides=["SOLVER.IMS_PER_BATCH", "None"])


def test_comments_alone_change_nothing(tmp_path):
    (tmp_path / "comments.yaml").write_text("# nothing yet\n")
    assert load_config(str(tmp_path / "comments.yaml")) == load_config()


def test_a_device_that_is_not_here_is_named():
    with pytest.raises(ConfigError, match=r"MODEL\.DEVICE 'mps' does not work here: "):
        load_config(overrides=["MODEL.DEVICE", "mps"])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("MODEL.SOLO.TRAINABLE", "False"),
        ("MODEL.POINT_SET_ANCHOR.TRAINABLE", "False"),
        ("MODEL.VIDEO_EMBEDDING.FREEZE", "['detector']"),
    ],
)
def test_former_switches_of_freezing_name_the_new_one(key, value):
    with pytest.raises(ConfigError, match=r"renamed to MODEL\.FREEZE"):
        load_config(overrides=[key, value])


def test_a_video_stage_that_freezes_nothing_is_refused(tmp_path):
    """Weight decay and batch statistics would change a detector that no loss teaches."""
    (tmp_path / "clip").mkdir()
    opts = ["DATASETS.TRAIN", "()", "DATASETS.TEST", "()", "DATASETS.UNLABELED", "('unfrozen_videos',)",
            "DATASETS.REGISTER", str([["unfrozen_videos", "videos", str(tmp_path / "clip")]]),
            "MODEL.VIDEO_EMBEDDING.ENABLED", "True", "OUTPUT_DIR", str(tmp_path)]  # fmt: skip
    args = argparse.Namespace(config_file="", opts=opts, eval_only=False, resume=False)
    with pytest.raises(ConfigError, match=r"MODEL\.FREEZE"):
        checked_config(args)


def test_a_lone_image_head_cannot_be_frozen():
    cfg = load_config(overrides=["MODEL.FREEZE", "['detector', 'image_head']"])
    with pytest.raises(ConfigError, match=r"image_head.*VIDEO_EMBEDDING\.ENABLED"):
        check_frozen(cfg)
