"""Mean pose for PointSetAnchor's anchors, from COCO keypoint annotations.

Normalized poses are clustered by k-means, and the template is the center of the largest cluster; with one cluster (as
published) it is the mean pose. The published code has only the result, in which the middle of the shoulders is the
origin and the joints' extent is 0.88 high; division by the longer side of the box is inferred from it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ictrack.structures.joints import COCO_17
from ictrack.structures.json_files import AnnotationError, is_finite, read_json, require

# Iterations of k-means; it converges long before.
_MAX_ITERATIONS = 100


def normalized_poses(path: str | Path, min_joints: int) -> np.ndarray:
    """(P, 17, 2) float64 poses of a COCO keypoint file, NaN where a joint is not labeled. The origin is the middle of
    the shoulders, the unit the longer side of the box. Crowds are left out.

    Args:
        path: Annotation file.
        min_joints: Smallest number of labeled joints of a pose, which must include both shoulders.

    Raises:
        AnnotationError: If the file is malformed; the message names it and the JSON path.
        OSError: If the file cannot be opened.
    """
    content = read_json(path)
    try:
        require(
            isinstance(content, dict) and isinstance(content.get("annotations"), list), ".annotations", "must be a list"
        )
        poses = [_pose(entry, f".annotations[{i}]", min_joints) for i, entry in enumerate(content["annotations"])]
    except AnnotationError as error:
        raise AnnotationError(f"{path}: {error}") from None
    kept = [pose for pose in poses if pose is not None]
    return np.stack(kept) if kept else np.zeros((0, len(COCO_17), 2))


def _pose(entry: Any, path: str, min_joints: int) -> np.ndarray | None:
    require(isinstance(entry, dict), path, "must be an object")
    if "keypoints" not in entry or entry.get("iscrowd"):
        return None
    for key, length in ("keypoints", 3 * len(COCO_17)), ("bbox", 4):
        values = entry.get(key)
        require(
            isinstance(values, list) and len(values) == length and all(map(is_finite, values)),
            f"{path}.{key}",
            f"must be a list of {length} finite numbers",
        )
    keypoints = np.array(entry["keypoints"], dtype=np.float64).reshape(-1, 3)
    length = max(entry["bbox"][2:])
    points = np.where(keypoints[:, 2:] > 0, keypoints[:, :2], np.nan)
    shoulders = points[[COCO_17.index("left_shoulder"), COCO_17.index("right_shoulder")]]
    if length <= 0 or np.isnan(shoulders).any() or (keypoints[:, 2] > 0).sum() < min_joints:
        return None
    return (points - shoulders.mean(axis=0)) / length


def cluster_poses(poses: np.ndarray, num_clusters: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """k-means of poses with missing joints.

    The distance of a pose to a center is the mean squared distance of its labeled joints; a center's joint is the mean
    of the labeled ones.

    Args:
        poses: (P, J, 2), NaN where a joint is missing.
        num_clusters: K.
        seed: Seed of the choice of initial centers among the poses with the fewest missing joints.

    Returns:
        (K, J, 2) centers and (K,) number of poses of each, largest cluster first.

    Raises:
        ValueError: If there are fewer poses than clusters, or no pose of a cluster has some joint.
    """
    if len(poses) < num_clusters:
        raise ValueError(f"{len(poses)} poses cannot make {num_clusters} clusters")
    missing = np.isnan(poses).any(axis=2).sum(axis=1)
    order = np.random.default_rng(seed).permutation(len(poses))
    centers = poses[order[np.argsort(missing[order], kind="stable")[:num_clusters]]]
    assigned = np.full(len(poses), -1)
    for _ in range(_MAX_ITERATIONS):
        squared = np.stack([np.square(poses - center).sum(axis=2) for center in centers])  # (K, P, J)
        compared = ~np.isnan(squared)
        distance = np.where(compared, squared, 0).sum(axis=2) / np.maximum(compared.sum(axis=2), 1)
        nearest = distance.argmin(axis=0)
        if np.array_equal(nearest, assigned):
            break
        assigned = nearest
        centers = np.stack([_mean_pose(poses[assigned == k]) for k in range(num_clusters)])
    sizes = np.bincount(assigned, minlength=num_clusters)
    largest_first = np.argsort(-sizes, kind="stable")
    return centers[largest_first], sizes[largest_first]


def _mean_pose(poses: np.ndarray) -> np.ndarray:
    labeled = ~np.isnan(poses).any(axis=2)  # (P, J)
    counts = labeled.sum(axis=0)
    if not counts.all():
        names = [COCO_17.names[j] for j in np.flatnonzero(counts == 0)]
        raise ValueError(f"no pose of a cluster of {len(poses)} has joint {', '.join(names)}: use fewer clusters")
    return np.where(labeled[..., None], poses, 0).sum(axis=0) / counts[:, None]


def write_pose_template(
    annotations: str | Path, output: str | Path, min_joints: int, num_clusters: int, seed: int
) -> int:
    """Fit a template and write it as a file for ``MODEL.POINT_SET_ANCHOR.TEMPLATE``.

    Returns:
        Number of poses of which it is the mean.

    Raises:
        AnnotationError, ValueError, OSError: See :func:`normalized_poses` and :func:`cluster_poses`.
    """
    poses = normalized_poses(annotations, min_joints)
    require(
        len(poses) >= num_clusters,
        str(annotations),
        f"{len(poses)} poses have both shoulders and at least {min_joints} labeled joints, too few for {num_clusters} "
        "clusters",
    )
    centers, sizes = cluster_poses(poses, num_clusters, seed)
    content = {"joint_set": COCO_17.name, "points": centers[0].round(6).tolist()}
    Path(output).write_text(json.dumps(content, indent=1) + "\n")
    return int(sizes[0])
