"""The sample-data generator: determinism, disjoint splits, exact annotations, identities, registration."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as mask_util
from pycocotools.coco import COCO

from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.engine.setup import load_config
from synthetic.characters import assets, dataset_options, generate, motion, render
from synthetic.characters.clips import Clip, ClipStyle
from synthetic.characters.generate import SampleConfig, generate_sample, subsample_youtube_vis
from synthetic.characters.output import SPLIT_OF, SampleDataError

CONFIG = Path(__file__).resolve().parents[4] / "configs" / "quickstart" / "solo_lite0.yaml"
TINY = SampleConfig(
    height=96, width=160, train_stills=8, val_stills=4, unlabeled_clips=2, unlabeled_length=4, tune_clips=2,
    val_clips=3, clip_length=12, skips=(4,),
)  # fmt: skip
STILLS = ("stills_train", "stills_val")
CLIPS = ("clips_tune", "clips_val")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate_sample(tmp_path_factory.mktemp("sample") / "out", seed=3, config=TINY, workers=1)


def read(root: Path, folder: str, name: str = "instances.json") -> dict:
    return json.loads((root / folder / name).read_text())


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_same_files_whatever_the_number_of_processes(sample, tmp_path):
    assert contents(generate_sample(tmp_path / "a", seed=3, config=TINY, workers=2)) == contents(sample)


def test_another_seed_gives_other_pictures(sample, tmp_path):
    other, first = contents(generate_sample(tmp_path / "a", seed=4, config=TINY, workers=1)), contents(sample)
    same = [name for name in first if name.endswith(".jpg") and other[name] == first[name]]
    assert other.keys() == first.keys() and not same


def test_layout_and_sizes(sample):
    assert len(list((sample / "stills_train/images").glob("*.jpg"))) == TINY.train_stills
    assert len(list((sample / "stills_val/images").glob("*.jpg"))) == TINY.val_stills
    assert [len(list(d.iterdir())) for d in sorted((sample / "unlabeled").iterdir())] == [TINY.unlabeled_length] * 2
    for folder in CLIPS:
        for video in read(sample, folder)["videos"]:
            assert len(video["file_names"]) == video["length"] == TINY.clip_length
            for name in video["file_names"]:
                assert cv2.imread(str(sample / folder / "JPEGImages" / name)).shape == (96, 160, 3)


def test_unlabeled_clips_have_no_labels(sample):
    assert {path.suffix for path in (sample / "unlabeled").rglob("*") if path.is_file()} == {".jpg"}


def test_assets_of_splits_are_disjoint_and_complete():
    characters, backgrounds = assets.load_manifest()
    for keys in ([(c.split, c.family) for c in characters], [(c.split, c.name) for c in characters]):
        owners: dict[str, set[str]] = {}
        for split, key in keys:
            owners.setdefault(key, set()).add(split)
        assert all(len(splits) == 1 for splits in owners.values())
    # The first code point is the character; what follows is its skin, sex or color.
    points = {(c.key.split("-")[0], c.split) for c in characters if c.category == "person"}
    assert len(points) == len({point for point, _ in points})
    assert len({b.file for b in backgrounds}) == len(backgrounds)
    for split in ("train", "tune", "val"):
        assert {c.category for c in assets.characters_of(split)} == set(assets.CATEGORIES)
        assert {b.kind for b in assets.backgrounds_of(split)} == {"photo", "clip"}
        assert sum(c.frames > 1 for c in assets.characters_of(split)) >= 5
    shipped = {str(p.relative_to(assets.ASSET_ROOT)) for p in assets.ASSET_ROOT.rglob("*") if p.is_file()}
    listed = {c.file for c in characters} | {b.file for b in backgrounds}
    assert {name for name in shipped if name.startswith(("characters/", "photos/", "clips/"))} == listed
    assert sum((assets.ASSET_ROOT / name).stat().st_size for name in shipped) < 11e6


def test_every_asset_is_credited():
    credits = (assets.ASSET_ROOT / "CREDITS.md").read_text()
    assert all(f"`{b.file}`" in credits for b in assets.load_manifest()[1])
    assert all(b in credits for b in ("characters/*", "MIT", "CC BY-SA 2.0", "Apache-2.0", "BSD-3-Clause"))
    assert len(list((assets.ASSET_ROOT / "LICENSES").glob("*.txt"))) == 4


def test_generated_splits_are_disjoint(sample):
    used: dict[str, tuple[set[str], set[str]]] = {}
    for folder in (*STILLS, *CLIPS):
        data = read(sample, folder)
        pictures = data.get("images") or data["videos"]
        used[folder] = {a["family"] for a in data["annotations"]}, {p["background"] for p in pictures}
    for a, b in (("stills_train", "stills_val"), ("stills_train", "clips_tune"), ("stills_train", "clips_val"),
                 ("clips_tune", "clips_val"), ("clips_tune", "stills_val")):  # fmt: skip
        assert not used[a][0] & used[b][0] and not used[a][1] & used[b][1], (a, b)
    assert SPLIT_OF["unlabeled"] == "train"


@pytest.mark.parametrize("folder", STILLS)
def test_stills_are_valid_coco(sample, folder):
    coco = COCO(str(sample / folder / "instances.json"))
    assert [c["name"] for c in coco.dataset["categories"]] == ["person", "animal", "vehicle", "food"]
    characters = {c.key: c for c in assets.load_manifest()[0]}
    assert len(coco.anns) > 0
    for image_id in coco.getImgIds():
        total = np.zeros((TINY.height, TINY.width), int)
        for annotation in coco.loadAnns(coco.getAnnIds(image_id)):
            mask = coco.annToMask(annotation)
            assert annotation["iscrowd"] == 0 and mask.sum() == annotation["area"] >= TINY.min_visible_still
            np.testing.assert_array_equal(mask_util.toBbox(annotation["segmentation"]), annotation["bbox"])
            category = assets.CATEGORIES[annotation["category_id"] - 1]
            assert characters[annotation["character"]].category == category
            total += mask
        assert total.max(initial=0) <= 1  # visible parts never overlap


@pytest.mark.parametrize("folder", CLIPS)
def test_clips_are_valid_youtube_vis(sample, folder):
    data = read(sample, folder)
    assert [a["id"] for a in data["annotations"]] == list(range(1, len(data["annotations"]) + 1))
    frames: dict[tuple[int, int], np.ndarray] = {}
    for annotation in data["annotations"]:
        assert len(annotation["segmentations"]) == len(annotation["bboxes"]) == len(annotation["areas"]) == 12
        for time, (rle, box, area) in enumerate(
            zip(annotation["segmentations"], annotation["bboxes"], annotation["areas"])
        ):
            assert (rle is None) == (box is None) == (area is None)
            if rle is None:
                continue
            mask = mask_util.decode(rle).astype(int)
            assert mask.sum() == area >= TINY.min_visible_clip
            np.testing.assert_array_equal(mask_util.toBbox(rle), box)
            frames[annotation["video_id"], time] = frames.get((annotation["video_id"], time), 0) + mask
    assert all(total.max() == 1 for total in frames.values())


def test_subsampling_keeps_every_kth_frame(sample):
    data, sparse = read(sample, "clips_val"), read(sample, "clips_val", "instances_skip4.json")
    assert sparse == json.loads(json.dumps(subsample_youtube_vis(data, 4)))
    assert [v["file_names"] for v in sparse["videos"]] == [v["file_names"][::4] for v in data["videos"]]
    assert all(v["length"] == 3 for v in sparse["videos"])
    full = {a["id"]: a for a in data["annotations"]}
    for annotation in sparse["annotations"]:
        assert annotation["segmentations"] == full[annotation["id"]]["segmentations"][::4]
        assert any(annotation["segmentations"]) and annotation["length"] == 3
    left_out = full.keys() - {a["id"] for a in sparse["annotations"]}
    assert not any(any(full[i]["segmentations"][::4]) for i in left_out)
    assert subsample_youtube_vis(data, 1) == data
    with pytest.raises(ValueError, match="at least 1"):
        subsample_youtube_vis(data, 0)


def test_object_that_leaves_and_returns_keeps_its_id(tmp_path):
    config = SampleConfig(clip_length=60)
    returned = 0
    for seed in range(2):
        clip = Clip(np.random.default_rng(seed), "val", 0, 60, 192, 320, ClipStyle(leaves_probability=1.0))
        record = generate._make_labeled_clip(tmp_path, clip, config, seed)
        data = generate._youtube_vis([record])
        assert len(data["annotations"]) <= len(clip.characters)
        for annotation in data["annotations"]:
            seen = np.flatnonzero([s is not None for s in annotation["segmentations"]])
            returned += int((np.diff(seen) > 3).any())
    assert returned >= 2


def test_nearer_object_hides_the_farther_one():
    sprite = assets.load_sprite(assets.characters_of("val")[0])
    far, near = (render.Pose(x=60 + dx, y=50, size=60) for dx in (0, 12))
    light = render.Light(shadow=0.0, shear=0.0, length=0.3, gain=np.ones(3))
    background = np.full((100, 130, 3), 90, np.uint8)
    alone = render.compose(background, [(sprite, near)], light)[1][0]
    behind = render.compose(background, [(sprite, far)], light)[1][0]
    picture, (hidden, shown) = render.compose(background, [(sprite, far), (sprite, near)], light)
    np.testing.assert_array_equal(shown, alone)
    np.testing.assert_array_equal(hidden, behind & ~alone)
    untouched = cv2.dilate((behind | alone).astype(np.uint8), np.ones((5, 5))) == 0
    np.testing.assert_allclose(picture[untouched], 90)


def test_pose_places_size_and_center():
    sprite = assets.load_sprite(next(c for c in assets.characters_of("val") if c.frames == 1))
    light = render.Light(shadow=0.5, shear=0.0, length=0.3, gain=np.ones(3))
    background = np.full((200, 300, 3), 90, np.uint8)
    for size in (24, 60, 120):
        mask = render.compose(background, [(sprite, render.Pose(x=150.0, y=90.0, size=size))], light)[1][0]
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(size, abs=0.06 * size + 2)
        assert rows.mean() == pytest.approx(90, abs=0.05 * size + 1)
        assert columns.mean() == pytest.approx(150, abs=0.05 * size + 1)
    outside = render.compose(background, [(sprite, render.Pose(x=-200.0, y=90.0, size=60))], light)
    assert not outside[1][0].any()


def test_look_alike_has_the_same_shape_and_another_color():
    for character in assets.characters_of("tune"):
        sprite = assets.load_sprite(character)
        other = assets.recolor(sprite, hue=120.0, tint=(0.5, 0.62, 1.0))
        np.testing.assert_array_equal(other.levels[0][..., 3], sprite.levels[0][..., 3])
        opaque = sprite.levels[0][..., 3] > 128
        difference = np.abs(other.levels[0][..., :3].astype(float) - sprite.levels[0][..., :3])[opaque]
        assert difference.mean() > 12, character.name


def test_paths_are_smooth_and_leave_on_request():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        path = motion.random_path(rng, 80, 192, 320, size=60.0, speed=4.0, leaves=seed % 2 == 0)
        assert path.shape == (80, 2) and np.isfinite(path).all()
        assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() < 8 * 4.0
        outside = (path[:, 0] < -30) | (path[:, 0] > 350)
        if seed % 2 == 0:
            assert outside.any() and not outside.all()


def test_clear_errors(tmp_path, monkeypatch):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(SampleDataError, match=r"sample\.json"):
        generate_sample(tmp_path, config=TINY, workers=1)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    monkeypatch.setattr(assets, "ASSET_ROOT", tmp_path)
    (tmp_path / "broken.webp").write_bytes(b"no picture")
    with pytest.raises(assets.SampleAssetError, match=r"broken\.webp"):
        assets._read("broken.webp", cv2.IMREAD_COLOR)


def test_registration(sample, tmp_path):
    from detectron2.data import DatasetCatalog, MetadataCatalog

    cfg = load_config(overrides=[*dataset_options(tmp_path), *dataset_options(sample)])
    assert [name for name, *_ in cfg.DATASETS.REGISTER] == [
        "ictrack_sample_train", "ictrack_sample_val", "ictrack_sample_clips_tune", "ictrack_sample_clips_tune_skip4",
        "ictrack_sample_clips_val", "ictrack_sample_clips_val_skip4", "ictrack_sample_unlabeled",
    ]  # fmt: skip
    register_configured_datasets(cfg)
    stills = DatasetCatalog.get("ictrack_sample_train")
    assert len(stills) == TINY.train_stills
    assert {a["category_id"] for d in stills for a in d["annotations"]} <= {0, 1, 2, 3}
    assert Path(stills[0]["file_name"]).is_file()
    clips = DatasetCatalog.get("ictrack_sample_clips_val_skip4")
    assert len(clips) > 0
    metadata = MetadataCatalog.get("ictrack_sample_clips_val_skip4")
    assert metadata.evaluator_type == "youtube_vis"
    assert list(metadata.thing_classes) == list(assets.CATEGORIES)
    assert len(DatasetCatalog.get("ictrack_sample_unlabeled")) == TINY.unlabeled_clips


def test_the_configuration_registers_what_is_generated(sample, tmp_path, monkeypatch):
    """``configs/quickstart`` is the example of own data: it says what the quick-start's options say."""
    (tmp_path / "output" / "quickstart").mkdir(parents=True)
    (tmp_path / "output" / "quickstart" / "sample").symlink_to(sample)
    monkeypatch.chdir(tmp_path)
    stated = load_config(str(CONFIG)).DATASETS.REGISTER
    given = load_config(overrides=dataset_options(Path("output/quickstart/sample"))).DATASETS.REGISTER
    assert stated == [row for row in given if "_skip" not in row[0]]


def test_real_clips_ship():
    from ictrack.data.video_io import open_frames

    clips = assets.real_clips()
    assert {path.stem for path in clips} == {"kitten", "dog_and_woman"}
    for path in clips:
        with open_frames(path) as frames:
            assert sum(1 for _ in frames) > 100
