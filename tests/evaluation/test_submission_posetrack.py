import copy
import gzip
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from posetrack_case import NAME, images

from ictrack.evaluation.submission import (
    PoseTrackWriter,
    find_pose_problems,
    pack_posetrack,
    read_posetrack_results,
    validate_posetrack,
)
from ictrack.structures.joints import POSETRACK_15, POSETRACK_18, convert_keypoints
from ictrack.structures.json_files import AnnotationError


def people(*track_ids, joints=POSETRACK_18):
    """(ids, keypoints): person i stands at 10 i; its first joint is not there."""
    keypoints = np.zeros((len(track_ids), len(joints), 3))
    for person in range(len(track_ids)):
        keypoints[person] = np.stack([10 * person + np.arange(len(joints)), np.arange(len(joints)) + 0.5,
                                      np.linspace(0.1, 0.9, len(joints))], axis=1)  # fmt: skip
        keypoints[person, 0, 2] = 0
    return list(track_ids), keypoints


def write(folder, joints=POSETRACK_18, name=NAME):
    writer = PoseTrackWriter(folder, joints)
    writer.start(name, images(name=name))
    writer.add(0, *people(70_000, 5, joints=joints))
    writer.add(2, *people(5, joints=joints))
    return writer.finish()


@pytest.fixture
def truth(tmp_path):
    folder = tmp_path / "gt"
    folder.mkdir()
    (folder / f"{NAME}.json").write_text(json.dumps({"images": images()}))
    return folder


def problems(truth, results):
    return [str(problem).replace(str(results), "R") for problem in validate_posetrack(truth, results)]


@pytest.mark.parametrize("joints", [POSETRACK_18, POSETRACK_15])
def test_the_file_is_what_poseval_wants(tmp_path, joints):
    path = write(tmp_path / "out", joints)
    assert path == tmp_path / "out" / f"{NAME}.json"
    data = json.loads(path.read_text())
    assert list(data) == ["images", "categories", "annotations"]
    assert data["images"] == [{"id": i["id"], "frame_id": i["id"], "file_name": i["file_name"]} for i in images()]
    assert data["categories"] == [{"id": 1, "name": "person", "keypoints": list(joints.names)}]
    assert [(a["image_id"] % 10, a["track_id"], a["category_id"]) for a in data["annotations"]] == [
        (0, 0, 1), (0, 1, 1), (2, 1, 1),
    ]  # fmt: skip
    first, second = data["annotations"][:2]
    assert set(first) == {"image_id", "category_id", "track_id", "keypoints", "scores"}
    assert first["keypoints"][:9] == [0, 0, 0, 1, 1.5, 1, 2, 2.5, 1]
    assert second["keypoints"][6:9] == [12, 2.5, 1]
    assert first["scores"] == [0, *np.linspace(0.1, 0.9, len(joints))[1:].tolist()]


@pytest.mark.parametrize("joints", [POSETRACK_18, POSETRACK_15])
def test_what_is_written_is_read(tmp_path, joints):
    write(tmp_path / "out", joints)
    packed = pack_posetrack(tmp_path / "out", tmp_path / "out.zip")
    (tmp_path / "gz").mkdir()
    content = (tmp_path / "out" / f"{NAME}.json").read_bytes()
    (tmp_path / "gz" / f"{NAME}.json.gz").write_bytes(gzip.compress(content))
    with zipfile.ZipFile(packed) as archive:
        assert archive.namelist() == [f"{NAME}.json"]
    expected = convert_keypoints(people(1, 2, joints=joints)[1], joints, POSETRACK_15)
    for path in (tmp_path / "out", packed, tmp_path / "gz", tmp_path / "out" / f"{NAME}.json"):
        ((name, sequence),) = read_posetrack_results(path).items()
        assert name == NAME and sequence.num_frames == 3
        assert sequence.frames.tolist() == [0, 0, 2] and sequence.track_ids.tolist() == [0, 1, 1]
        np.testing.assert_array_equal(sequence.present[:2], expected[..., 2] != 0)
        np.testing.assert_array_equal(sequence.scores[:2], expected[..., 2])
        there = expected[..., 2] != 0
        np.testing.assert_array_equal(sequence.keypoints[:2][there], expected[there][:, :2])


def test_good_predictions_have_no_problems(tmp_path, truth):
    write(tmp_path / "out")
    assert problems(truth, tmp_path / "out") == []
    assert problems(truth, pack_posetrack(tmp_path / "out", tmp_path / "out.zip")) == []


