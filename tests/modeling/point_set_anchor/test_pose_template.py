from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ictrack.command.main import main
from ictrack.modeling.point_set_anchor.pose_template import cluster_poses, normalized_poses, write_pose_template
from ictrack.structures.joints import COCO_17
from ictrack.structures.json_files import AnnotationError


def annotation(points: np.ndarray, visibility: int | np.ndarray = 2, **fields) -> dict:
    keypoints = np.concatenate([points, np.broadcast_to(visibility, 17)[:, None]], axis=1)
    low, size = points.min(0), np.ptp(points, axis=0)
    return {"keypoints": keypoints.ravel().tolist(), "bbox": [*low.tolist(), *size.tolist()], "iscrowd": 0, **fields}


def write(path: Path, annotations: list) -> Path:
    path.write_text(json.dumps({"images": [], "annotations": annotations}))
    return path


def pose(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 50, (17, 2)).round(2)


def test_position_and_size_do_not_matter(tmp_path):
    base = pose()
    missing = np.full(17, 1)
    missing[0] = 0
    path = write(
        tmp_path / "a.json",
        [
            annotation(base),
            annotation(base * 4 + 100),
            annotation(base, missing),
            annotation(base, iscrowd=1),
            {"bbox": [0, 0, 1, 1]},
        ],
    )
    assert len(normalized_poses(path, min_joints=17)) == 2
    first, second, third = normalized_poses(path, min_joints=16)
    np.testing.assert_allclose(first, second)
    np.testing.assert_allclose(first[1:], third[1:])
    assert np.isnan(third[0]).all()
    shoulders = [COCO_17.index("left_shoulder"), COCO_17.index("right_shoulder")]
    np.testing.assert_allclose(first[shoulders].mean(0), 0, atol=1e-12)
    assert np.ptp(first, axis=0).max() == pytest.approx(1)


def test_poses_without_a_shoulder_or_a_size_are_left_out(tmp_path):
    no_shoulder = np.full(17, 2)
    no_shoulder[COCO_17.index("left_shoulder")] = 0
    path = write(tmp_path / "a.json", [annotation(pose(), no_shoulder), annotation(pose(), bbox=[0, 0, 0, 0])])
    assert normalized_poses(path, min_joints=1).shape == (0, 17, 2)


def test_clusters_and_missing_joints():
    rng = np.random.default_rng(1)
    standing, sitting = pose(2) / 50, pose(3) / 50 + 2
    poses = np.concatenate([standing + rng.normal(0, 0.01, (30, 17, 2)), sitting + rng.normal(0, 0.01, (20, 17, 2))])
    poses[3, 5] = poses[40, 0] = np.nan
    centers, sizes = cluster_poses(poses, 2, seed=0)
    assert sizes.tolist() == [30, 20]
    np.testing.assert_allclose(centers, [np.nanmean(poses[:30], axis=0), np.nanmean(poses[30:], axis=0)])
    mean, size = cluster_poses(poses, 1, seed=5)
    assert size.tolist() == [50]
    np.testing.assert_allclose(mean[0], np.nanmean(poses, axis=0))


def test_too_little_to_cluster():
    with pytest.raises(ValueError, match="1 poses cannot make 2 clusters"):
        cluster_poses(pose()[None], 2, seed=0)
    never = np.stack([pose(), pose(1)])
    never[:, 9] = np.nan
    with pytest.raises(ValueError, match="left_wrist"):
        cluster_poses(never, 1, seed=0)


def test_command(tmp_path, capsys):
    path = write(tmp_path / "a.json", [annotation(pose(i)) for i in range(5)])
    assert main(["prepare", "pose-template", str(path), str(tmp_path / "t.json")]) == 0
    assert "the mean of 5 poses" in capsys.readouterr().out
    content = json.loads((tmp_path / "t.json").read_text())
    assert content["joint_set"] == "COCO"
    np.testing.assert_allclose(content["points"], normalized_poses(path, 17).mean(0), atol=1e-6)


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ([], r"\.annotations: must be a list"),
        ({"annotations": [3]}, r"\.annotations\[0\]: must be an object"),
        ({"annotations": [{"keypoints": [1, 2]}]}, r"\.annotations\[0\]\.keypoints: must be a list of 51"),
        ({"annotations": [{"keypoints": [0] * 51, "bbox": [0, 0, 1, None]}]}, r"\.annotations\[0\]\.bbox: must be"),
    ],
)
def test_bad_annotations_are_named(tmp_path, content, where):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match=rf"bad\.json.*{where}"):
        write_pose_template(path, tmp_path / "t.json", 17, 1, 0)
    path.write_text('{"annotations": [')
    with pytest.raises(AnnotationError, match=r"bad\.json"):
        write_pose_template(path, tmp_path / "t.json", 17, 1, 0)
