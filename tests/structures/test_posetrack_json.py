import copy
import gzip
import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pose_scene import person, pose_file

from ictrack.structures.joints import POSETRACK_15, POSETRACK_18
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.posetrack_json import (
    MISSING_SCORE,
    parse_pose_sequence,
    read_pose_folder,
    read_pose_sequence,
)


def scene():
    """Two frames, two people in the first, one in the second; the file lists the later frame first."""
    data = pose_file([[person(3, 100.0), person(0, 300.0)], [person(3, 110.0)]])
    data["annotations"] = [data["annotations"][i] for i in (2, 0, 1)]
    return data


def changed(path, value):
    """The scene with one value replaced, or removed if it is ...; a path is keys and indices."""
    data = scene()
    target = data
    for key in path[:-1]:
        target = target[key]
    if value is ...:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return data


def test_arrays_of_a_ground_truth():
    sequence = parse_pose_sequence(scene(), "a", is_ground_truth=True)
    assert sequence.file_names == tuple(f"images/val/000001_mpii_test/{t:06d}.jpg" for t in range(2))
    np.testing.assert_array_equal(sequence.frames, [0, 0, 1])
    np.testing.assert_array_equal(sequence.people_per_frame(), [2, 1])
    np.testing.assert_array_equal(sequence.track_ids, [3, 0, 3])
    np.testing.assert_array_equal(sequence.keypoints[:, 0], [(100, 100), (300, 100), (110, 100)])
    np.testing.assert_array_equal(sequence.head_diagonals, [50, 50, 50])
    np.testing.assert_array_equal(sequence.areas, [7200, 7200, 7200])
    assert sequence.present.all() and sequence.is_labeled.all()
    assert (sequence.scores == MISSING_SCORE).all() and not sequence.has_scores.any()


def test_arrays_of_predictions():
    data = scene()
    data["annotations"][1]["scores"] = [k / 100 for k in range(15)]
    data["annotations"][2]["scores"] = []
    del data["annotations"][0]["scores"], data["annotations"][0]["bbox_head"]
    sequence = parse_pose_sequence(data, "a", is_ground_truth=False)
    np.testing.assert_array_equal(sequence.scores[0], np.arange(15) / 100)
    assert (sequence.scores[1:] == MISSING_SCORE).all()
    np.testing.assert_array_equal(sequence.has_scores, [True, False, False])
    assert np.isnan(sequence.head_diagonals).all()


def test_joints_go_by_name_and_ears_are_left_out():
    data = scene()
    for one in data["annotations"]:
        values = dict(zip(POSETRACK_15.names, np.reshape(one["keypoints"], (15, 3)).tolist()))
        scores = {name: i / 15 for i, name in enumerate(POSETRACK_15.names)}
        one["keypoints"] = [v for name in POSETRACK_18.names for v in values.get(name, [1.0, 2.0, 1])]
        one["scores"] = [scores.get(name, 9.0) for name in POSETRACK_18.names]
    data["categories"][0]["keypoints"] = list(POSETRACK_18.names)
    ours = parse_pose_sequence(data, "a", is_ground_truth=False)
    expected = parse_pose_sequence(scene(), "a", is_ground_truth=False)
    np.testing.assert_array_equal(ours.keypoints, expected.keypoints)
    np.testing.assert_allclose(ours.scores, np.tile(np.arange(15) / 15, (3, 1)))


@pytest.mark.parametrize(
    ("values", "exists"), [((0, 0, 0), False), ((0, 0, 1), True), ((0, 5, 0), True), ((5, 0, 0), True)]
)
def test_a_joint_is_absent_iff_all_three_values_are_zero(values, exists):
    data = scene()
    data["annotations"][0]["keypoints"][3:6] = values
    present = parse_pose_sequence(data, "a", is_ground_truth=True).present
    assert present[2, 1] == exists and present.sum() == 44 + exists


def test_where_the_file_does_not_say_a_frame_with_people_is_labeled():
    data = pose_file([[person(0, 100.0)], [], [], [person(0, 100.0)]])
    del data["images"][0]["is_labeled"], data["images"][1]["is_labeled"]
    data["images"][3]["is_labeled"] = 0
    labeled = parse_pose_sequence(data, "a", is_ground_truth=True).is_labeled
    np.testing.assert_array_equal(labeled, [True, False, True, False])


def test_head_box_with_negative_sides_and_without_size():
    data = pose_file([[person(0, 100.0, head=(-30, -40)), person(1, 0.0, head=(0, 0))]])
    np.testing.assert_array_equal(parse_pose_sequence(data, "a", is_ground_truth=True).head_diagonals, [50, 0])


def test_numbers_of_numpy_are_numbers():
    data = scene()
    data["annotations"][0]["keypoints"] = list(np.array(data["annotations"][0]["keypoints"]))
    ours, expected = (parse_pose_sequence(one, "a", is_ground_truth=True) for one in (data, scene()))
    np.testing.assert_array_equal(ours.keypoints, expected.keypoints)


