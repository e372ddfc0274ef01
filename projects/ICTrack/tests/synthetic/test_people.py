"""The generator of sample people: determinism, disjoint splits, exact joints, valid files, registration."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.engine.setup import load_config
from ictrack.evaluation.metrics.posetrack.evaluate import evaluate_pose
from ictrack.evaluation.submission import PoseTrackWriter, read_posetrack_results, validate_posetrack
from ictrack.structures.joints import COCO_17, POSETRACK_18
from ictrack.structures.posetrack_json import read_pose_folder
from synthetic.characters import assets
from synthetic.characters.output import SampleDataError
from synthetic.people import PoseSampleConfig, dataset_options, generate_sample_pose
from synthetic.people.annotations import subsample_posetrack
from synthetic.people.clips import Clip, ClipStyle
from synthetic.people.stage import FLOORS, WALLS
from synthetic.people.wardrobe import (
    _HUE_SECTORS,
    _SECTOR_SPLITS,
    draw_outfit,
    look_alike,
    split_color,
    team_mate,
)

CONFIG = Path(__file__).resolve().parents[4] / "configs" / "quickstart" / "pose_lite0.yaml"
TINY = PoseSampleConfig(
    train_stills=6, val_stills=3, unlabeled_clips=1, unlabeled_length=3, tune_clips=1, val_clips=2, clip_length=9,
    skips=(4,),
)  # fmt: skip
CLIPS = ("clips_tune", "clips_val")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate_sample_pose(tmp_path_factory.mktemp("pose") / "out", seed=3, config=TINY, workers=1)


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def clip_files(sample: Path, folder: str, annotations: str = "annotations") -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted((sample / folder / annotations).glob("*.json"))]


def test_same_files_whatever_the_number_of_processes(sample, tmp_path):
    assert contents(generate_sample_pose(tmp_path / "a", seed=3, config=TINY, workers=2)) == contents(sample)


def test_another_seed_gives_other_pictures(sample, tmp_path):
    few = PoseSampleConfig(
        train_stills=6, val_stills=0, unlabeled_clips=0, tune_clips=0, val_clips=0, skips=(),
    )  # fmt: skip
    other, first = contents(generate_sample_pose(tmp_path / "a", seed=4, config=few, workers=1)), contents(sample)
    stills = [name for name in other if name.endswith(".jpg")]
    assert len(stills) == 6 and not [name for name in stills if other[name] == first[name]]


def test_layout_and_sizes(sample):
    assert {p.name for p in sample.iterdir()} == {
        "stills_train", "stills_val", "unlabeled", "clips_tune", "clips_val", "sample_pose.json",
    }  # fmt: skip
    assert len(list((sample / "stills_train/images").glob("*.jpg"))) == TINY.train_stills
    assert {p.suffix for p in (sample / "unlabeled").rglob("*") if p.is_file()} == {".jpg"}
    for folder in CLIPS:
        for data in clip_files(sample, folder):
            assert len(data["images"]) == TINY.clip_length
            for image in data["images"]:
                assert cv2.imread(str(sample / folder / image["file_name"])).shape == (192, 320, 3)


@pytest.mark.parametrize("folder", ["stills_train", "stills_val"])
def test_stills_are_valid_coco_keypoints(sample, folder):
    coco = COCO(str(sample / folder / "person_keypoints.json"))
    assert coco.dataset["categories"][0]["keypoints"] == list(COCO_17.names)
    assert len(coco.anns) > 0
    for image_id in coco.getImgIds():
        total = np.zeros((TINY.height, TINY.width), int)
        for person in coco.loadAnns(coco.getAnnIds(image_id)):
            mask = coco.annToMask(person)
            total += mask
            pose = np.reshape(person["keypoints"], (17, 3))
            x, y, width, height = person["bbox"]
            assert mask.sum() == person["area"] >= TINY.min_visible
            assert set(pose[:, 2]) <= {0, 1, 2} and (pose[:, 2] > 0).sum() == person["num_keypoints"]
            assert not pose[pose[:, 2] == 0].any()
            # The nose sticks out of the mask by less than a pixel; all other joints lie in the flesh.
            px, py = pose[pose[:, 2] > 0, :2].T + 0.5
            slack = 1.5
            assert (px >= x - slack).all() and (px <= x + width + slack).all()
            assert (py >= y - slack).all() and (py <= y + height + slack).all()
            for column, row, visibility in pose[pose[:, 2] > 0]:
                assert -0.5 <= column < TINY.width - 0.5 and -0.5 <= row < TINY.height - 0.5
                if visibility == 2:  # seen: the person's own pixels are there
                    near = mask[max(round(row) - 2, 0) : round(row) + 3, max(round(column) - 2, 0) : round(column) + 3]
                    assert near.any()
        assert total.max(initial=0) <= 1


@pytest.mark.parametrize("folder", CLIPS)
def test_clips_follow_posetrack18(sample, folder):
    ids: set[int] = set()
    for data in clip_files(sample, folder):
        assert data["categories"][0]["keypoints"] == list(POSETRACK_18.names)
        times = {image["id"]: image for image in data["images"]}
        assert all(image["is_labeled"] and image["nframes"] == TINY.clip_length for image in data["images"])
        assert not ids & times.keys()
        ids |= times.keys()
        rows = data["annotations"]
        assert rows and len({row["id"] for row in rows}) == len(rows)
        assert len({(row["image_id"], row["track_id"]) for row in rows}) == len(rows)
        for row in rows:
            pose = np.reshape(row["keypoints"], (17, 3))
            present = pose[:, 2] > 0
            assert row["image_id"] in times and present.any()
            assert not pose[[3, 4]].any()  # ears
            x, y, width, height = row["bbox"]
            px, py = pose[present, :2].T
            assert (px >= x - 1.5).all() and (px <= x + width + 1.5).all()
            assert (py >= y - 1.5).all() and (py <= y + height + 1.5).all()
            if present[1] and present[2]:  # PoseTrack's heads are about as large as from neck to top
                length = np.linalg.norm(pose[1, :2] - pose[2, :2])
                assert 0.6 * length < row["bbox_head"][2] < 1.6 * length
                assert 0.9 * length < row["bbox_head"][3] < 1.4 * length


@pytest.mark.parametrize("annotations", ["annotations", "annotations_skip4"])
def test_ground_truth_scored_against_itself_is_perfect(sample, tmp_path, annotations):
    folder = sample / "clips_val" / annotations
    truth = read_pose_folder(folder, is_ground_truth=True)
    writer = PoseTrackWriter(tmp_path / "results")
    for path in sorted(folder.glob("*.json")):
        data = json.loads(path.read_text())
        writer.start(path.stem, data["images"])
        for time, image in enumerate(data["images"]):
            people = [p for p in data["annotations"] if p["image_id"] == image["id"]]
            poses = np.array([p["keypoints"] for p in people], float).reshape(-1, 17, 3)
            writer.add(time, [p["track_id"] for p in people], poses)
        writer.finish()
    assert list(validate_posetrack(folder, tmp_path / "results")) == []
    result = evaluate_pose(truth, read_posetrack_results(tmp_path / "results"))
    assert result.warnings == ()
    strict = result.scores["strict"]
    assert strict["MOT"]["mota"]["total"] == pytest.approx(1)
    assert strict["AP"]["ap"]["total"] == pytest.approx(1)


def test_subsampling_keeps_every_kth_frame(sample):
    full, sparse = clip_files(sample, "clips_val")[0], clip_files(sample, "clips_val", "annotations_skip4")[0]
    assert [i["file_name"] for i in sparse["images"]] == [i["file_name"] for i in full["images"][::4]]
    kept = {i["id"] for i in sparse["images"]}
    assert sparse["annotations"] == [p for p in full["annotations"] if p["image_id"] in kept]
    assert all(i["nframes"] == len(sparse["images"]) == 3 for i in sparse["images"])
    assert subsample_posetrack(full, 1) == full
    with pytest.raises(ValueError, match="at least 1"):
        subsample_posetrack(full, 0)


def test_clips_of_which_every_kth_frame_is_drawn(sample, tmp_path):
    """The scene moves as in the clip at full rate."""
    root = generate_sample_pose(tmp_path / "out", seed=3, config=replace(TINY, clip_step=4), workers=1)
    assert [path.name for path in sorted((root / "clips_val").iterdir())] == ["annotations_skip4", "images"]
    found, full = (clip_files(folder, "clips_val", "annotations_skip4")[0] for folder in (root, sample))
    assert found == full
    folder = (root / "clips_val" / found["images"][0]["file_name"]).parent
    assert [path.name for path in sorted(folder.iterdir())] == ["000000.jpg", "000004.jpg", "000008.jpg"]


def test_scenery_of_splits_is_disjoint():
    split_of = {b.file: b.split for b in assets.load_manifest()[1]}
    for table in (WALLS, FLOORS):
        for split, sceneries in table.items():
            assert sceneries and {split_of[s.file] for s in sceneries} == {split}
            assert all(s.image().size > 0 for s in sceneries)


def test_hues_of_splits_are_disjoint():
    rng = np.random.default_rng(0)
    for split in ("train", "tune", "val"):
        for _ in range(100):
            color = split_color(rng, split).astype(np.uint8).reshape(1, 1, 3)
            hue = float(cv2.cvtColor(color.astype(np.float32) / 255, cv2.COLOR_BGR2HSV)[0, 0, 0])
            assert _SECTOR_SPLITS[int(hue / 360 * _HUE_SECTORS) % len(_SECTOR_SPLITS)] == split


def test_look_alikes_differ_in_color_and_team_mates_do_not():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        outfit = draw_outfit(rng, "val")
        other, mate = look_alike(rng, outfit), team_mate(rng, outfit)
        assert np.abs(other.shirt.astype(float) - outfit.shirt).mean() > 8
        assert (other.sleeves, other.front) == (outfit.sleeves, outfit.front)
        np.testing.assert_array_equal(mate.shirt, outfit.shirt)
        np.testing.assert_array_equal(mate.trousers, outfit.trousers)


def test_who_leaves_and_returns_keeps_the_track_id():
    returned = 0
    for seed in range(2):
        clip = Clip(np.random.default_rng(seed), "val", seed, 60, 96, 160, ClipStyle(leaves_probability=1.0))
        seen = np.array([[person.mask.any() for person in people] for _, _, people in clip])
        assert seen.shape == (60, len(clip.people))
        returned += sum(int((np.diff(np.flatnonzero(column)) > 3).any()) for column in seen.T)
    assert returned >= 2


def test_clear_errors(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(SampleDataError, match=r"sample_pose\.json"):
        generate_sample_pose(tmp_path, config=TINY, workers=1)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    with pytest.raises(ValueError, match="clip_length is 10001"):
        generate_sample_pose(tmp_path / "b", config=PoseSampleConfig(clip_length=10001), workers=1)


def test_registration(sample, tmp_path):
    from detectron2.data import DatasetCatalog, MetadataCatalog

    cfg = load_config(overrides=[*dataset_options(tmp_path), *dataset_options(sample)])
    assert [name for name, *_ in cfg.DATASETS.REGISTER] == [
        "ictrack_sample_pose_train", "ictrack_sample_pose_val", "ictrack_sample_pose_clips_tune",
        "ictrack_sample_pose_clips_tune_skip4", "ictrack_sample_pose_clips_val", "ictrack_sample_pose_clips_val_skip4",
        "ictrack_sample_pose_unlabeled",
    ]  # fmt: skip
    register_configured_datasets(cfg)
    stills = DatasetCatalog.get("ictrack_sample_pose_train")
    assert len(stills) == TINY.train_stills and Path(stills[0]["file_name"]).is_file()
    # Detectron2's coordinates are continuous.
    written = json.loads((sample / "stills_train/person_keypoints.json").read_text())["annotations"][0]
    loaded = next(r for r in stills if r["image_id"] == written["image_id"])["annotations"][0]
    given, found = (np.reshape(p["keypoints"], (17, 3)) for p in (written, loaded))
    np.testing.assert_allclose(found[found[:, 2] > 0, :2], given[given[:, 2] > 0, :2] + 0.5)
    metadata = MetadataCatalog.get("ictrack_sample_pose_train")
    assert metadata.keypoint_names == list(COCO_17.names)
    assert ("left_eye", "right_eye") in metadata.keypoint_flip_map
    clips = DatasetCatalog.get("ictrack_sample_pose_clips_val_skip4")
    assert [clip["length"] for clip in clips] == [3, 3] and Path(clips[0]["file_names"][0]).is_file()
    assert MetadataCatalog.get("ictrack_sample_pose_clips_val").evaluator_type == "posetrack"
    assert len(DatasetCatalog.get("ictrack_sample_pose_unlabeled")) == TINY.unlabeled_clips


def test_the_configuration_registers_what_is_generated(tmp_path, monkeypatch):
    """``configs/quickstart`` is the example of own data: it says what the quick-start's options say."""
    root = tmp_path / "output" / "quickstart_pose" / "sample"
    generate_sample_pose(root, seed=3, config=replace(TINY, clip_step=4), workers=1)
    monkeypatch.chdir(tmp_path)
    stated = load_config(str(CONFIG)).DATASETS.REGISTER
    assert stated == load_config(overrides=dataset_options(Path("output/quickstart_pose/sample"))).DATASETS.REGISTER
