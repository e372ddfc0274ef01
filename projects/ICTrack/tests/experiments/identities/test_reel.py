"""Videos whose objects leave and return, made of two clips of two squares each."""

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from quick_python import run_python

from experiments.identities.reel import ReelScore, make_reel, score_reel
from ictrack.identities import Tracklet
from ictrack.structures.json_files import AnnotationError

PROJECT = Path(__file__).resolve().parents[3]
LENGTH, SIDE = 24, 12


def write_clips(folder, sizes=((48, 96), (48, 96))):
    """Two clips of two objects each; squares of their own colors, one above the other."""
    videos, annotations = [], []
    for clip, (height, width) in enumerate(sizes):
        (folder / f"clip{clip}").mkdir(parents=True)
        names = [f"clip{clip}/{index}.png" for index in range(LENGTH)]
        videos.append({"id": clip + 5, "height": height, "width": width, "length": LENGTH, "file_names": names})
        for name in names:
            cv2.imwrite(str(folder / name), np.full((height, width, 3), 200, np.uint8))
        for number in range(2):
            polygons, boxes = [], []
            for index, name in enumerate(names):
                # The squares of one clip are never where those of the other one were in the frame before.
                x, y = (4 + 2 * index if clip == 0 else 80 - 2 * index), 6 + 22 * number
                image = cv2.imread(str(folder / name))
                image[y : y + SIDE, x : x + SIDE] = [(40, 40, 220), (40, 220, 40), (220, 40, 40), (20, 20, 20)][
                    2 * clip + number
                ]
                cv2.imwrite(str(folder / name), image)
                polygons.append([[x, y, x + SIDE, y, x + SIDE, y + SIDE, x, y + SIDE]])
                boxes.append([x, y, SIDE, SIDE])
            annotations.append({
                "id": len(annotations) + 1, "video_id": clip + 5, "category_id": 1, "iscrowd": 0,
                "segmentations": polygons, "bboxes": boxes, "areas": LENGTH * [SIDE * SIDE],
            })  # fmt: skip
    data = {"videos": videos, "annotations": annotations, "categories": [{"id": 1, "name": "square"}]}
    (folder / "instances.json").write_text(json.dumps(data))
    return folder / "instances.json"


def test_clips_are_played_forwards_and_backwards(tmp_path):
    reel = make_reel(write_clips(tmp_path / "clips"), tmp_path / "clips", tmp_path / "reel", 2)
    assert len(list(reel.frames.iterdir())) == reel.boxes.shape[1] == 4 * LENGTH
    x = reel.boxes[:, :, 0]
    forwards, backwards = 4 + 2 * np.arange(LENGTH), 80 - 2 * np.arange(LENGTH)
    none = np.full(LENGTH, np.nan)
    np.testing.assert_array_equal(x[0], np.concatenate([forwards, none, forwards[::-1], none]))
    np.testing.assert_array_equal(x[3], np.concatenate([none, backwards, none, backwards[::-1]]))
    first, last = (cv2.imread(str(reel.frames / f"{index:05d}.png")) for index in (0, 3 * LENGTH - 1))
    np.testing.assert_array_equal(first, last)


def test_clips_of_other_sizes_are_refused(tmp_path):
    annotations = write_clips(tmp_path / "clips", sizes=((48, 96), (48, 80)))
    with pytest.raises(AnnotationError, match=r"instances.json: .*one size"):
        make_reel(annotations, tmp_path / "clips", tmp_path / "reel", 2)


def test_score_by_hand(tmp_path):
    """Object 0 gets its number back, 1 another one, 2 is left open when it returns, 3 is never found."""
    reel = make_reel(write_clips(tmp_path / "clips"), tmp_path / "clips", tmp_path / "reel", 2)
    corners = reel.boxes.transpose(1, 0, 2).copy()
    corners[:, :, 2:] += corners[:, :, :2]
    frames = [SimpleNamespace(index=index, boxes=boxes) for index, boxes in enumerate(corners)]

    def tracklet(part, row):
        return Tracklet(np.arange(LENGTH) + part * LENGTH, np.full(LENGTH, row))

    tracklets = [tracklet(0, 0), tracklet(2, 0), tracklet(0, 1), tracklet(2, 1), tracklet(1, 2), tracklet(3, 2)]
    links = SimpleNamespace(identities=np.array([7, 7, 8, 9, 3, -1]))
    result = SimpleNamespace(footage=SimpleNamespace(frames=frames), tracklets=tracklets, links=links)
    score = score_reel(reel, result)
    assert score == ReelScore(8 * LENGTH, 5 * LENGTH, 4 * LENGTH, returns=4, kept=1, lost=1)
    assert score.idf1 == pytest.approx(2 * 4 / (8 + 5))


def test_the_command(tmp_path):
    annotations = write_clips(tmp_path / "clips")
    done = run_python(
        PROJECT / "identify_reel.py", "--annotations", annotations, "--output", tmp_path / "reel", "--images",
        tmp_path / "clips", "--iterations", "40", "--passes", "3",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Four objects in three visits of two: it finds that there are four, and which is which.
    assert "8 returns, 8 with the old number, 0 with another one" in done.stdout.splitlines()[-1], done.stdout
    assert (tmp_path / "reel" / "identities" / "tracks.json").is_file()
