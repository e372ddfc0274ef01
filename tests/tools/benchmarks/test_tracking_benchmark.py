"""Trackers side by side on clips with ground truth."""

import gzip
import json

import cv2
import numpy as np
import pytest

from benchmark import main
from benchmarks.rival_trackers import OURS
from ictrack.structures.rle_masks import encode_mask

COLORS = {0: (40, 40, 220), 1: (200, 180, 30)}


@pytest.fixture
def folders(tmp_path):
    """Two squares of different color, which change places in the last of four frames, and are found exactly."""
    places = [(5, 5), (60, 30)]
    videos, annotations = [], []
    for video in (1, 2):
        name = f"clip{video}"
        (tmp_path / "data" / "JPEGImages" / name).mkdir(parents=True)
        found, rles = [], {0: [], 1: []}
        for frame in range(4):
            image = np.full((64, 96, 3), 90, np.uint8)
            for color in (0, 1):
                x, y = places[color if frame < 3 else 1 - color]
                image[y : y + 24, x : x + 24] = COLORS[color]
                mask = np.zeros((64, 96), bool)
                mask[y : y + 24, x : x + 24] = True
                rles[color].append(encode_mask(mask))
                found.append({"image_id": frame, "category_id": 1, "bbox": [x, y, 24, 24], "score": 0.9})
            cv2.imwrite(str(tmp_path / "data" / "JPEGImages" / name / f"{frame}.png"), image)
        images = [{"id": i, "file_name": f"{name}/{i}.png", "height": 64, "width": 96} for i in range(4)]
        detections = {"images": images, "categories": [{"id": 1, "name": "thing"}], "annotations": found}
        with gzip.open(tmp_path / f"{name}.exact.json.gz", "wt") as file:
            json.dump(detections, file)
        names = [image["file_name"] for image in images]
        videos.append({"id": video, "height": 64, "width": 96, "length": 4, "file_names": names})
        for color, masks in rles.items():
            entry = {"id": 2 * video + color, "video_id": video, "category_id": 1, "iscrowd": 0, "segmentations": masks}
            annotations.append({**entry, "height": 64, "width": 96, "length": 4})
    truth = {"videos": videos, "categories": [{"id": 1, "name": "thing"}], "annotations": annotations}
    (tmp_path / "data" / "instances.json").write_text(json.dumps(truth))
    return ["--data", str(tmp_path / "data"), "--detections", str(tmp_path), "--detector", "exact"]


def test_appearance_keeps_what_position_confuses(folders, tmp_path, capsys):
    out = tmp_path / "scores.json"
    main(["tracking", *folders, "--steps", "1", "--bootstrap", "20", "--json", str(out)])
    result = json.loads(out.read_text())
    assert result["clips"] == ["clip1", "clip2"]
    scores = result["every"]["1"]
    assert set(OURS) <= set(scores)
    assert scores["paper's form"]["identity"]["IDF1"] == 1 and scores["box IoU"]["clear"]["IDSW"] == 4
    assert scores["box IoU"]["below_default"]["identity.IDF1"][0] >= 0
    assert "every 1" in capsys.readouterr().out


def test_detections_of_no_clip_are_an_error(folders):
    folders[-1] = "other"
    with pytest.raises(ValueError, match=r"has no file CLIP\.other\.json"):
        main(["tracking", *folders])
