"""The experiment on look-alikes, on two marked ellipses that cross once."""

import csv
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from experiments.identities.methods import METHODS, embedder
from experiments.identities.reference import (
    Passages,
    TrajectoryError,
    agreement,
    continuity,
    in_every_frame,
    of_tracks,
    passages,
    read_trajectories,
    reference_objects,
)
from experiments.identities.rival import RivalError, rival_rows, run_rival
from experiments.identities.rows import COLUMNS, read_rows, write_rows
from experiments.identities.run import Material, run_video
from experiments.identities.whole import run_whole
from ictrack.engine.setup import load_config
from ictrack.engine.video_tracker import VideoTracker
from ictrack.identities.crop_encoder import Batch
from ictrack.model_zoo import config_path

NUM_FRAMES = 80


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    for index in range(NUM_FRAMES):
        image = np.full((80, 160, 3), 220, np.uint8)
        for number, mark in enumerate((-7, 7)):
            x = 80 + (55 if number == 0 else -55) * np.cos(np.pi * index / NUM_FRAMES)
            center = (int(x), 36 + 8 * number)
            cv2.ellipse(image, center, (16, 6), 0, 0, 360, (50, 50, 50), -1)
            cv2.circle(image, (center[0] + mark, center[1]), 3, (105, 105, 105), -1)
        cv2.imwrite(str(folder / f"{index:03d}.png"), image)
    return folder


@pytest.fixture(scope="module")
def cfg():
    options = ["MODEL.FOREGROUND.THRESHOLD", "150", "MODEL.DEVICE", "cpu"]
    return load_config(str(config_path("plain_background.yaml")), options)


@pytest.fixture(scope="module")
def material(cfg, video):
    return Material.of_video(VideoTracker.from_config(cfg), video)


@pytest.fixture(scope="module")
def places():
    """(F, 2, 2) true centers."""
    x = 55 * np.cos(np.pi * np.arange(NUM_FRAMES) / NUM_FRAMES)
    rows = [np.stack([80 + x, np.full(NUM_FRAMES, 36)], 1), np.stack([80 - x, np.full(NUM_FRAMES, 44)], 1)]
    return np.stack(rows, axis=1)


