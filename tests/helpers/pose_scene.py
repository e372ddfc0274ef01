"""Small PoseTrack18 files made of people whose joints are all in place, but for what a test changes."""

import numpy as np

from ictrack.structures.joints import POSETRACK_15
from ictrack.structures.posetrack_json import parse_pose_sequence

# Diagonal 50, so a head size is 30 pixels, and a joint is found within 15.
HEAD = (30, 40)
TEMPLATE = np.array([(10 * (joint % 4), 12 * joint) for joint in range(len(POSETRACK_15))], dtype=float)


def person(track_id, x, y=100.0, *, absent=(), score=0.5, joints=None, head=HEAD):
    """A person with the first joint at (x, y); ``absent`` joints are missing, ``joints`` {name: (x, y)} moved."""
    keypoints = np.concatenate([TEMPLATE + np.array([x, y]), np.ones((len(TEMPLATE), 1))], axis=1)
    for name, place in (joints or {}).items():
        keypoints[POSETRACK_15.index(name), :2] = place
    for name in absent:
        keypoints[POSETRACK_15.index(name)] = 0
    return {
        "track_id": track_id,
        "keypoints": keypoints.ravel().tolist(),
        "scores": [score] * len(TEMPLATE),
        "bbox_head": [x, y, *head],
        "bbox": [x, y, 40.0, 180.0],
    }


def pose_file(frames, *, labeled=None, regions=None, folder="images/val/000001_mpii_test"):
    """The JSON of a sequence with these people in each frame; ``regions``: frame -> list of polygons."""
    images = [
        {"id": 10 * t + 7, "file_name": f"{folder}/{t:06d}.jpg", "is_labeled": True if labeled is None else labeled[t]}
        for t in range(len(frames))
    ]
    for t, polygons in (regions or {}).items():
        images[t]["ignore_regions_x"] = [[x for x, _ in polygon] for polygon in polygons]
        images[t]["ignore_regions_y"] = [[y for _, y in polygon] for polygon in polygons]
    annotations = [
        {**one, "image_id": image["id"], "category_id": 1} for image, people in zip(images, frames) for one in people
    ]
    categories = [{"id": 1, "name": "person", "keypoints": list(POSETRACK_15.names)}]
    return {"images": images, "annotations": annotations, "categories": categories}


def gt_sequence(frames, **options):
    return parse_pose_sequence(pose_file(frames, **options), "a", is_ground_truth=True)


def pred_sequence(frames, **options):
    return parse_pose_sequence(pose_file(frames, **options), "a", is_ground_truth=False)


def random_frames(rng, num_frames=12, num_people=6, num_extra=2):
    """Annotated and predicted people who move, cross, come and go, and whose tracks are mixed up at times."""
    gt, pred = [], []
    place = rng.uniform(0, 60, (num_people, 2))
    tracks = np.arange(num_people)
    names = np.array(POSETRACK_15.names)
    for _ in range(num_frames):
        place = place + rng.normal(0, 8, place.shape)
        if rng.random() < 0.4:
            first, second = rng.choice(num_people, 2, replace=False)
            tracks[[first, second]] = tracks[[second, first]]
        if rng.random() < 0.3:
            tracks[rng.integers(num_people)] = tracks.max() + 1
        here = [i for i in range(num_people) if rng.random() < 0.85]
        seen = [i for i in range(num_people) if rng.random() < 0.85]
        gt.append([person(i, *place[i], absent=names[rng.random(15) < 0.15]) for i in here])
        people = [_noisy(rng, int(tracks[i]), place[i], names) for i in seen]
        people += [_noisy(rng, 100 + k, rng.uniform(0, 60, 2), names) for k in range(rng.integers(0, num_extra + 1))]
        pred.append(people)
    return gt, pred


def _noisy(rng, track_id, place, names):
    joints = dict(zip(names, TEMPLATE + place + rng.normal(0, 6, TEMPLATE.shape)))
    one = person(track_id, *place, joints=joints, absent=names[rng.random(15) < 0.1])
    one["scores"] = np.round(rng.random(15), 2).tolist()
    return one