def test_each_sequence_appears_when_it_is_complete(tmp_path):
    write(tmp_path, name="000001_a_b")
    writer = PoseTrackWriter(tmp_path)
    writer.start(NAME, images())
    writer.add(0, *people(1))
    assert list(read_posetrack_results(tmp_path)) == ["000001_a_b"]
    writer.finish()
    assert sorted(read_posetrack_results(tmp_path)) == ["000001_a_b", NAME]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_run_that_dies_leaves_what_it_finished(tmp_path):
    script = (
        "import os, sys\n"
        "import numpy as np\n"
        "from ictrack.evaluation.submission import PoseTrackWriter\n"
        "writer = PoseTrackWriter(sys.argv[1])\n"
        "for name in ('000001_a_b', '000002_a_b'):\n"
        "    writer.start(name, [{'id': 1, 'file_name': f'{name}/000000.jpg'}])\n"
        "    writer.add(0, [4], np.ones((1, 17, 3)))\n"
        "    if name == '000002_a_b':\n"
        "        os._exit(3)\n"
        "    writer.finish()\n"
    )
    result = subprocess.run([sys.executable, "-c", script, str(tmp_path)], timeout=60)
    assert result.returncode == 3
    assert list(read_posetrack_results(tmp_path)) == ["000001_a_b"]


def test_no_people_at_all(tmp_path, truth):
    writer = PoseTrackWriter(tmp_path / "out")
    writer.start(NAME, images())
    writer.finish()
    assert problems(truth, tmp_path / "out") == []
    assert read_posetrack_results(tmp_path / "out")[NAME].num_people == 0


def test_the_writer_refuses_what_no_server_takes(tmp_path):
    writer = PoseTrackWriter(tmp_path)
    with pytest.raises(ValueError, match="start a sequence"):
        writer.add(0, *people(1))
    with pytest.raises(ValueError, match="start a sequence"):
        writer.finish()
    with pytest.raises(ValueError, match="id is there twice"):
        writer.start(NAME, images()[:1] * 2)
    writer.start(NAME, images())
    with pytest.raises(ValueError, match=f"finish {NAME} first"):
        writer.start("other", images())
    with pytest.raises(ValueError, match="there are 3 frames"):
        writer.add(3, *people(1))
    with pytest.raises(ValueError, match="twice"):
        writer.add(0, *people(1, 1))
    with pytest.raises(ValueError, match=r"not \(2, 17, 3\)"):
        writer.add(0, [1, 2], people(1)[1])
    with pytest.raises(ValueError, match="not finite"):
        writer.add(0, [1], np.full((1, 17, 3), np.nan))
    writer.add(1, *people(1))
    with pytest.raises(ValueError, match="came after frame 1"):
        writer.add(1, *people(1))
    writer.finish()
    assert read_posetrack_results(tmp_path)[NAME].num_people == 1


def test_more_identities_than_a_file_may_have(tmp_path):
    writer = PoseTrackWriter(tmp_path)
    writer.start(NAME, images())
    writer.add(0, list(range(10_000)), np.ones((10_000, 17, 3)))
    with pytest.raises(ValueError, match="more than 10000 identities"):
        writer.add(1, [10_000], np.ones((1, 17, 3)))


def content(tmp_path):
    return json.loads(write(tmp_path / "made").read_text())


FRAME_NAMES = [image["file_name"] for image in images()]


