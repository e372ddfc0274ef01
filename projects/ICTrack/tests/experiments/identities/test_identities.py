"""The experiment on look-alikes, on two marked ellipses that cross once."""

import csv

import cv2
import numpy as np
import pytest
import torch

from experiments.identities.methods import METHODS, embedder
from experiments.identities.reference import TrajectoryError, agreement, read_trajectories
from experiments.identities.run import COLUMNS, Material, read_rows, run_video, write_rows
from ictrack.engine.setup import load_config
from ictrack.engine.video_tracker import VideoTracker
from ictrack.identities.crop_encoder import Batch
from ictrack.model_zoo import config_path

NUM_FRAMES = 80


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    for index in range(NUM_FRAMES):
        image = np.full((80, 160, 3), 220, np.uint8)
        for number, mark in enumerate((-7, 7)):
            x = 80 + (55 if number == 0 else -55) * np.cos(np.pi * index / NUM_FRAMES)
            center = (int(x), 36 + 8 * number)
            cv2.ellipse(image, center, (16, 6), 0, 0, 360, (50, 50, 50), -1)
            cv2.circle(image, (center[0] + mark, center[1]), 3, (105, 105, 105), -1)
        cv2.imwrite(str(folder / f"{index:03d}.png"), image)
    options = ["MODEL.FOREGROUND.THRESHOLD", "150", "MODEL.DEVICE", "cpu"]
    cfg = load_config(str(config_path("plain_background.yaml")), options)
    return Material.of_video(VideoTracker.from_config(cfg), folder)


@pytest.fixture(scope="module")
def places():
    """(F, 2, 2) true centers."""
    x = 55 * np.cos(np.pi * np.arange(NUM_FRAMES) / NUM_FRAMES)
    rows = [np.stack([80 + x, np.full(NUM_FRAMES, 36)], 1), np.stack([80 - x, np.full(NUM_FRAMES, 44)], 1)]
    return np.stack(rows, axis=1)


def test_rows_of_all_tests(material, places, tmp_path):
    rows = list(run_video(material, ["position", "tracklet"], [0, 1], num_instances=2, iterations=2, reference=places))
    assert [(row["method"], row["seed"], row["test"]) for row in rows[:4]] == [
        ("position", 0, "halves"), ("tracklet", 0, "halves"), ("tracklet", 0, "cut"), ("tracklet", 0, "reference"),
    ]  # fmt: skip
    assert {row["method"] for row in rows} == {"position", "tracklet"}
    assert (rows[0]["value"], rows[0]["by_cut"]) == ("1.0000", "2/2 2/2")  # halves of one tracklet are on one side
    rows = [{"video": "v", **row} for row in rows]
    write_rows(tmp_path / "identify.csv", rows)
    with open(tmp_path / "identify.csv", newline="") as file:
        assert next(csv.reader(file)) == list(COLUMNS)
    assert read_rows(tmp_path / "identify.csv") == [{key: str(value) for key, value in row.items()} for row in rows]
    assert read_rows(tmp_path / "nothing.csv") == []


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"position", "frozen"}))
def test_every_method_gives_unit_vectors(material, name):
    embeddings = embedder(name, material.tracklets, material.crops, 2, 0)(material.crops[0][:5])
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(1, abs=1e-5)


def test_pixels_learn_by_correspondence(material):
    """Both objectives on dense maps fall."""
    for name in ("correspondence", "random_walk"):
        objective = METHODS[name].objective
        losses = []
        for iterations in (1, 12):
            torch.manual_seed(0)
            embed = embedder(name, material.tracklets, material.crops, iterations, 0)
            encoder = embed.__self__.train()
            groups = {int(material.tracklets[0].frames[5]): [0, 1]}
            losses.append(
                objective(encoder, Batch(material.tracklets, material.crops, groups), np.random.default_rng(0)).item()
            )
        assert losses[1] < losses[0]


def test_agreement_with_the_truth(material, places):
    tracklets = material.tracklets
    by_truth = [
        int(np.abs(places[x.frames[0], :, 0] - material.footage.centers_of(x)[0, 0]).argmin()) for x in tracklets
    ]
    share, count = agreement(material.footage, tracklets, np.array(by_truth), places)
    assert share == 1 and count == sum(map(len, tracklets))
    swapped = [1 - k if x.frames[0] > NUM_FRAMES // 2 else k for k, x in zip(by_truth, tracklets)]
    assert agreement(material.footage, tracklets, np.array(swapped), places)[0] == pytest.approx(0.5, abs=0.05)
    assert agreement(material.footage, tracklets, np.full(len(tracklets), -1), places)[0] == 0


def test_trajectories_of_other_programs(tmp_path):
    (tmp_path / "t.csv").write_text("seconds,x1,y1,x2,y2\n0.0,1,2,3,4\n0.1,5,6,nan,nan\n")
    places = read_trajectories(tmp_path / "t.csv")
    assert places.shape == (2, 2, 2) and places[0].tolist() == [[1, 2], [3, 4]] and np.isnan(places[1, 1]).all()
    np.save(tmp_path / "t.npy", places)
    assert np.array_equal(read_trajectories(tmp_path / "t.npy"), places, equal_nan=True)
    np.save(tmp_path / "flat.npy", np.zeros(3))
    for name in ("flat.npy", "missing.csv"):
        with pytest.raises(TrajectoryError, match=name.split(".")[0]):
            read_trajectories(tmp_path / name)
