"""Result files and annotations of users that are not quite of the format: taken where the meaning is clear, or told."""

import json

import pytest
import tiny_video_dataset as tiny

from ictrack.command.main import main
from ictrack.evaluation.submission import read_results
from ictrack.structures.json_files import AnnotationError


def perfect():
    return [
        {"video_id": a["video_id"], "category_id": a["category_id"], "score": 0.9, "segmentations": a["segmentations"]}
        for a in tiny.ground_truth()["annotations"]
    ]


def save(tmp_path, content):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(content))
    return path


def test_whole_numbers_with_a_point_are_ids(tmp_path):
    results = [{**r, "video_id": float(r["video_id"]), "category_id": float(r["category_id"])} for r in perfect()]
    assert len(read_results(save(tmp_path, results), tiny.ground_truth())) == len(results)
    with pytest.raises(AnnotationError, match=r"\[0\]\.video_id: there is no video 7\.5"):
        read_results(save(tmp_path, [{**results[0], "video_id": 7.5}]), tiny.ground_truth())


def test_counts_that_went_through_str(tmp_path):
    results = perfect()
    for segmentation in results[0]["segmentations"]:
        if segmentation:
            segmentation["counts"] = str(segmentation["counts"].encode())
    with pytest.raises(AnnotationError, match=r"\[0\]\.segmentations\[0\].*text of Python bytes"):
        read_results(save(tmp_path, results), tiny.ground_truth())


def test_saved_tracks_are_results_and_a_ground_truth_is_not(tmp_path, caplog):
    tracks = {**tiny.ground_truth(), "annotations": [{**r, "id": i, "track_id": i} for i, r in enumerate(perfect())]}
    assert len(read_results(save(tmp_path, tracks), tiny.ground_truth())) == len(perfect())
    assert "--save-tracks" in caplog.text
    with pytest.raises(AnnotationError, match="this is a ground truth"):
        read_results(save(tmp_path, tiny.ground_truth()), tiny.ground_truth())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"annotations": []}, "0 poses have both shoulders"),
        ({"annotations": [{"keypoints": [0] * 51, "bbox": [0, 0, 5, 5]}]}, "0 poses have both shoulders"),
        ({"annotations": [{"keypoints": [0] * 3, "bbox": [0, 0, 5, 5]}]}, "keypoints"),
        (None, "gone.json"),
    ],
)
def test_pose_templates_of_nothing(tmp_path, content, message, capsys):
    path = tmp_path / "gone.json"
    if content is not None:
        path = save(tmp_path, content)
    assert main(["prepare", "pose-template", str(path), str(tmp_path / "out.json")]) == 1
    assert message in capsys.readouterr().err