@pytest.mark.parametrize(
    ("keys", "value", "problem"),
    [
        (["categories"], [], "error: categories: must be a list of one category"),
        (["categories", 0, "name"], "dog", "error: categories[0].name: must be \"person\", not 'dog'"),
        (["categories", 0, "keypoints"], None, "error: categories[0].keypoints: must be a list of names"),
        (["categories", 0, "keypoints", 0], "left_knee", "error: categories[0].keypoints: must be 15 or 17 different"),
        (["categories", 0, "keypoints", 0], "chin", "error: categories[0].keypoints: lacks nose"),
        (["images"], None, "error: images: must be a list"),
        (["images", 1], 5, "error: images[1]: must be an object"),
        (["images", 1, "id"], "x", "error: images[1].id: must be an integer, not 'x'"),
        (["images", 1, "id"], 10003420000, "error: images[1].id: 10003420000 is that of images[0]"),
        (["images", 1, "file_name"], "a.png", "error: images[1].file_name: must look like"),
        (["images", 1, "file_name"], FRAME_NAMES[2], "error: images[1].file_name: is "),
        (["annotations"], None, "error: annotations: must be a list"),
        (["annotations", 1], None, "error: annotations[1]: must be an object"),
        (["annotations", 1, "image_id"], 7, "error: annotations[1].image_id: 7 is not the id of an image in the file"),
        (["annotations", 1, "track_id"], 0, "error: annotations[1].track_id: is that of annotations[0] in the same"),
        (["annotations", 1, "track_id"], 10000, "error: annotations[1].track_id: must be an integer from 0 to 9999"),
        (["annotations", 1, "track_id"], -1, "error: annotations[1].track_id: must be an integer from 0 to 9999"),
        (
            ["annotations", 1, "keypoints"],
            [1],
            "error: annotations[1].keypoints: must be a list of 51 numbers (frame 0",
        ),
        (["annotations", 1, "keypoints", 4], float("nan"), "error: annotations[1].keypoints[4]: must be a finite"),
        (["annotations", 1, "scores", 4], None, "error: annotations[1].scores[4]: must be a finite number, not None"),
        (["annotations", 1, "scores"], [1, 2], "error: annotations[1].scores: must be a list of 17 numbers"),
        (["annotations", 1, "scores"], [], "warning: annotations[1]: 1 people have no scores"),
        (["annotations", 1, "keypoints"], [0] * 51, "warning: annotations[1]: 1 people have no joints"),
        (["annotations", 1, "keypoints"], [0, 0, 1] * 17, "warning: annotations[1]: 1 people have joints at (0, 0)"),
    ],
)
def test_problems_are_located(tmp_path, keys, value, problem):
    data = content(tmp_path)
    place = data
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    assert str(next(find_pose_problems(data, FRAME_NAMES))).startswith(problem)
    is_error = problem.startswith("error")
    path = tmp_path / f"{NAME}.json"
    path.write_text(json.dumps(data))
    if is_error and value != FRAME_NAMES[2]:  # which only the ground truth can tell to be wrong
        with pytest.raises(AnnotationError, match=NAME):
            read_posetrack_results(path)
    else:
        read_posetrack_results(path)


def test_all_problems_are_told(tmp_path):
    data = content(tmp_path)
    data["annotations"][0]["track_id"] = None
    data["annotations"][1]["keypoints"][7:9] = [None, "x"]
    data["annotations"].append(copy.deepcopy(data["annotations"][2]))
    data["images"].append(data["images"][0])
    assert [problem.path for problem in find_pose_problems(data, FRAME_NAMES)] == [
        "images",
        "images[3].id",
        "annotations[0].track_id",
        "annotations[1].keypoints[7]",
        "annotations[1].keypoints[8]",
        "annotations[3].track_id",
        "annotations[3]",
    ]
    assert [str(p) for p in find_pose_problems([], FRAME_NAMES)] == [
        "error: $: must be an object with images, annotations and categories"
    ]
    assert "PoseTrack17" in str(*find_pose_problems({"annolist": []}, FRAME_NAMES))


def test_folders_are_compared(tmp_path, truth):
    (tmp_path / "empty").mkdir()
    assert problems(truth, tmp_path / "empty") == [f"error: R: {NAME}.json is missing"]
    folder = tmp_path / "out"
    write(folder)
    write(folder, name="000001_a_b")
    (folder / "notes.txt").write_text("x")
    (folder / f"{NAME}.json.gz").write_bytes(b"x")
    assert problems(truth, folder)[:2] == [
        "warning: R/000001_a_b.json: the ground truth has no such sequence; it is not scored",
        f"error: R/{NAME}.json: sequence '{NAME}' is there 2 times",
    ]
    with pytest.raises(AnnotationError, match=f"{NAME}.json: sequence '{NAME}' is there 2 times"):
        read_posetrack_results(folder)
    (folder / f"{NAME}.json").unlink()
    assert problems(truth, folder)[1:] == [
        f"warning: R/{NAME}.json.gz: is compressed; servers take .json",
        f"error: R/{NAME}.json.gz: damaged file: Not a gzipped file (b'x')",
    ]
    (line,) = problems(truth, tmp_path / "none")
    assert line == "error: R: cannot be read: No such file or directory"
    (line,) = problems(tmp_path / "none", folder)
    assert line.startswith(f"error: {tmp_path / 'none'}: cannot be read")
    (line,) = problems(tmp_path / "empty", folder)
    assert line.endswith("empty: holds no .json or .json.gz file")
    (truth / f"{NAME}.json").write_text("{}")
    (line,) = problems(truth, folder)
    assert line == f"error: {truth}/{NAME}.json: images: must be a list of objects with file_name"