def test_regions():
    polygon = [(0, 0), (10, 0), (10, 20)]
    data = pose_file([[person(0, 100.0)], []], regions={1: [polygon, []]})
    regions = parse_pose_sequence(data, "a", is_ground_truth=True).ignore_regions
    assert regions[0] == () and len(regions[1]) == 2
    np.testing.assert_array_equal(regions[1][0], polygon)


def test_no_people():
    sequence = parse_pose_sequence(pose_file([[], []]), "a", is_ground_truth=False)
    assert sequence.keypoints.shape == (0, 15, 2) and sequence.scores.shape == (0, 15)
    assert parse_pose_sequence(pose_file([[], []]), "a", is_ground_truth=True).num_people == 0


def test_folder(tmp_path):
    (tmp_path / "b.json").write_text(json.dumps(scene()))
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(json.dumps(scene()).encode()))
    (tmp_path / "notes.txt").write_text("not a sequence")
    (tmp_path / "._b.json").write_bytes(b"\0\5\x16\7Mac OS X")
    sequences = read_pose_folder(tmp_path, is_ground_truth=True)
    assert list(sequences) == ["a", "b"]
    assert sequences["a"].source == str(tmp_path / "a.json.gz")
    assert list(read_pose_folder(tmp_path / "b.json", is_ground_truth=True)) == ["b"]
    (tmp_path / "a.json").write_text(json.dumps(scene()))
    with pytest.raises(AnnotationError, match=r"a\.json\.gz: the same sequence is there as \.json and as \.json\.gz"):
        read_pose_folder(tmp_path, is_ground_truth=True)


@pytest.mark.parametrize("name", ["nothing", "empty", "nothing.json"])
def test_nothing_to_read(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AnnotationError, match=name):
        read_pose_folder(tmp_path / name, is_ground_truth=True)
    with pytest.raises(AnnotationError, match=f"{name}: cannot be read"):
        read_pose_sequence(tmp_path / name, is_ground_truth=True)


@pytest.mark.parametrize("size", [0, 1, 100, -1])
@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_a_truncated_file_is_an_error(tmp_path, size, suffix):
    content = json.dumps(scene()).encode()
    path = tmp_path / f"a{suffix}"
    path.write_bytes((gzip.compress(content) if suffix == ".json.gz" else content)[:size])
    with pytest.raises(AnnotationError, match=r"a\.json"):
        read_pose_sequence(path, is_ground_truth=True)


def test_an_error_names_the_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(changed(["annotations", 1, "track_id"], None)))
    with pytest.raises(AnnotationError, match=r"a\.json: annotations\[1\]\.track_id: must be an integer"):
        read_pose_sequence(path, is_ground_truth=True)


BOTH = [
    (["images"], ..., "images: must be a list"),
    (["annotations"], ..., "annotations: must be a list"),
    (["annotations", 1], 5, "annotations[1]: must be an object"),
    (["annolist"], [], "$.annolist: the PoseTrack17 format"),
    (["images", 1, "id"], 7, "images[1].id: 7 is used twice"),
    (["images", 1, "file_name"], 5, "images[1].file_name: must be the name"),
    (["images", 1, "file_name"], "images/val/000002_mpii_test/000001.jpg", "images[1].file_name: in another folder"),
    (["images", 1, "is_labeled"], "yes", "images[1].is_labeled: must be true or false"),
    (["images", 1, "ignore_regions_x"], [], None),
    (["categories"], [], "categories: must be a list of one category"),
    (["categories", 0, "name"], "dog", 'categories[0].name: must be "person"'),
    (["categories", 0, "keypoints"], ["nose"], "categories[0].keypoints: must be 15 or 17 joints, not 1"),
    (["categories", 0, "keypoints", 0], "nose", "categories[0].keypoints: a joint is there twice"),
    (["categories", 0, "keypoints", 0], "tail", "categories[0].keypoints: lacks right_ankle"),
    (["annotations", 0, "image_id"], 1234, "annotations[0].image_id: 1234 is not the id"),
    (["annotations", 0, "image_id"], ..., "annotations[0].image_id: None is not the id"),
    (["annotations", 0, "track_id"], -1, "annotations[0].track_id: must be an integer from 0 to 9999, not -1"),
    (["annotations", 0, "track_id"], 10000, "annotations[0].track_id: must be an integer from 0 to 9999, not 10000"),
    (["annotations", 0, "track_id"], 10**30, "annotations[0].track_id: must be an integer from 0 to 9999"),
    (["annotations", 0, "track_id"], 1.5, "annotations[0].track_id: must be an integer"),
    (["annotations", 0, "track_id"], True, "annotations[0].track_id: must be an integer"),
    (["annotations", 2, "track_id"], 3, "annotations[2].track_id: 3 is that of annotations[1] in the same image"),
    (["annotations", 0, "keypoints"], ..., "annotations[0].keypoints: is missing"),
    (["annotations", 0, "keypoints"], [1.0] * 44, "annotations[0].keypoints: must be a list of 45 numbers"),
    (["annotations", 0, "keypoints", 7], float("nan"), "annotations[0].keypoints[7]: must be a finite number, not nan"),
    (["annotations", 0, "keypoints", 7], 10**400, "annotations[0].keypoints[7]: must be a finite number"),
    (["annotations", 0, "keypoints", 7], "5", "annotations[0].keypoints[7]: must be a finite number, not '5'"),
    (["annotations", 0, "keypoints", 7], None, "annotations[0].keypoints[7]: must be a finite number, not None"),
    (["annotations", 0, "keypoints", 7], True, "annotations[0].keypoints[7]: must be a finite number, not True"),
]
TRUTH = [
    (["annotations", 0, "bbox_head"], ..., "annotations[0].bbox_head: is missing"),
    (["annotations", 0, "bbox_head"], [1, 2, 3], "annotations[0].bbox_head: must be a list of 4 numbers"),
    (["annotations", 0, "bbox_head", 2], float("inf"), "annotations[0].bbox_head[2]: must be a finite number"),
    (["annotations", 0, "bbox"], [1], "annotations[0].bbox: must be a list of 4 numbers"),
]
FOUND = [
    (["annotations", 0, "scores"], [0.5] * 14, "annotations[0].scores: must be a list of 15 numbers"),
    (["annotations", 0, "scores", 3], float("nan"), "annotations[0].scores[3]: must be a finite number, not nan"),
    (["annotations", 0, "scores"], 0.5, "annotations[0].scores: must be a list of 15 numbers"),
]


