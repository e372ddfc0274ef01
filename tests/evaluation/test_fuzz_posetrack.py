import json
import logging
import random

import numpy as np
import pytest
from posetrack_case import NAME, images

from fuzzing.damage import Hang, mutate_bytes, mutate_value, time_limit
from ictrack.evaluation.metrics import evaluate_pose
from ictrack.evaluation.submission import PoseTrackWriter, read_posetrack_results, validate_posetrack
from ictrack.structures.joints import POSETRACK_15, POSETRACK_18
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.posetrack_json import MISSING_SCORE, read_pose_folder

NUM_MUTANTS = 600
NUM_BATCHES = 3
NUM_FRAMES = 3
EARS = [POSETRACK_18.index("left_ear"), POSETRACK_18.index("right_ear")]


def small_case(folder):
    """Ground truth and predictions of one sequence as JSON text."""
    rng = np.random.default_rng(0)
    annotations = []
    writer = PoseTrackWriter(folder)
    writer.start(NAME, images(NUM_FRAMES))
    for t, image in enumerate(images(NUM_FRAMES)):
        keypoints = np.zeros((2, 17, 3))
        keypoints[..., :2] = rng.integers(20, 60, (1, 17, 2)) + np.array([[[0, 0]], [[100, 5 * t]]])
        keypoints[..., 2] = rng.random((2, 17)) < 0.9
        keypoints[:, EARS] = 0
        found = keypoints + np.array([0.5, -0.5, 0])
        found[..., 2] = np.round(rng.random((2, 17)), 2) * keypoints[..., 2]
        writer.add(t, [4, 9][: 2 - t % 2], found[: 2 - t % 2])
        for track_id, joints in enumerate(keypoints.astype(int) * (keypoints[..., 2:] > 0).astype(int)):
            annotations.append(
                {
                    "image_id": image["id"],
                    "track_id": track_id,
                    "bbox_head": [10, 10, 20, 20],
                    "bbox": [0, 0, 90, 90],
                    "keypoints": joints.ravel().tolist(),
                }
            )
    truth_images = images(NUM_FRAMES)
    truth_images[1].update(ignore_regions_x=[[200, 300, 300]], ignore_regions_y=[[0, 0, 90]])
    categories = [{"id": 1, "name": "person", "keypoints": list(POSETRACK_18.names)}]
    truth = {"images": truth_images, "annotations": annotations, "categories": categories}
    return json.dumps(truth).encode(), writer.finish().read_bytes()


def plain_people(data):
    """(frame, track id, {joint: (x, y, score)}) of each person, read as the format is described."""
    names = data["categories"][0]["keypoints"]
    frame_of = {image["id"]: t for t, image in enumerate(data["images"])}
    people = []
    for person in data["annotations"]:
        joints = {}
        for k, name in enumerate(names):
            x, y, v = person["keypoints"][3 * k : 3 * k + 3]
            name = "head_bottom" if name == "upper_neck" else name
            if name in POSETRACK_15.names and (x, y, v) != (0, 0, 0):
                scores = person.get("scores")
                joints[name] = (float(x), float(y), float(scores[k]) if scores else MISSING_SCORE)
        people.append((frame_of[person["image_id"]], person["track_id"], joints))
    return sorted(people, key=lambda person: person[0])


def read_people(sequence):
    people = []
    for i in range(sequence.num_people):
        joints = {
            name: (*sequence.keypoints[i, k].tolist(), float(sequence.scores[i, k]))
            for k, name in enumerate(POSETRACK_15.names)
            if sequence.present[i, k]
        }
        people.append((int(sequence.frames[i]), int(sequence.track_ids[i]), joints))
    return people


def check_files(truth_folder, results_folder):
    """Read and score two folders: only AnnotationError is raised, and what is read is what is there."""
    problems = list(validate_posetrack(truth_folder, results_folder))
    assert all(str(problem).isprintable() and len(str(problem)) < 1000 for problem in problems)
    has_errors = any(problem.severity == "error" for problem in problems)
    try:
        found = read_posetrack_results(results_folder)
    except AnnotationError as error:
        assert has_errors
        assert NAME in str(error)
        return False
    assert read_people(found[NAME]) == plain_people(json.loads((results_folder / f"{NAME}.json").read_bytes()))
    try:
        truth = read_pose_folder(truth_folder, is_ground_truth=True)
        evaluation = evaluate_pose(truth, found)
    except AnnotationError as error:
        assert NAME in str(error)
        return False
    assert set(evaluation.scores) == {"official", "strict"}
    return True


@pytest.fixture
def folders(tmp_path):
    paths = tmp_path / "gt", tmp_path / "results"
    for path in paths:
        path.mkdir()
    return paths


def test_the_whole_case_is_scored(tmp_path, folders):
    for path, content in zip(folders, small_case(tmp_path / "case")):
        (path / f"{NAME}.json").write_bytes(content)
    assert check_files(*folders)
    assert not list(validate_posetrack(*folders))


@pytest.mark.parametrize("batch", range(NUM_BATCHES))
def test_mutants_are_refused_or_read_as_they_are(batch, tmp_path, folders):
    logging.disable(logging.CRITICAL)
    rng = random.Random(batch)
    whole = small_case(tmp_path / "case")
    num_scored = 0
    try:
        for number in range(NUM_MUTANTS // NUM_BATCHES):
            mutate = mutate_bytes if rng.random() < 0.3 else mutate_value
            which = rng.randrange(2)
            mutant = list(whole)
            mutant[which] = mutate(rng, whole[which])
            for path, content in zip(folders, mutant):
                (path / f"{NAME}.json").write_bytes(content)
            try:
                with time_limit():
                    num_scored += check_files(*folders)
            except (Exception, Hang) as error:
                raise AssertionError(f"mutant {number}: {mutate.__name__}, {mutant[which]!r}") from error
    finally:
        logging.disable(logging.NOTSET)
    assert num_scored > NUM_MUTANTS // NUM_BATCHES // 10