def test_rows_of_all_tests(material, places, tmp_path):
    rows = list(run_video(material, ["position", "tracklet"], [0, 1], num_instances=2, iterations=2, reference=places))
    assert [(row["method"], row["seed"], row["test"]) for row in rows[:7]] == [
        *(("position", 0, test) for test in ("halves", "reference", "passages", "switches")),
        *(("tracklet", 0, test) for test in ("halves", "cut", "reference")),
    ]
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
    objects = reference_objects(material.footage, tracklets, places)
    by_truth = np.array([x[0] for x in objects])
    assert all((x == truth).all() for x, truth in zip(objects, by_truth)) and set(by_truth) == {0, 1}

    def against(identities):
        return agreement(tracklets, in_every_frame(tracklets, np.array(identities)), objects, 2)

    assert against(by_truth) == (1, sum(map(len, tracklets)))
    swapped = [1 - k if x.frames[0] > NUM_FRAMES // 2 else k for k, x in zip(by_truth, tracklets)]
    assert against(swapped)[0] == pytest.approx(0.5, abs=0.05)
    assert against(np.full(len(tracklets), -1))[0] == 0


def test_passages_over_crossings(material, places):
    """Two objects meet once; each then goes on with another tracklet."""
    tracklets = material.tracklets
    objects = reference_objects(material.footage, tracklets, places)
    by_truth = np.array([x[0] for x in objects])

    def over(identities):
        return passages(tracklets, in_every_frame(tracklets, np.array(identities)), objects)

    swapped = [1 - k if x.frames[0] > NUM_FRAMES // 2 else k for k, x in zip(by_truth, tracklets)]
    lost = [-1 if x.frames[0] > NUM_FRAMES // 2 else k for k, x in zip(by_truth, tracklets)]
    assert over(by_truth) == Passages(2, 2, 0)
    assert over(swapped) == Passages(2, 0, 2)
    assert over(lost) == Passages(2, 0, 0)


def test_the_reference_is_tested_by_continuity(material, places):
    changed = places.copy()
    first = material.tracklets[0].frames[:10]
    changed[first] = changed[first][:, ::-1]
    for reference, wrong in ((places, 0), (changed, 20)):
        share, total = continuity(reference_objects(material.footage, material.tracklets, reference))
        assert total == sum(map(len, material.tracklets)) and share == pytest.approx(1 - wrong / total)


def test_places_that_are_far_or_missing_are_no_reference(material, places):
    changed = places.copy()
    frame = int(material.tracklets[0].frames[0])
    changed[frame, 0] = np.nan
    changed[frame + 1] += 500
    objects = reference_objects(material.footage, material.tracklets, changed[:-3])
    found = {index: [] for index in range(NUM_FRAMES)}
    for tracklet, of in zip(material.tracklets, objects):
        for index, value in zip(tracklet.frames.tolist(), of.tolist()):
            found[index].append(value)
    assert sorted(found[frame]) == [-1, 1] and found[frame + 1] == found[NUM_FRAMES - 1] == [-1, -1]
    numbers = in_every_frame(material.tracklets, np.arange(len(objects)))
    assert agreement(material.tracklets, numbers, objects, 2)[1] == sum(map(len, material.tracklets)) - 2 * 5


def test_the_whole_method_and_its_parts(cfg, video, places):
    rows = list(run_whole(cfg, video, [0], num_instances=2, iterations=2, reference=places))
    by_place = {(row["method"], row["test"]): row for row in rows}
    of = ("reference", "passages", "switches")
    assert set(by_place) == {
        *(("unlinked", test) for test in of),
        *(("full", test) for test in ("halves", "cut", "estimate", "estimate_low", "estimate_high", *of)),
        *(("online", test) for test in of),
    }
    assert by_place["unlinked", "passages"]["value"] == "0.0000"
    assert float(by_place["unlinked", "reference"]["value"]) == pytest.approx(0.5, abs=0.05)
    assert by_place["full", "halves"]["num_pairs"] == 4
    alone = list(run_whole(cfg, video, [0], num_instances=2, iterations=2, reference=None))
    assert {(row["method"], row["test"]) for row in alone} == {
        ("full", test) for test in ("halves", "cut", "estimate", "estimate_low", "estimate_high")
    }


def test_numbers_of_a_tracker(material):
    """A detection has the identity of the track at its box, if there is one."""
    footage = material.footage
    tracks = [replace(frame, ids=np.arange(len(frame)) + 5) for frame in footage.frames]
    tracks[0] = replace(tracks[0], boxes=tracks[0].boxes + 50)
    numbers = of_tracks(footage, material.tracklets, tracks[:-1])
    for tracklet, found in zip(material.tracklets, numbers):
        there = (tracklet.frames > 0) & (tracklet.frames < NUM_FRAMES - 1)
        assert found.tolist() == np.where(there, tracklet.rows + 5, -1).tolist()


def test_another_program_is_run(cfg, video, places, tmp_path):
    """Its command gets the foreground's settings, and its trajectories become the reference."""
    lines = ["seconds,x1,y1,x2,y2", *(",".join(map(str, [0, *frame.ravel()])) for frame in places)]
    (tmp_path / "places.csv").write_text("\n".join(lines))
    program = tmp_path / "program"
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, shutil, sys\nfolder = sys.argv[sys.argv.index('--output_dir') + 1]\n"
        "assert sys.argv[sys.argv.index('--intensity_ths') + 1 :][:2] == ['0', '150']\n"
        "assert sys.argv[sys.argv.index('--number_of_animals') + 1] == '2'\n"
        "folder = pathlib.Path(folder, 'session_v', 'trajectories', 'trajectories_csv')\n"
        f"folder.mkdir(parents=True)\nshutil.copy({str(tmp_path / 'places.csv')!r}, folder / 'trajectories.csv')\n"
        "sys.exit(1)\n"  # as without a network for its statistics
    )
    program.chmod(0o700)
    found, cost = run_rival(program, video, cfg, 2)
    assert found == pytest.approx(places) and cost.seconds > 0 and cost.mib > 1
    (row,) = rival_rows(cfg, video, found, cost)
    assert (row["method"], row["test"], row["value"]) == ("idtrackerai", "continuity", "1.0000")
    program.write_text(f"#!{sys.executable}\nraise SystemExit('no animals')\n")
    with pytest.raises(RivalError, match=r"ended with 1.*no animals"):
        run_rival(program, video, cfg, 2)


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