@pytest.mark.parametrize(
    ("is_ground_truth", "path", "value", "message"),
    [(kind, *case) for kind in (False, True) for case in (*BOTH, *(TRUTH if kind else FOUND))],
)
def test_malformed(is_ground_truth, path, value, message):
    data = changed(path, value)
    before = copy.deepcopy(data)
    if message is None:
        parse_pose_sequence(data, "a", is_ground_truth=is_ground_truth)
    else:
        with pytest.raises(AnnotationError) as caught:
            parse_pose_sequence(data, "a", is_ground_truth=is_ground_truth, source="f.json")
        assert str(caught.value).startswith(f"f.json: {message}")
    assert str(data) == str(before)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([[1, 2]], [[1, 2]], "ignore_regions_x[0]: a region needs at least 3 points, not 2"),
        ([[1, 2, 3]], [[1, 2]], "ignore_regions_x[0]: has 3 numbers, but y has 2"),
        ([[1, 2, 3]], [], "ignore_regions_x: x and y must be lists of the same number"),
        ([[1, 2, 3]], [[1, 2, None]], "ignore_regions_y[0][2]: must be a finite number"),
        ([1, 2, 3], [1, 2, 3], "ignore_regions_x[0]: must be a list of numbers"),
        (5, 5, "ignore_regions_x: x and y must be lists"),
    ],
)
def test_malformed_regions(x, y, message):
    data = scene()
    data["images"][1].update(ignore_regions_x=x, ignore_regions_y=y)
    with pytest.raises(AnnotationError) as caught:
        parse_pose_sequence(data, "a", is_ground_truth=True)
    assert str(caught.value).startswith(f"images[1].{message}")


@pytest.mark.parametrize("data", [None, [], "x", 5, {}])
def test_no_sequence_at_all(data):
    with pytest.raises(AnnotationError):
        parse_pose_sequence(data, "a", is_ground_truth=True)


ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(data=st.data(), is_ground_truth=st.booleans(), value=ANY_VALUE)
def test_any_damage_is_an_annotation_error_or_none(data, is_ground_truth, value):
    content = pose_file([[person(0, 1.0)], []], regions={0: [[(0, 0), (1, 0), (1, 1)]]})
    target = content
    while True:
        key = data.draw(st.sampled_from(sorted(target) if isinstance(target, dict) else range(len(target))))
        if not isinstance(target[key], (dict, list)) or not target[key] or data.draw(st.booleans()):
            break
        target = target[key]
    target[key] = value
    with suppress(AnnotationError):
        parse_pose_sequence(content, "a", is_ground_truth=is_ground_truth)


def test_reordered_frames():
    sequence = parse_pose_sequence(scene(), "a", is_ground_truth=True)
    swapped = sequence.reorder_frames([1, 0])
    assert swapped.file_names == sequence.file_names[::-1]
    np.testing.assert_array_equal(swapped.frames, [0, 1, 1])
    np.testing.assert_array_equal(swapped.track_ids, [3, 3, 0])
    np.testing.assert_array_equal(swapped.keypoints, sequence.keypoints[[2, 0, 1]])
    np.testing.assert_array_equal(swapped.reorder_frames([1, 0]).keypoints, sequence.keypoints)
